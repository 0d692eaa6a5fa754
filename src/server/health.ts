/** Health and readiness for balancers and supervisors. */
import type { HttpRoute } from '../core/http-routes.ts'
import type { Stores } from '../store/index.ts'

export interface HealthSource {
  readonly isClosing: boolean
  readonly stores: Pick<Stores, 'state'>
}

function answer(status: number, body: Readonly<Record<string, string>>): Response {
  return new Response(`${JSON.stringify(body)}\n`, { status, headers: { 'content-type': 'application/json' } })
}

/**
 * `/health`: the process lives. `/ready`: it takes clients, which needs its store; `OPTIONS /`, which haproxy asks when it
 * is told nothing but `option httpchk`, means the same.
 */
export function health(server: HealthSource): readonly HttpRoute[] {
  const ready = () => readiness(server)
  return [
    { method: 'GET', path: '/health', handle: () => answer(200, { status: 'ok' }) },
    { method: 'GET', path: '/ready', handle: ready },
    { method: 'OPTIONS', path: '/', handle: ready },
  ]
}

function readiness(server: HealthSource): Response {
  if (server.isClosing) return answer(503, { status: 'stopping' })
  const { name } = server.stores.state
  if (name === 'ready') return answer(200, { status: 'ok' })
  // Who has an account signs in and talks; only what would be kept is refused.
  return answer(name === 'full' ? 200 : 503, { status: 'store', store: name })
}
