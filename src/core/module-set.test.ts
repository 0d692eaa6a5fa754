/** Modules of a host type: order, reload, and that nothing of one outlives it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defineStore, openStores } from '../store/index.ts'
import { SimulatedEngine } from '../store/sim-engine.ts'
import { createWorld } from '../world/index.ts'
import { microtasksDone } from '../world/microtasks.ts'
import { CommandRegistry, defineCommand } from './commands.ts'
import { bench } from './core.testing.ts'
import { defineModule, type ModuleContext, type ModuleDefinition } from './module.ts'
import { ModuleSet } from './module-set.ts'

declare module './services.ts' {
  interface Services {
    spring: { readonly life: number }
    river: { readonly life: number }
  }
}

async function stage() {
  const world = createWorld()
  const stores = await openStores(world, new SimulatedEngine(world.clock))
  const { core, clock, client, log } = bench()
  const commands = new CommandRegistry()
  const setOf = (type: string) => new ModuleSet(core, core.hostType(type), stores, commands)
  const load = (set: ModuleSet, ...modules: readonly ModuleDefinition[]) =>
    set.load(modules.map((definition) => ({ definition, options: {} })))
  return { core, clock, client, log, commands, setOf, load, set: setOf('default') }
}

/** Counts its lives in the service that it provides; tells what happens. */
function providers(told: string[]) {
  let life = 0
  const spring = defineModule({
    name: 'spring',
    provides: ['spring'],
    setup(ctx) {
      life++
      told.push(`spring ${life}`)
      ctx.provide('spring', { life })
      ctx.onStop(() => void told.push('spring ends'))
    },
  })
  const river = defineModule({
    name: 'river',
    needs: { spring: 'hard' },
    provides: ['river'],
    setup(ctx) {
      told.push(`river of ${ctx.services.spring.life}`)
      ctx.provide('river', { life: ctx.services.spring.life })
      ctx.onStop(() => void told.push('river ends'))
    },
  })
  const bridge = defineModule({
    name: 'bridge',
    needs: { river: 'soft' },
    setup(ctx) {
      told.push(`bridge over ${ctx.services.river?.life ?? 'nothing'}`)
      ctx.onStop(() => void told.push('bridge ends'))
    },
  })
  return { spring, river, bridge }
}

describe('a reload', () => {
  it('takes those who use the services down first, and brings them up behind', async () => {
    const { set, load } = await stage()
    const told: string[] = []
    const { spring, river, bridge } = providers(told)
    await load(set, bridge, river, spring)
    assert.deepEqual(told.splice(0), ['spring 1', 'river of 1', 'bridge over 1'])
    await set.reload('spring')
    assert.deepEqual(told.splice(0), [
      'bridge ends',
      'river ends',
      'spring ends',
      'spring 2',
      'river of 2',
      'bridge over 2',
    ])
    await set.reload('bridge')
    assert.deepEqual(told.splice(0), ['bridge ends', 'bridge over 2'])
    await set.unloadAll()
    assert.deepEqual(told, ['bridge ends', 'river ends', 'spring ends'])
  })

  it('refuses to unload what is needed, and lets go of what can be missed', async () => {
    const { set, load } = await stage()
    const told: string[] = []
    const { spring, river, bridge } = providers(told)
    await load(set, spring, river, bridge)
    await assert.rejects(set.unload('spring'), { code: 'RTK_MODULE_NEEDED', message: /needed by river$/ })
    told.length = 0
    await set.unload('river')
    assert.deepEqual(told, ['bridge ends', 'river ends', 'bridge over nothing'])
    await set.unload('spring')
    assert.deepEqual(set.names, ['bridge'])
  })

  it('keeps a module whose user fails without it', async () => {
    const { set, load } = await stage()
    const { spring, river } = providers([])
    const moody = defineModule({
      name: 'moody',
      needs: { river: 'soft' },
      setup(ctx) {
        if (ctx.services.river === undefined) throw new Error('no river')
      },
    })
    await load(set, spring, river, moody)
    await assert.rejects(set.unload('river'), { code: 'RTK_MODULE_SETUP', module: 'moody' })
    assert.deepEqual(set.names, ['spring', 'river', 'moody'])
  })

  it('sets those up again that did without a service which comes, and knows them as its users from then on', async () => {
    const { set, load } = await stage()
    const told: string[] = []
    const { spring, river, bridge } = providers(told)
    await load(set, bridge)
    await load(set, spring, river)
    assert.deepEqual(told.splice(0), ['bridge over nothing', 'spring 1', 'river of 1', 'bridge ends', 'bridge over 1'])
    await set.unload('river')
    assert.deepEqual(told.splice(0), ['bridge ends', 'river ends', 'bridge over nothing'])
    assert.deepEqual(set.names, ['spring', 'bridge'])
    // What comes with one that fails goes again, and nobody keeps its services.
    const broken = defineModule({
      name: 'broken',
      needs: { river: 'hard' },
      setup() {
        throw new Error('broken')
      },
    })
    await assert.rejects(load(set, broken, river), { code: 'RTK_MODULE_SETUP', module: 'broken' })
    assert.deepEqual(told, ['river of 1', 'river ends', 'bridge ends', 'bridge over nothing'])
    assert.deepEqual(set.names, ['spring', 'bridge'])
  })

  it('gives a running module other options in the object that it has, and tells it', async () => {
    const { set } = await stage()
    const told: unknown[] = []
    const mill = defineModule({
      name: 'mill',
      setup(ctx) {
        const options = ctx.options as { readonly stones?: number }
        ctx.onReload(() => void told.push(options.stones))
        ctx.onReload(() => {
          throw new Error('one that fails keeps nobody from hearing')
        })
        ctx.onReload(() => void told.push('heard'))
      },
    })
    await set.load([{ definition: mill as unknown as ModuleDefinition, options: { stones: 1 } }])
    set.configure('mill', { stones: 2 })
    assert.deepEqual(told.splice(0), [2, 'heard'])
    assert.deepEqual(set.options('mill'), { stones: 2 })
    await set.unload('mill')
    set.configure('mill', { stones: 3 })
    assert.deepEqual(told, [])
  })

  it('names the modules that cannot even come back as they were', async () => {
    const { set, load } = await stage()
    let isBroken = false
    const fragile = defineModule({
      name: 'fragile',
      setup() {
        if (isBroken) throw new Error('broken')
      },
    })
    await load(set, fragile)
    isBroken = true
    await assert.rejects(set.reload('fragile'), { code: 'RTK_MODULE_SETUP', message: /are down now: fragile$/ })
    assert.deepEqual(set.names, [])
    await assert.rejects(set.reload('fragile'), { code: 'RTK_MODULE_NEEDS', message: /is not loaded/ })
  })

  it('keeps the order of handlers', async () => {
    const { core, set, load } = await stage()
    const listening = (name: string) => defineModule({ name, setup: (ctx) => ctx.on('session:bound', () => undefined) })
    await load(set, listening('a'), listening('b'), listening('c'))
    await set.reload('a')
    const order = core.hostType('default').hooks.describe()
    assert.deepEqual(order.find(({ hook }) => hook === 'session:bound')?.modules, ['a', 'b', 'c'])
  })

  it('does not disturb a filter that waits meanwhile', async () => {
    const { client, set, load } = await stage()
    const passed: string[] = []
    const gate = Promise.withResolvers<undefined>()
    const waits = defineModule({
      name: 'waits',
      setup: (ctx) =>
        ctx.on('stanza:sent', () => {
          passed.push('waits')
          return gate.promise
        }),
    })
    const next = (name: string) =>
      defineModule({
        name,
        setup: (ctx) =>
          ctx.on('stanza:sent', () => {
            passed.push(name)
            return undefined
          }),
      })
    await load(set, waits, next('first'), next('second'))
    const romeo = client('romeo@montague.net/r')
    romeo.send(`<message to='romeo@montague.net/r' id='1'/>`)
    await set.reload('waits')
    await set.unload('first')
    gate.resolve(undefined)
    while (romeo.link.written.length === 0) await Promise.resolve()
    // The stanza went the way that it had begun.
    assert.deepEqual(passed, ['waits', 'first', 'second'])
  })
})

describe('what a module leaves', () => {
  it('is no timer', async () => {
    const { clock, set, load } = await stage()
    let rung = 0
    const alarm = defineModule({
      name: 'alarm',
      setup(ctx) {
        ctx.clock.after(10, () => rung++, undefined)
        ctx.clock.after(20, () => rung++, undefined).cancel()
        ctx.clock.after(1_000, () => rung++, undefined)
      },
    })
    await load(set, alarm)
    assert.equal(clock.pending, 2)
    clock.advance(10)
    assert.equal(rung, 1)
    await set.unload('alarm')
    assert.equal(clock.pending, 0)
    clock.advance(10_000)
    assert.equal(rung, 1)
  })

  it('is no handler that it registers too late', async () => {
    const { core, set, load } = await stage()
    let kept: ModuleContext | undefined
    await load(
      set,
      defineModule({
        name: 'late',
        setup: (ctx) => {
          kept = ctx
        },
      }),
    )
    const before = core.hostType('default').hooks.size
    await set.unload('late')
    assert.throws(() => kept?.on('session:bound', () => undefined), { code: 'RTK_MODULE_STOPPED' })
    assert.throws(() => kept?.gauge('a', 'A', () => 1), { code: 'RTK_MODULE_STOPPED' })
    assert.equal(core.hostType('default').hooks.size, before)
    assert.equal(core.metrics.value('ratatosk_late_a'), 0)
  })
})

describe('modules that want the same', () => {
  const definition = { name: 'nuts', migrations: [], operations: {} } as const

  it('share a store over host types when it is one definition, and only then', async () => {
    const { setOf, load } = await stage()
    const shared = defineStore(definition)
    const good = defineModule({ name: 'good', setup: async (ctx) => void (await ctx.store(shared)) })
    const [one, two] = [setOf('one'), setOf('two')]
    await load(one, good)
    await load(two, good)
    const thief = defineModule({
      name: 'thief',
      setup: async (ctx) => void (await ctx.store(defineStore({ ...definition }))),
    })
    await assert.rejects(load(one, thief), /the store 'nuts' belongs to module good, so module thief cannot/)
    await one.unload('good')
    await assert.rejects(load(one, thief), /belongs to module good/)
    await two.unload('good')
    await load(one, thief)
    await assert.rejects(load(two, thief), /define it once, at the top of the file/)
  })

  it('are told which command, request, service or route is taken', async () => {
    const { set, load } = await stage()
    const command = defineCommand({
      name: 'tree climb',
      summary: 'Climbs.',
      permission: 'tree:climb',
      args: {},
      result: {},
      run: () => undefined,
    })
    const rivals: readonly (readonly [(ctx: ModuleContext) => void, RegExp])[] = [
      [(ctx) => ctx.command(command), /'tree climb' is taken by first/],
      [(ctx) => ctx.iq.get({ name: 'a', ns: 'b' }, () => undefined), /is answered by first/],
      [(ctx) => ctx.provide('spring', { life: 1 }), /is provided by first/],
      [(ctx) => ctx.http({ method: 'GET', path: '/a', handle: () => new Response() }), /GET \/a is taken/],
      [(ctx) => ctx.route('tree.montague.net', { name: 'tree', receive: () => undefined }), /tree\.montague\.net/],
    ]
    for (const [register, expected] of rivals) {
      const named = (name: string) => defineModule({ name, setup: (ctx) => register(ctx as unknown as ModuleContext) })
      await load(set, named('first'))
      await assert.rejects(load(set, named('second')), expected)
      assert.deepEqual(set.names, ['first'])
      await set.unload('first')
    }
  })
})

describe('what modules have under way', () => {
  const busy = (name: string, count: () => number) =>
    defineModule({ name, setup: (ctx) => ctx.underWay(count) }) as unknown as ModuleDefinition

  it('is waited for until none of them has anything', async () => {
    const { clock, set, load } = await stage()
    const left = { one: 1, two: 2 }
    await load(
      set,
      busy('first', () => left.one),
      busy('second', () => left.two),
    )
    let isSettled = false
    const settled = set.settled().then(() => {
      isSettled = true
    })
    const passes = async () => {
      clock.advance(100)
      await microtasksDone()
      return isSettled
    }
    assert.equal(await passes(), false)
    left.one = 0
    assert.equal(await passes(), false)
    left.two = 0
    assert.equal(await passes(), true)
    await settled
  })

  it('is given up after hook_timeout, counted and logged; with the module goes what it counts', async () => {
    const { core, clock, log, set, load } = await stage()
    await load(
      set,
      busy('never', () => 1),
    )
    const settled = set.settled()
    clock.advance(core.limits.hookTimeoutMs)
    await settled
    assert.equal(core.metrics.value('ratatosk_hook_timeouts_total'), 1)
    assert.deepEqual(
      log.lines.map(({ level, fields }) => [level, fields['code'], fields['hostType']]),
      [['warn', 'RTK_MODULE_UNDER_WAY', 'default']],
    )
    await set.unloadAll()
    await set.settled()
    assert.equal(core.hostType('default').underWay.count, 0)
    assert.equal(log.lines.length, 1)
  })

  it('a count that fails holds nobody up', async () => {
    const { log, set, load } = await stage()
    const fails = () => {
      throw new Error('lost count')
    }
    await load(set, busy('broken', fails))
    await set.settled()
    assert.deepEqual(
      log.lines.map(({ fields }) => fields['code']),
      ['RTK_MODULE_UNDER_WAY'],
    )
  })
})
