import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type HttpRoute, HttpRoutes } from './http-routes.ts'

const hosts: Readonly<Record<string, string>> = { 'a.example': 'one', 'b.example': 'two', 'c.example': 'three' }
const scope = (type: string) => ({ owns: (domain: string) => hosts[domain] === type })
const routeOf = (more: Partial<HttpRoute> = {}): HttpRoute => ({
  method: 'GET',
  path: '/x',
  handle: () => new Response(),
  ...more,
})

it('chooses the route of the host type whose host is asked for', () => {
  const routes = new HttpRoutes((domain) => domain in hosts)
  const [scopeOne, scopeTwo, one, two] = [scope('one'), scope('two'), routeOf(), routeOf()]
  const removeOne = routes.add(one, scopeOne)
  assert.equal(routes.choose(one, 'a.example'), one)
  // A host of ours without the module has nothing there; a name that is none of ours gets what there is.
  assert.equal(routes.choose(one, 'c.example'), undefined)
  assert.equal(routes.choose(one, '127.0.0.1'), one)
  routes.add(two, scopeTwo)
  assert.equal(routes.choose(one, 'b.example'), two)
  assert.equal(routes.choose(one, '127.0.0.1'), 'ambiguous')
  assert.equal(routes.choose(one, ''), 'ambiguous')
  const own = routeOf({ host: 'upload.example' })
  routes.add(own, scopeTwo)
  assert.equal(routes.choose(one, 'upload.example'), own)
  assert.equal(routes.size, 3)
  assert.equal(routes.points.length, 1)
  const { version } = routes
  removeOne()
  assert.notEqual(routes.version, version)
  assert.equal(routes.choose(one, 'a.example'), undefined)
  assert.equal(routes.choose(one, '127.0.0.1'), two)
})

it('refuses what cannot be told apart', () => {
  const routes = new HttpRoutes((domain) => domain in hosts)
  const scopeOne = scope('one')
  routes.add(routeOf(), scopeOne)
  const taken = { code: 'RTK_HTTP_ROUTE_TAKEN' }
  assert.throws(() => routes.add(routeOf(), scopeOne), taken)
  assert.throws(() => routes.add(routeOf()), taken)
  routes.add(routeOf({ host: 'u.example' }), scopeOne)
  assert.throws(() => routes.add(routeOf({ host: 'u.example' }), scope('two')), taken)
  routes.add(routeOf({ method: 'PUT' }))
  assert.throws(() => routes.add(routeOf({ method: 'PUT' }), scopeOne), taken)
})
