import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountEntry, ClientToken } from '../../core/auth.ts'
import { type CommandCaller, CommandError, CommandRegistry, type Json } from '../../core/commands.ts'
import { bench } from '../../core/core.testing.ts'
import type { Host } from '../../core/host.ts'
import type { Jid } from '../../jid/index.ts'
import { StreamError } from '../../stanza/error.ts'
import { WorldError } from '../../world/error.ts'
import { type CommandServices, coreCommands } from './index.ts'

/** Accounts in a map; an add takes a turn or two, and later ones may be ready earlier. */
class MapAccounts {
  readonly made = new Map<string, string>()
  atOnce = 0
  most = 0
  failsAt = Number.POSITIVE_INFINITY

  async add(jid: Jid, password: string): Promise<void> {
    this.most = Math.max(this.most, ++this.atOnce)
    for (let i = 0; i < ((this.made.size * 7) % 5) * 8; i++) await Promise.resolve()
    this.atOnce--
    if (this.made.size >= this.failsAt) throw new WorldError('RTK_STORE_DISK_FULL', 'no room', { temporary: true })
    if (this.made.has(`${jid}`)) throw new CommandError('RTK_ACCOUNT_EXISTS', `${jid} exists already`)
    this.made.set(`${jid}`, password)
  }
  setPassword(jid: Jid, password: string): Promise<void> {
    if (!this.made.has(`${jid}`)) throw new CommandError('RTK_ACCOUNT_UNKNOWN', `there is no account ${jid}`)
    this.made.set(`${jid}`, password)
    return Promise.resolve()
  }
  setState(): Promise<void> {
    return Promise.resolve()
  }
  remove(jid: Jid): Promise<void> {
    this.made.delete(`${jid}`)
    return Promise.resolve()
  }
  list(host: Host, after: string, limit: number): Promise<readonly AccountEntry[]> {
    const names = [...this.made.keys()]
      .filter((name) => name.endsWith(`@${host.domain}`))
      .map((name) => name.split('@')[0] ?? '')
    const page = names
      .sort()
      .filter((name) => name > after)
      .slice(0, limit)
    return Promise.resolve(page.map((local) => ({ local, state: 'active', origin: 'admin', created: new Date(0) })))
  }
  count(): Promise<number> {
    return Promise.resolve(this.made.size)
  }
  tokens(): Promise<readonly ClientToken[]> {
    return Promise.resolve([])
  }
  revokeTokens(): Promise<void> {
    return Promise.resolve()
  }
}

function stage() {
  const { core, clock, client } = bench(['localhost', 'b.example'])
  const accounts = new MapAccounts()
  const registry = new CommandRegistry()
  const closed: string[] = []
  const services: CommandServices = {
    core,
    accounts,
    stores: { state: { name: 'ready', code: '', text: '' } },
    listening: [{ name: 'c2s', protocol: 'c2s', tls: 'starttls', place: { kind: 'tcp', host: '::1', port: 5222 } }],
    upMs: 61_000.4,
    close: () => {
      closed.push('closed')
      return Promise.resolve()
    },
  }
  for (const command of coreCommands(services)) registry.add(command)
  const caller = (more: Partial<CommandCaller> = {}): CommandCaller => ({
    name: 'test',
    permits: () => true,
    signal: new AbortController().signal,
    ...more,
  })
  const call = (name: string, args: Json = {}, more: Partial<CommandCaller> = {}) =>
    registry.call(name, args, caller(more))
  const error = async (name: string, args: Json = {}) => {
    const outcome = await call(name, args)
    return outcome.ok ? 'ok' : outcome.error.code
  }
  return { core, clock, client, accounts, registry, closed, call, error }
}

async function* rowsOf(rows: readonly Json[]) {
  yield* rows
}

test('an account is made, its password set, and deleted', async () => {
  const { call, error, accounts } = stage()
  const added = await call('account add', { jid: 'Odin@localhost', password: 'one eye' })
  assert.deepEqual(added.result, [{ jid: 'odin@localhost', result: 'added', text: '' }])
  assert.equal(accounts.made.get('odin@localhost'), 'one eye')
  assert.equal(await error('account add', { jid: 'odin@localhost', password: 'x' }), 'RTK_ACCOUNT_EXISTS')
  assert.equal(await error('account add', { jid: 'odin@localhost' }), 'RTK_COMMAND_ARGUMENTS')
  assert.equal(await error('account add', { jid: 'odin@localhost/x', password: 'x' }), 'RTK_COMMAND_ARGUMENTS')
  await call('account passwd', { jid: 'odin@localhost', password: 'raven' })
  assert.equal(accounts.made.get('odin@localhost'), 'raven')
  assert.equal(await error('account passwd', { jid: 'loki@localhost', password: 'x' }), 'RTK_ACCOUNT_UNKNOWN')
  assert((await call('account delete', { jid: 'odin@localhost' })).ok)
  assert.equal(accounts.made.size, 0)
})

test('ten thousand accounts from rows, answered in their order, bad ones named', async () => {
  const { call, accounts } = stage()
  const input = Array.from({ length: 10_000 }, (_, i) => ({ jid: `u${i}@localhost`, password: `p${i}` }))
  input[3] = { jid: 'u0@localhost', password: 'again' }
  input[4] = { jid: 'not a jid', password: 'x' }
  const outcome = await call('account add', {}, { input: rowsOf(input) })
  assert(outcome.ok)
  assert.equal(outcome.rows, 10_000)
  assert.equal(outcome.failed, 2)
  assert.equal(accounts.made.size, 9_998)
  assert.equal(accounts.made.get('u9999@localhost'), 'p9999')
  assert(accounts.most > 1 && accounts.most <= 64)
  assert.deepEqual(
    outcome.result.slice(2, 6).map((row) => [row['jid'], row['result']]),
    [
      ['u2@localhost', 'added'],
      ['u0@localhost', 'RTK_ACCOUNT_EXISTS'],
      ['', 'RTK_COMMAND_ARGUMENTS'],
      ['u5@localhost', 'added'],
    ],
  )
})

test('a store that fails ends the whole', async () => {
  const { call, accounts } = stage()
  accounts.failsAt = 5
  const input = Array.from({ length: 1_000 }, (_, i) => ({ jid: `u${i}@localhost`, password: 'p' }))
  const outcome = await call('account add', {}, { input: rowsOf(input) })
  assert(!outcome.ok)
  assert.equal(outcome.error.code, 'RTK_STORE_DISK_FULL')
  assert.equal(accounts.made.size, 5)
})

test('accounts are listed by host, page by page', async () => {
  const { call, error, accounts } = stage()
  for (let i = 0; i < 1_200; i++) accounts.made.set(`u${String(i).padStart(4, '0')}@localhost`, '')
  accounts.made.set('thor@b.example', '')
  const all = await call('account list')
  assert.equal(all.result.length, 1_201)
  assert.equal(new Set(all.result.map((row) => row['jid'])).size, 1_201)
  const some = await call('account list', { host: 'b.example' })
  assert.deepEqual(some.result, [
    { jid: 'thor@b.example', state: 'active', origin: 'admin', created: '1970-01-01T00:00:00.000Z' },
  ])
  assert.equal(await error('account list', { host: 'c.example' }), 'RTK_HOST_UNKNOWN')
})

test('SM-02: sessions are listed with all that the table has of them, and kicked', async () => {
  const { call, error, client, core } = stage()
  const phone = client('odin@localhost/phone')
  const desk = client('odin@localhost/desk')
  client('thor@b.example/hammer')
  const all = await call('session list')
  assert.equal(all.result.length, 3)
  assert.deepEqual(all.result[0], {
    jid: 'odin@localhost/phone',
    created: new Date(phone.session.createdMs).toISOString(),
    address: '127.0.0.1',
    port: 50_000,
    transport: 'tcp',
    tls: '',
    auth: 'SCRAM-SHA-256',
    listener: 'test',
    resumed_from: '',
    available: false,
    priority: 0,
    received: 0,
    delivered: 0,
    waiting_since: '',
    unacknowledged: 0,
    unacknowledged_bytes: 0,
  })
  const jids = async (of: string) => (await call('session list', { of })).result.map((row) => row['jid'])
  assert.deepEqual(await jids('b.example'), ['thor@b.example/hammer'])
  assert.deepEqual(await jids('odin@localhost'), ['odin@localhost/phone', 'odin@localhost/desk'])
  assert.deepEqual(await jids('odin@localhost/desk'), ['odin@localhost/desk'])

  const dry = await call('session kick', { jid: 'odin@localhost' }, { dryRun: true })
  assert.equal(dry.result.length, 2)
  assert.equal(core.sessions.count(), 3)
  await call('session kick', { jid: 'odin@localhost/phone', reason: 'too loud' })
  assert(phone.link.closed instanceof StreamError)
  assert.equal(phone.link.closed.condition, 'policy-violation')
  assert.equal(phone.link.closed.text, 'too loud')
  assert.equal(desk.link.closed, undefined)
  assert.equal(core.sessions.count(), 2)
  assert.equal(await error('session kick', { jid: 'odin@localhost/phone' }), 'RTK_SESSION_UNKNOWN')
})

test('status, hosts and metrics', async () => {
  const { call, client } = stage()
  client('odin@localhost/phone')
  const { result } = await call('status')
  assert.deepEqual(result[0], {
    version: '0.1.0',
    up: 61_000,
    hosts: 2,
    sessions: 1,
    store: 'ready',
    store_text: '',
    listeners: ['c2s starttls [::1]:5222'],
  })
  assert.deepEqual((await call('host list')).result, [
    { host: 'localhost', type: 'default', sessions: 1 },
    { host: 'b.example', type: 'default', sessions: 0 },
  ])
  const metrics = await call('metrics list')
  assert.equal(metrics.result.find((row) => row['name'] === 'ratatosk_sessions')?.['value'], 1)
})

test('stop answers first and closes then', async () => {
  const { call, closed, clock } = stage()
  const { result } = await call('stop')
  assert.deepEqual(result, [{ result: 'stopping' }])
  assert.deepEqual(closed, [])
  clock.turn()
  assert.deepEqual(closed, ['closed'])
})
