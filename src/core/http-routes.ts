/** HTTP routes of modules and of the core; the HTTP listener serves them (DESIGN.md section 6). Health is the first user. */

export interface HttpRoute {
  readonly method: 'DELETE' | 'GET' | 'POST' | 'PUT'
  /** Path, from the root; `:name` parts are parameters. */
  readonly path: string
  /** Name of an access rule; undefined: everybody who reaches the listener. */
  readonly access?: string
  /** True: any origin may read the answer (CORS). */
  readonly cors?: boolean
  /** Bytes that a request body may have. Default 0: none. */
  readonly bodyBytesMax?: number
  handle(request: Request, params: Readonly<Record<string, string>>): Response | Promise<Response>
}

export class HttpRoutes {
  readonly #routes: HttpRoute[] = []
  #version = 0

  /** Throws when method and path are taken. Returns the removal. */
  add(route: HttpRoute): () => void {
    if (this.#routes.some((other) => other.method === route.method && other.path === route.path)) {
      throw new Error(`the HTTP route ${route.method} ${route.path} is taken`)
    }
    this.#routes.push(route)
    this.#version++
    return () => {
      const index = this.#routes.indexOf(route)
      if (index < 0) return
      this.#routes.splice(index, 1)
      this.#version++
    }
  }

  get list(): readonly HttpRoute[] {
    return this.#routes
  }

  /** Changes with every change of the list. */
  get version(): number {
    return this.#version
  }
}
