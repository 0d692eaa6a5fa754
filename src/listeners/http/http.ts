/** HTTP for health and whatever modules serve (DESIGN.md section 6). */
import { Hono } from 'hono'
import type { ListenerConfig } from '../../core/config/listener-section.ts'
import type { HttpRoute, HttpRoutes } from '../../core/http-routes.ts'
import { HttpDoor } from '../../world/http.ts'
import type { Log } from '../../world/log.types.ts'
import type { TlsServerContext, Transport, TransportHandler } from '../../world/net.types.ts'
import type { Accepted, Protocol } from '../acceptor.ts'

export interface HttpNeeds {
  readonly log: Log
  readonly routes: HttpRoutes
  tls(listener: ListenerConfig): TlsServerContext
}

export class HttpProtocol implements Protocol {
  readonly name = 'http'
  readonly #needs: HttpNeeds
  readonly #door: HttpDoor
  readonly #open = new Set<Transport>()
  #app: Hono | undefined
  #version = -1

  constructor(needs: HttpNeeds) {
    this.#needs = needs
    this.#door = new HttpDoor((request) => this.#serve(request))
  }

  accept({ transport, listener, refusal, early, left }: Accepted): TransportHandler {
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
      const inner = this.#door.accept(transport)
      if (early !== undefined) inner.data(early, 0, early.length)
      return new Watched(inner, leave)
    }
    const watched = new Watched(new Closing(() => undefined), leave)
    watched.onSecured = () => {
      watched.inner = this.#door.accept(transport)
    }
    if (early !== undefined) transport.unread(early)
    transport.startTlsServer(this.#needs.tls(listener))
    return watched
  }

  /** Ends the connections. */
  stop(): void {
    this.#door.close()
    for (const transport of this.#open) transport.close()
  }

  /** The routes as they are now; made anew when a module added or removed one. */
  #serve(request: Request): Response | Promise<Response> {
    const { routes } = this.#needs
    if (this.#app === undefined || this.#version !== routes.version) {
      this.#app = this.#build(routes.list)
      this.#version = routes.version
    }
    return this.#app.fetch(request)
  }

  #build(routes: readonly HttpRoute[]): Hono {
    const app = new Hono()
    for (const route of routes) {
      app.on(route.method, route.path, async ({ req }) => {
        const length = Number(req.header('content-length') ?? '0')
        const hasBody = length > 0 || req.header('transfer-encoding') !== undefined
        if (hasBody && !(length <= (route.bodyBytesMax ?? 0) && req.header('transfer-encoding') === undefined)) {
          return text(413, 'the request is too large')
        }
        const response = await route.handle(req.raw, req.param())
        if (route.cors === true) response.headers.set('access-control-allow-origin', '*')
        return response
      })
    }
    app.notFound(() => text(404, 'there is nothing here'))
    app.onError((error) => {
      this.#needs.log.error('an HTTP route failed', { code: 'RTK_HTTP_ROUTE', error })
      return text(500, 'the request could not be answered')
    })
    return app
  }
}

function text(status: number, body: string): Response {
  return new Response(`${body}\n`, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } })
}

/** Hands everything on and tells when the connection is gone. */
class Watched implements TransportHandler {
  inner: TransportHandler
  onSecured: (() => void) | undefined
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
