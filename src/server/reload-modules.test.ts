/** LST-14: modules come, go and change by a reload, and a reload that fails leaves all as it was. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { opt } from '../core/config/opt.ts'
import { defineModule, type ModuleDefinition } from '../core/module.ts'
import { createServer } from '../index.ts'
import { SymbolicServer } from '../listeners/symbolic.testing.ts'
import { groundOf, listener, message } from './limits.testing.ts'
import { defaultModules } from './modules.ts'

const base = { hosts: ['localhost', 'second.example'], store: { engine: 'memory' }, listeners: [] }

declare module '../core/services.ts' {
  interface Services {
    well: { readonly depth: number }
  }
}

/** A module that gives water, one that needs it, one that can break; and what they tell. */
function modules(told: string[]) {
  const ends = (name: string) => () => void told.push(`${name} ends`)
  const well = defineModule({
    name: 'well',
    provides: ['well'],
    options: {
      depth: opt.int({ default: 1, description: 'Metres.' }),
      place: opt.string({ default: 'yard', reload: 'restart', description: 'Where it is.' }),
      rope: opt.object(
        { length: opt.int({ default: 2, description: 'Metres.' }), kind: fixedKind() },
        { description: 'Its rope.' },
      ),
    },
    setup(ctx) {
      const { options } = ctx
      const show = () => `${options.depth} ${options.place} ${options.rope.length} ${options.rope.kind}`
      ctx.provide('well', {
        get depth() {
          return options.depth
        },
      })
      told.push(`well ${show()}`)
      ctx.onReload(() => void told.push(`well now ${show()}`))
      ctx.onStop(ends('well'))
    },
  })
  const bucket = defineModule({
    name: 'bucket',
    needs: { well: 'hard' },
    setup(ctx) {
      told.push(`bucket of ${ctx.services.well.depth}`)
      ctx.onStop(ends('bucket'))
    },
  })
  const pump = defineModule({
    name: 'pump',
    options: { broken: opt.bool({ default: false, description: 'It breaks.' }) },
    setup({ options, onStop, onReload }) {
      if (options.broken) throw new Error('broken')
      told.push('pump')
      onReload(() => {
        throw new Error('it fails at a reload')
      })
      onStop(ends('pump'))
    },
  })
  return [well, bucket, pump] as unknown as readonly ModuleDefinition[]
}

const fixedKind = () => opt.string({ default: 'hemp', reload: 'restart', description: 'What it is made of.' })

const off = { well: false, bucket: false, pump: false }

it('modules come and go by a reload, those who need others behind and before them', async () => {
  const told: string[] = []
  const server = await createServer({ config: { ...base, modules: off }, plugins: modules(told) })
  try {
    assert.deepEqual(told, [])
    const both = { ...base, modules: { pump: false } }
    assert.deepEqual((await server.reload(both)).applied, ['modules.bucket', 'modules.well'])
    assert.deepEqual(told.splice(0), ['well 1 yard 2 hemp', 'bucket of 1'])
    await assert.rejects(server.reload({ ...base, modules: { pump: false, well: false } }), {
      code: 'RTK_MODULE_NEEDS',
      module: 'bucket',
    })
    assert.deepEqual(told, [])
    await server.reload({ ...base, modules: off })
    assert.deepEqual(told.splice(0), ['bucket ends', 'well ends'])
    assert.equal(server.modulesOf('default')?.names.includes('well'), false)
    // One that cannot be set up: what was loaded and unloaded with it is undone.
    await server.reload(both)
    told.length = 0
    const before = server.config
    await assert.rejects(server.reload({ ...base, modules: { bucket: false, pump: { broken: true } } }), {
      code: 'RTK_MODULE_SETUP',
      module: 'pump',
    })
    assert.deepEqual(told.splice(0), ['bucket ends', 'bucket of 1'])
    assert.equal(server.config, before)
    // A listener that cannot be opened undoes them too.
    const nowhere = [{ protocol: 'http', address: '192.0.2.1', port: 1 }]
    await assert.rejects(server.reload({ ...base, modules: { bucket: false }, listeners: nowhere }), {
      code: 'RTK_NET_ADDRESS_NOT_AVAILABLE',
    })
    assert.deepEqual(told, ['bucket ends', 'pump', 'pump ends', 'bucket of 1'])
    assert.equal(server.config, before)
    assert.deepEqual((await server.reload(both)).applied, [])
  } finally {
    await server.close()
  }
})

it('a module reads new values in its one object of options, and is told; what needs a restart stays as it was', async () => {
  const told: string[] = []
  const server = await createServer({ config: base, plugins: modules(told) })
  try {
    told.length = 0
    const well = { depth: 9, place: 'cellar', rope: { length: 30, kind: 'steel' } }
    const done = await server.reload({ ...base, modules: { well, pump: { broken: true } } })
    assert.deepEqual(done.applied, ['modules.pump.broken', 'modules.well.depth', 'modules.well.rope.length'])
    assert.deepEqual(done.needsRestart, ['modules.well.place', 'modules.well.rope.kind'])
    assert.deepEqual(told.splice(0), ['well now 9 yard 30 hemp'])
    assert.equal(server.core.hostType('default').services.find('well')?.depth, 9)
    // A reload of the module alone has them too.
    await server.modulesOf('default')?.reload('well')
    assert.deepEqual(told, ['bucket ends', 'well ends', 'well 9 yard 30 hemp', 'bucket of 9'])
  } finally {
    await server.close()
  }
})

it('a host that comes with a host type of its own is served with its modules', async () => {
  const told: string[] = []
  const config = { ...base, modules: off }
  const server = await createServer({ config, plugins: modules(told) })
  try {
    const more = { host_types: { farm: { modules: { well: { depth: 4 } } } }, auth: { scram_iterations: 4096 } }
    const hosts = { localhost: 'default', 'second.example': 'default', 'farm.example': 'farm' }
    const done = await server.reload({ ...config, ...more, hosts })
    assert.deepEqual(done.applied, ['auth.scram_iterations'])
    assert.deepEqual(done.hosts, { added: ['farm.example'], removed: [], sessionsEnded: 0 })
    assert.deepEqual(told, ['well 4 yard 2 hemp'])
    assert.equal(server.core.host('farm.example')?.type, 'farm')
    assert.equal(server.modulesOf('farm')?.names.includes('presence'), true)
    assert.deepEqual((await server.reload({ ...config, ...more, hosts })).applied, [])
  } finally {
    await server.close()
  }
  assert.deepEqual(told.at(-1), 'well ends')
})

it('a host whose domain a module has is refused, whether the module was there or comes with it', async () => {
  const inn = defineModule({
    name: 'inn',
    setup: ({ route }) => route('inn.example', { name: 'inn', receive: () => undefined }),
  }) as unknown as ModuleDefinition
  const config = { ...base, modules: { inn: false } }
  const server = await createServer({ config, plugins: [inn] })
  const both = { ...base, hosts: [...base.hosts, 'inn.example'] }
  try {
    await assert.rejects(server.reload(both), { code: 'RTK_HOST_TAKEN' })
    assert.equal(server.modulesOf('default')?.names.includes('inn'), false)
    await server.reload(base)
    await assert.rejects(server.reload(both), { code: 'RTK_HOST_TAKEN' })
    assert.deepEqual((await server.reload(config)).applied, ['modules.inn'])
    assert.deepEqual((await server.reload({ ...both, modules: { inn: false } })).hosts.added, ['inn.example'])
  } finally {
    await server.close()
  }
})

it('LST-14: sessions live through every module of ours going and coming, and have its feature again', () =>
  SymbolicServer.run({ listeners: [listener] }, async (symbolic) => {
    const ground = groundOf(symbolic, 'none')
    await ground.account('juliet')
    const [romeo, juliet] = [await ground.bound('romeo'), await ground.bound('juliet')]
    const befriend = async () => {
      romeo.says(`<presence type='subscribe' to='juliet@localhost'/>`)
      await ground.passes(100)
      juliet.says(`<presence type='subscribed' to='romeo@localhost'/>`)
      await romeo.hears(/<presence [^>]*from='juliet@localhost\/here'[^>]*>/)
    }
    for (const wire of [romeo, juliet]) wire.says('<presence/>')
    await befriend()
    const sessions = () => symbolic.server.core.sessions.ofAccount('localhost', 'juliet')
    const [before] = sessions()
    const off = (...names: readonly string[]) =>
      symbolic.reload({ listeners: [listener], modules: Object.fromEntries(names.map((name) => [name, false])) })
    const goings = [...defaultModules.map(({ name }) => (name === 'roster' ? ['roster', 'presence'] : [name]))]
    for (const [round, names] of [...goings, defaultModules.map(({ name }) => name)].entries()) {
      assert.equal((await off(...names)).applied.length, names.length)
      romeo.says(message('juliet@localhost/here', `without ${names} ${round}`))
      await juliet.hears(new RegExp(`without ${names} ${round}`))
      assert.equal((await off()).applied.length, names.length)
      romeo.says(message('juliet@localhost/here', `with ${names} ${round}`))
      await juliet.hears(new RegExp(`with ${names} ${round}`))
    }
    // Roster, presence and the rest are as they were to those who stayed.
    juliet.says('<presence><status>still here</status></presence>')
    await romeo.hears(/still here/)
    romeo.says(`<iq type='get' id='who'><query xmlns='jabber:iq:roster'/></iq>`)
    await romeo.hears(
      /<item [^>]*jid='juliet@localhost'[^>]*subscription='to'|subscription='to'[^>]*jid='juliet@localhost'/,
    )
    assert.equal(sessions()[0], before)
    juliet.closes()
    await romeo.hears(/<presence [^>]*type='unavailable'/)
    assert.equal(symbolic.counter('ratatosk_handler_faults_total'), 0)
  }))

it('a server that is closed in the middle of a reload stops the modules that come with it too', async () => {
  const told: string[] = []
  const entered = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const slow = defineModule({
    name: 'slow',
    options: { slowly: opt.bool({ default: false, description: 'It takes its time.' }) },
    async setup({ options, onStop }) {
      onStop(() => void told.push(options.slowly ? 'the slow one ends' : 'the quick one ends'))
      if (!options.slowly) return
      entered.resolve()
      await gate.promise
    },
  }) as unknown as ModuleDefinition
  const config = { ...base, hosts: ['localhost'] }
  const server = await createServer({ config, plugins: [slow] })
  const reloading = server.reload({
    ...config,
    host_types: { farm: { modules: { slow: { slowly: true } } } },
    hosts: { localhost: 'default', 'farm.example': 'farm' },
  })
  await entered.promise
  const closing = server.close()
  gate.resolve()
  await reloading
  await closing
  assert.deepEqual(told.sort(), ['the quick one ends', 'the slow one ends'])
})
