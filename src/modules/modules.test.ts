/** What all default modules have in common: claims, options, account data, and what they cost a message. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Handler, Hooks } from '../core/hooks.ts'
import { defineModule, type ModuleContext, type ModuleDefinition } from '../core/module.ts'
import type { StoreDefinition } from '../store/define.ts'
import { defineStore, text, write } from '../store/define.ts'
import { House, testedModules } from './modules.testing.ts'

describe('claims', () => {
  const claims = testedModules.flatMap((module) =>
    (module.xeps ?? []).map((claim) => ({ module: module.name, ...claim })),
  )

  it('name a XEP, a version and a status; what is partial says what', () => {
    assert.ok(claims.length > 0)
    for (const claim of claims) {
      assert.ok(Number.isInteger(claim.xep) && claim.xep > 0 && claim.xep < 10_000, JSON.stringify(claim))
      assert.match(claim.version, /^\d+\.\d+(\.\d+)?$/, JSON.stringify(claim))
      assert.ok(claim.status === 'complete' || (claim.note ?? '') !== '', JSON.stringify(claim))
    }
  })

  it('no two modules claim the same', () => {
    const xeps = claims.map((claim) => claim.xep)
    assert.deepEqual(xeps, [...new Set(xeps)])
    const names = testedModules.map((module) => module.name)
    assert.deepEqual(names, [...new Set(names)])
    for (const name of names) assert.match(name, /^[a-z][a-z0-9]*$/)
  })

  it('every option has a sentence', () => {
    for (const module of testedModules) {
      for (const [name, option] of Object.entries(module.options ?? {})) {
        assert.match(option.description, /^[A-Z].*\.$/, `${module.name}.${name}`)
        assert.equal(option.required, false, `${module.name}.${name} has a default`)
      }
    }
  })
})

/** Hooks that a module with data of an account must answer. */
const accountHooks = ['account:export', 'account:import', 'account:delete'] as const

function keepsAccountData(definition: StoreDefinition): boolean {
  const sql = definition.migrations.flatMap((migration) =>
    migration.up.flatMap((one) => (typeof one === 'string' ? [one] : [one.sqlite])),
  )
  return sql.some((one) => /create table/i.test(one) && /\bhost\b/.test(one) && /\blocal\b/.test(one))
}

/** What is missing, by module: the rule of DESIGN.md section 6. */
async function missingHooks(
  modules: readonly ModuleDefinition[],
): Promise<Readonly<Record<string, readonly string[]>>> {
  const missing: Record<string, string[]> = {}
  const watched = modules.map(
    (definition): ModuleDefinition => ({
      ...definition,
      async setup(ctx: ModuleContext) {
        const answered = new Set<string>()
        let keeps = false
        await definition.setup({
          ...ctx,
          options: ctx.options,
          services: ctx.services,
          on<Name extends keyof Hooks>(
            name: Name,
            handler: Handler<Hooks[Name]>,
            options?: Parameters<ModuleContext['on']>[2],
          ) {
            answered.add(name)
            ctx.on(name, handler, options)
          },
          store(store) {
            if (keepsAccountData(store)) keeps = true
            return ctx.store(store)
          },
        })
        const without = accountHooks.filter((name) => !answered.has(name))
        if (keeps && without.length > 0) missing[definition.name] = without
      },
    }),
  )
  await House.build({ modules: watched })
  return missing
}

describe('data of accounts', () => {
  it('every module that keeps some answers export, import and deletion', async () => {
    assert.deepEqual(await missingHooks(testedModules), {})
  })

  it('and one that does not is found', async () => {
    const store = defineStore({
      name: 'forgetful',
      migrations: [
        { version: 1, name: 'notes', up: ['create table forgetful_note (host text not null, local text not null)'] },
      ],
      operations: { add: write({ host: text, local: text }, ['insert into forgetful_note values (:host, :local)']) },
    })
    const forgetful = defineModule({
      name: 'forgetful',
      async setup(ctx) {
        await ctx.store(store)
        ctx.on('account:delete', () => undefined)
      },
    }) as unknown as ModuleDefinition
    assert.deepEqual(await missingHooks([forgetful]), { forgetful: ['account:export', 'account:import'] })
  })
})

describe('the hot path', () => {
  it('a chat message between two clients calls no handler of any module', async () => {
    const house = await House.build()
    const type = house.core.hostType('default')
    const called: string[] = []
    for (const point of [type.sent, type.route, type.inbound, type.eligible, type.deliver, type.outcome]) {
      for (const entry of point.message) {
        // Those that are there want a payload that a plain message does not have, or have no business with these two.
        const { wants, concerns } = entry
        assert.ok(wants !== undefined || concerns !== undefined, `${entry.module} looks at all of them (${point.name})`)
        const asked = wants?.map((want) => want.name).join() ?? 'some accounts'
        called.push(`${point.name} ${entry.module} ${asked}`)
      }
    }
    assert.deepEqual(called, [
      'stanza:sent privacy some accounts',
      'stanza:inbound privacy some accounts',
      'stanza:inbound carbons received,sent',
      'stanza:inbound offline delay',
      'session:eligible privacy some accounts',
    ])
    const one = await house.online('romeo@montague.net/one')
    const two = await house.online('juliet@capulet.com/two')
    const [from, to] = [one.session.jid, two.session.jid.bare]
    for (const point of [type.sent, type.inbound, type.eligible]) {
      for (const entry of point.message) assert.notEqual(entry.concerns?.(from, to), true, entry.module)
    }
    const timers = house.clock.pending
    one.send(`<message to='juliet@capulet.com' type='chat' id='1'><body>hi</body></message>`)
    assert.equal(two.link.written.length, 1, 'delivered within the call')
    assert.equal(house.clock.pending, timers, 'no timer')
  })

  it('presence of somebody whose roster is known waits for nothing', async () => {
    const house = await House.build()
    const one = await house.online('romeo@montague.net/one')
    one.send('<presence><show>away</show></presence>')
    assert.equal(one.link.written.length, 1, 'delivered within the call')
  })
})

describe('reloading', () => {
  it('leaves as many handlers as before, and everything works', async () => {
    const house = await House.build()
    const { hooks } = house.core.hostType('default')
    const before = hooks.size
    for (const name of testedModules.map((module) => module.name).reverse())
      await house.wait(house.modules.reload(name))
    assert.equal(hooks.size, before)
    const one = await house.online('romeo@montague.net/one')
    one.send(`<message to='juliet@capulet.com' type='chat'><body>x</body></message>`)
    await house.settle()
    const two = await house.online('juliet@capulet.com/two')
    assert.ok(two.session.isAvailable)
    assert.equal(house.core.metrics.value('ratatosk_offline_handed_total'), 1)
  })
})
