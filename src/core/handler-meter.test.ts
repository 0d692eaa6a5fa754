import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bench } from './core.testing.ts'
import { HandlerMeter, HandlerWatch, type Measured } from './handler-meter.ts'
import { HookTable } from './hook-table.ts'

/** Time that passes when a handler says so. */
function hands() {
  let ms = 0
  return {
    now: () => ms,
    pass: (by: number) => {
      ms += by
    },
  }
}

describe('the cost of handlers', () => {
  it('counts a handler for itself, without those that it calls, and those that throw', () => {
    const { now, pass } = hands()
    const meter = new HandlerMeter(now)
    const inner = meter.wrap('roster', () => pass(5))
    const outer = meter.wrap('presence', (given: number) => {
      pass(1)
      inner()
      pass(2)
      inner()
      return given
    })
    const faulty = meter.wrap('faulty', () => {
      pass(7)
      throw new Error('a fault of the test')
    })
    assert.equal(outer(3), 3)
    assert.throws(faulty, /a fault of the test/)
    outer(4)
    assert.deepEqual(
      [...meter.costs],
      [
        ['roster', { calls: 4, ms: 20 }],
        ['presence', { calls: 2, ms: 6 }],
        ['faulty', { calls: 1, ms: 7 }],
      ],
    )
  })

  it('is taken only while somebody watches: the handlers themselves stand in the tables before and after', () => {
    const { now, pass } = hands()
    const watch = new HandlerWatch(now)
    const hooks = new HookTable(() => assert.fail())
    watch.enter(hooks)
    const bound = () => pass(3)
    hooks.on('session:bound', 'roster', bound)
    const point = hooks.point('session:bound')
    const handlers = () => point.all.map((entry) => entry.handler)
    const session = {} as never
    hooks.notice('session:bound', session)
    assert.deepEqual(handlers(), [bound])
    assert.equal(point.all, point.registered)

    const ends = [watch.watch(), watch.watch()]
    assert.notEqual(handlers()[0], bound)
    hooks.notice('session:bound', session)
    // One that comes, and one that goes, while it is watched.
    const remove = hooks.on('session:bound', 'late', () => pass(10), { phase: 'late' })
    hooks.notice('session:bound', session)
    remove()
    hooks.notice('session:bound', session)
    for (const end of ends) {
      end()
      end()
    }
    assert.deepEqual(handlers(), [bound])
    hooks.notice('session:bound', session)
    assert.deepEqual(Object.fromEntries(watch.costs()), {
      roster: { calls: 3, ms: 9 },
      late: { calls: 1, ms: 10 },
    })
  })

  it('reaches host types that come while it is watched', () => {
    const watch = new HandlerWatch(() => 0)
    const told: string[] = []
    const measured = (name: string): Measured => ({
      measure: (meter) => told.push(`${name} ${meter === undefined ? 'plain' : 'measured'}`),
    })
    watch.enter(measured('one'))
    const end = watch.watch()
    watch.enter(measured('two'))
    end()
    assert.deepEqual(told, ['one measured', 'two measured', 'one plain', 'two plain'])
  })

  it('counts handlers of requests', () => {
    const { core, client } = bench(['localhost'])
    const { iq } = core.hostType('default')
    const add = (name: string, module: string) =>
      iq.add('get', { name, ns: 'urn:x' }, 'host', {
        module,
        handler: () => undefined,
        concurrent: false,
        hidesAccounts: false,
      })
    add('before', 'one')
    const end = core.handlers.watch()
    const remove = add('meanwhile', 'two')
    const romeo = client('romeo@localhost/orchard')
    const asks = (name: string) =>
      romeo.send(`<iq type='get' id='${name}' to='localhost'><${name} xmlns='urn:x'/></iq>`)
    for (const name of ['before', 'meanwhile', 'before']) asks(name)
    remove()
    assert.equal(iq.find('get', 'meanwhile', 'urn:x', 'host'), undefined)
    end()
    asks('before')
    const calls = [...core.handlers.costs()].map(([module, cost]) => [module, cost.calls])
    assert.deepEqual(Object.fromEntries(calls), { one: 2, two: 1 })
  })
})
