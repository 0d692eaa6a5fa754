/** HTTP routes of modules and of the core; the HTTP listener serves them (DESIGN.md section 6). Health is the first user. */
import type { AccessRule } from './access.ts'

export interface HttpRoute {
  /** GET answers HEAD too. OPTIONS takes the place of the answer to CORS preflights of its path. */
  readonly method: 'DELETE' | 'GET' | 'OPTIONS' | 'POST' | 'PUT'
  /** Path, from the root; `:name` parts are parameters. */
  readonly path: string
  /** The only domain (the request's Host) that it is for, canonical. Default: the hosts of the module's host type. */
  readonly host?: string
  /** Who may ask, by address; others get 403. Default: everybody who reaches the listener. */
  readonly access?: AccessRule
  /** True: pages of any origin may ask (CORS). */
  readonly cors?: boolean
  /** Bytes that a request body may have; more get 413. Default 0: none. */
  readonly bodyBytesMax?: number
  handle(request: Request, params: Readonly<Record<string, string>>): Response | Promise<Response>
}

/** Where a route of a module counts: a module is set up once a host type and adds its routes each time. */
export interface HttpScope {
  owns(domain: string): boolean
}

interface Entry {
  readonly route: HttpRoute
  readonly scope: HttpScope | undefined
}

/** All routes of one method and path: one for each host or host type. */
export interface HttpPoint {
  readonly method: HttpRoute['method']
  readonly path: string
}

/** Routes that cannot be told apart. */
export class HttpRouteTaken extends Error {
  readonly code = 'RTK_HTTP_ROUTE_TAKEN'

  constructor(route: HttpRoute) {
    super(`the HTTP route ${route.method} ${route.path} is taken`)
    this.name = 'HttpRouteTaken'
  }
}

export class HttpRoutes {
  readonly #isLocal: (domain: string) => boolean
  readonly #points = new Map<string, Entry[]>()
  #version = 0

  /** `isLocal` tells whether a domain is one of the server's hosts. */
  constructor(isLocal: (domain: string) => boolean) {
    this.#isLocal = isLocal
  }

  /** Throws `HttpRouteTaken`. Without a scope the route is for every Host. Returns the removal. */
  add(route: HttpRoute, scope?: HttpScope): () => void {
    const key = `${route.method} ${route.path}`
    const entries = this.#points.get(key) ?? []
    if (entries.some((other) => isSame(other, route, scope))) throw new HttpRouteTaken(route)
    const entry: Entry = { route, scope }
    this.#points.set(key, [...entries, entry])
    this.#version++
    return () => {
      const rest = (this.#points.get(key) ?? []).filter((other) => other !== entry)
      if (rest.length === 0) this.#points.delete(key)
      else this.#points.set(key, rest)
      this.#version++
    }
  }

  /** One for each method and path. */
  get points(): readonly HttpPoint[] {
    return [...this.#points.values()].flatMap(([first]) => (first === undefined ? [] : [first.route]))
  }

  /** Number of routes: a reload must leave it as it was. */
  get size(): number {
    let size = 0
    for (const entries of this.#points.values()) size += entries.length
    return size
  }

  /**
   * The route for a request's Host, canonical and without its port; '' when it names none. A Host that is none of ours
   * (an address, a balancer's name) gets the one route that there is; `ambiguous` when there are several.
   */
  choose(point: HttpPoint, domain: string): HttpRoute | 'ambiguous' | undefined {
    const entries = this.#points.get(`${point.method} ${point.path}`) ?? []
    const own = entries.find(({ route }) => route.host !== undefined && route.host === domain)
    if (own !== undefined) return own.route
    const shared = entries.filter(({ route }) => route.host === undefined)
    const [first, second] = shared
    if (first === undefined || first.scope === undefined) return first?.route
    if (this.#isLocal(domain)) return shared.find(({ scope }) => scope?.owns(domain) === true)?.route
    return second === undefined ? first.route : 'ambiguous'
  }

  /** Changes with every change of the list. */
  get version(): number {
    return this.#version
  }
}

function isSame(other: Entry, route: HttpRoute, scope: HttpScope | undefined): boolean {
  if (other.route.host !== undefined || route.host !== undefined) return other.route.host === route.host
  return scope === undefined || other.scope === undefined || other.scope === scope
}
