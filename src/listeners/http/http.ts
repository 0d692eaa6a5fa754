/** HTTP for health and whatever modules serve (DESIGN.md section 6). */
import { Hono, type HonoRequest } from 'hono'
import type { ListenerConfig } from '../../core/config/listener-section.ts'
import type { HttpPoint, HttpRoutes } from '../../core/http-routes.ts'
import type { CounterFamily } from '../../core/metrics.ts'
import { prepDomain } from '../../jid/domain.ts'
import type { Clock } from '../../world/clock.types.ts'
import { HttpDoor, type HttpLimits, NO_HOST } from '../../world/http.ts'
import type { Log } from '../../world/log.types.ts'
import type { TlsServerContext, Transport, TransportHandler } from '../../world/net.types.ts'
import type { Accepted, Protocol } from '../acceptor.ts'
import { OpenConnections } from '../open-connections.ts'

type HttpApp = Hono<{ Bindings: { readonly address: string } }>

export interface HttpNeeds {
  readonly clock: Clock
  readonly log: Log
  readonly routes: HttpRoutes
  /** Refusals by code. */
  readonly refusals: CounterFamily
  tls(listener: ListenerConfig): TlsServerContext
  readonly limits?: HttpLimits
}

const refusalCodes = {
  400: 'RTK_HTTP_MALFORMED',
  408: 'RTK_HTTP_REQUEST_TIMEOUT',
  413: 'RTK_HTTP_BODY_BYTES',
  431: 'RTK_HTTP_HEADER_BYTES',
} as const

export class HttpProtocol implements Protocol {
  readonly name = 'http'
  readonly #needs: HttpNeeds
  readonly #door: HttpDoor
  readonly #open: OpenConnections<Transport>
  #app: HttpApp | undefined
  #version = -1
  /** Requests that have no response yet. */
  #underWay = 0
  #isStopping = false

  constructor(needs: HttpNeeds) {
    this.#needs = needs
    this.#open = new OpenConnections(needs.clock, (transport) => transport.destroy())
    this.#door = new HttpDoor(
      (request, address) => this.#serve(request, address),
      (status) => needs.refusals.count(refusalCodes[status]),
      needs.limits,
    )
  }

  accept({ transport, listener, client, refusal, early, left }: Accepted): TransportHandler {
    const leave = (): void => {
      this.#open.delete(transport)
      left()
    }
    if (refusal !== undefined) {
      transport.close()
      return new Closing(leave)
    }
    this.#open.add(transport)
    if (listener.tls !== 'direct') {
      const inner = this.#door.accept(transport, client)
      if (early !== undefined) inner.data(early, 0, early.length)
      return new Watched(inner, leave)
    }
    const watched = new Watched(new Closing(() => undefined), leave)
    // A handshake that is not done by then ends the connection.
    const late = (): void => {
      this.#needs.refusals.count('RTK_HTTP_TLS_TIMEOUT')
      transport.destroy()
    }
    const deadline = this.#needs.clock.after(listener.limits.sign_in_timeout, late, undefined)
    watched.onGone = () => deadline.cancel()
    watched.onSecured = () => {
      deadline.cancel()
      watched.inner = this.#door.accept(transport, client)
    }
    if (early !== undefined) transport.unread(early)
    transport.startTlsServer(this.#needs.tls(listener))
    return watched
  }

  /** Ends the connections; while requests are under way, those end that they came on as soon as they are answered. */
  stop(): void {
    this.#isStopping = true
    this.#door.close()
    if (this.#underWay > 0) return
    for (const transport of this.#open) transport.close()
  }

  /** Resolves when all connections are gone; those that linger longer are dropped. */
  drained(timeoutMs: number): Promise<void> {
    return this.#open.drained(timeoutMs)
  }

  async #serve(request: Request, address: string): Promise<Response> {
    this.#underWay++
    try {
      const response = await this.#route(request, address)
      return this.#isStopping ? withHeader(response, 'connection', 'close') : response
    } finally {
      this.#underWay--
    }
  }

  /** The routes as they are now; made anew when a module added or removed one. */
  #route(request: Request, address: string): Response | Promise<Response> {
    const { routes } = this.#needs
    if (this.#app === undefined || this.#version !== routes.version) {
      this.#app = this.#build(routes.points)
      this.#version = routes.version
    }
    return this.#app.fetch(request, { address })
  }

  #build(points: readonly HttpPoint[]): HttpApp {
    const app: HttpApp = new Hono()
    for (const point of points) {
      app.on(point.method, point.path, ({ req, env }) => this.#answer(point, req, env.address))
      const hasOwn = points.some(({ method, path }) => method === 'OPTIONS' && path === point.path)
      if (!hasOwn) app.options(point.path, ({ req }) => this.#preflight(points, req))
    }
    app.notFound(() => text(404, 'there is nothing here'))
    app.onError((error) => {
      this.#needs.log.error('an HTTP route failed', { code: 'RTK_HTTP_ROUTE', error })
      return text(500, 'the request could not be answered')
    })
    return app
  }

  async #answer(point: HttpPoint, req: HonoRequest, address: string): Promise<Response> {
    const domain = hostOf(req)
    const route = this.#needs.routes.choose(point, domain)
    if (route === undefined) return text(404, 'there is nothing here')
    // RFC 9110 section 15.5.20: the name that was asked for is none of those that the answer depends on.
    if (route === 'ambiguous') return text(421, 'ask for one of the hosts of this server by its name')
    if (route.access?.allows({ address, ...(domain === '' ? {} : { host: domain }) }) === false) {
      return text(403, 'you may not')
    }
    const length = Number(req.header('content-length') ?? '0')
    const hasBody = length > 0 || req.header('transfer-encoding') !== undefined
    if (hasBody && !(length <= (route.bodyBytesMax ?? 0) && req.header('transfer-encoding') === undefined)) {
      this.#needs.refusals.count(refusalCodes[413])
      return text(413, 'the request is too large')
    }
    const response = await route.handle(req.raw, req.param())
    return route.cors === true ? withHeader(response, 'access-control-allow-origin', '*') : response
  }

  /** A page of another origin asks whether it may ask (WHATWG Fetch, CORS-preflight request). */
  #preflight(points: readonly HttpPoint[], req: HonoRequest): Response {
    const method = req.header('access-control-request-method')
    const point = points.find((other) => other.method === method && other.path === req.routePath)
    const route = point === undefined ? undefined : this.#needs.routes.choose(point, hostOf(req))
    if (route === undefined || route === 'ambiguous' || route.cors !== true) return text(404, 'there is nothing here')
    const headers = {
      'access-control-allow-origin': '*',
      'access-control-allow-methods': route.method,
      'access-control-allow-headers': req.header('access-control-request-headers') ?? '*',
    }
    return new Response(null, { status: 204, headers })
  }
}

/** The Host of a request in canonical form, without its port; '' for none. */
function hostOf(req: HonoRequest): string {
  const name = new URL(req.url).hostname
  return name === NO_HOST ? '' : (prepDomain(name) ?? '')
}

/** A new response: the headers of one that was made by `Response.redirect`, or fetched, cannot be changed. */
function withHeader({ body, status, statusText, headers: given }: Response, name: string, value: string): Response {
  const headers = new Headers(given)
  headers.set(name, value)
  return new Response(body, { status, statusText, headers })
}

function text(status: number, body: string): Response {
  return new Response(`${body}\n`, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } })
}

/** Hands everything on and tells when the connection is gone. */
class Watched implements TransportHandler {
  inner: TransportHandler
  onSecured: (() => void) | undefined
  onGone: (() => void) | undefined
  readonly #gone: () => void

  constructor(inner: TransportHandler, gone: () => void) {
    this.inner = inner
    this.#gone = gone
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    this.inner.data(bytes, start, end)
  }
  drained(): void {
    this.inner.drained()
  }
  secured(tls: Parameters<TransportHandler['secured']>[0]): void {
    this.onSecured?.()
    this.inner.secured(tls)
  }
  ended(): void {
    this.inner.ended()
  }
  closed(cause: Parameters<TransportHandler['closed']>[0]): void {
    this.onGone?.()
    this.#gone()
    this.inner.closed(cause)
  }
}

/** A connection that is only waited for to end. */
class Closing implements TransportHandler {
  readonly #gone: () => void

  constructor(gone: () => void) {
    this.#gone = gone
  }
  data(): void {}
  drained(): void {}
  secured(): void {}
  ended(): void {}
  closed(): void {
    this.#gone()
  }
}
