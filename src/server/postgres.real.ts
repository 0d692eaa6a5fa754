// needs: postgresql
/**
 * A whole server over a PostgreSQL that stops in mid-load, SIGSTOP to all its processes (DESIGN.md section 9: a slow or
 * absent database degrades by name, never by freezing the loop).
 */
import assert from 'node:assert/strict'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { after, test } from 'node:test'
import { Place } from '../../tools/real/foreign.ts'
import { RealPostgres } from '../../tools/real/postgres.ts'
import { stateIs } from '../store/contract/harness.test.ts'
import { defineStore, integer, many, write } from '../store/define.ts'
import { startTestServer, type TestClient } from '../test.ts'
import { createWorld } from '../world/index.ts'

const place = new Place('stopped')
const postgres = await RealPostgres.start(place)
after(async () => {
  await postgres.stop()
  await place[Symbol.asyncDispose]()
})

const { clock } = createWorld()
const passes = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve, undefined))

const bricks = defineStore({
  name: 'brick',
  migrations: [{ version: 1, name: 'first', up: ['create table brick (id bigint primary key)'] }],
  operations: {
    put: write({ id: integer }, ['insert into brick (id) values (:id)']),
    ids: many({}, { id: integer }, 'select id from brick', { maxRows: 200_000 }),
  },
})

/** `store_queue_operations`. */
const QUEUE = 65_536

const message = (to: string, id: string) => `<message to='${to}' id='${id}' type='chat'><body>${id}</body></message>`
const isMessage = (id: string) => (el: { name: string; attr(name: string): string | undefined }) =>
  el.name === 'message' && el.attr('id') === id

async function online(client: TestClient): Promise<TestClient> {
  await client.request(`<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>`)
  client.send('<presence/>')
  await client.receive((el) => el.name === 'presence')
  return client
}

/** Messages one after the other, each awaited, until `ended` says so. Answers how many. */
async function chat(from: TestClient, to: TestClient, ended: () => boolean): Promise<number> {
  let count = 0
  while (!ended()) {
    const id = `chat${count++}`
    from.send(message(to.jid, id))
    await to.receive(isMessage(id))
    await passes(2)
  }
  return count
}

test('SIGSTOP of PostgreSQL under load: chat goes on, sign-ins are refused for now, the queue has an end, all kept is there', async () => {
  const url = postgres.url(await postgres.database())
  const name = (local: string) => `${local}@example.org`
  const names = ['romeo', 'juliet', 'benvolio', 'mercutio', 'tybalt']
  await using server = await startTestServer({
    accounts: Object.fromEntries(names.map((local) => [name(local), 'secret'])),
    config: { store: { engine: 'postgres', url, password: postgres.password } },
  })
  const { stores } = server.server
  const store = await stores.open(bricks)
  const [romeo, juliet, benvolio] = await Promise.all(
    ['romeo', 'juliet', 'benvolio'].map(async (local) => online(await server.connect(`${name(local)}/here`))),
  )
  assert.ok(romeo && juliet && benvolio)

  const kept: number[] = []
  const codes = new Map<string, number>()
  let next = 0
  const put = () => {
    const id = next++
    store.put({ id }).then(
      () => kept.push(id),
      ({ code }: { code: string }) => codes.set(code, (codes.get(code) ?? 0) + 1),
    )
  }
  for (let i = 0; i < 2000; i++) put()
  // In the middle of that load:
  await passes(20)
  const stalled = stateIs(stores, 'stalled')
  postgres.signalAll('SIGSTOP')
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  let isOver = false
  const chatting = chat(romeo, juliet, () => isOver)
  const signIn = server.connect(`${name('tybalt')}/here`).then(
    () => 'signed in',
    (error: Error) => error.message,
  )
  const waiting = Array.from({ length: 50 }, (_, index) => `wait${index}`)
  for (const id of waiting) benvolio.send(message(name('mercutio'), id))
  // Twice as much as the queue takes, at a pace at which a server could be asked.
  let most = 0
  for (let i = 0; i < 2 * QUEUE; i++) {
    put()
    if (i % 200 !== 199) continue
    most = Math.max(most, stores.metrics.queueOperations)
    await passes(5)
  }
  assert.equal(most, QUEUE)
  assert.ok((codes.get('RTK_STORE_QUEUE_FULL') ?? 0) > QUEUE / 2, JSON.stringify([...codes]))
  await stalled
  assert.match(await signIn, /temporary-auth-failure/)
  assert.equal((await fetch(ready(server))).status, 503)
  isOver = true
  const chats = await chatting
  delay.disable()
  const [p99, max] = [delay.percentile(99) / 1e6, delay.max / 1e6]
  process.stdout.write(
    `${chats} messages while PostgreSQL stood still; loop delay p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms\n`,
  )
  assert.ok(chats > 100, `${chats} messages`)
  assert.ok(p99 < 20, `p99 of the loop delay: ${p99} ms`)

  const back = stateIs(stores, 'ready')
  postgres.signalAll('SIGCONT')
  await back
  const there = new Set((await store.ids({})).map(({ id }) => id))
  assert.deepEqual(
    kept.filter((id) => !there.has(id)),
    [],
    'kept and missing',
  )
  assert.equal((await fetch(ready(server))).status, 200)
  // Answered behind all that he sent before.
  await benvolio.request(`<iq type='get' id='after'><query xmlns='jabber:iq:roster'/></iq>`)
  const mercutio = await online(await server.connect(`${name('mercutio')}/here`))
  const bounced = new Set(
    benvolio.unread.filter((el) => el.name === 'message' && el.attr('type') === 'error').map((el) => el.attr('id')),
  )
  // The hand-over takes its time: what is lost runs into the patience of `receive`.
  for (const id of waiting) if (!bounced.has(id)) await mercutio.receive(isMessage(id))
  await mercutio.request(`<iq type='get' id='after'><query xmlns='jabber:iq:roster'/></iq>`)
  assert.deepEqual(
    mercutio.unread.filter((el) => el.name === 'message').map((el) => el.attr('id')),
    [],
    'delivered twice, or delivered and refused',
  )
})

function ready(server: {
  readonly server: { readonly listening: readonly { protocol: string; place: unknown }[] }
}): string {
  const http = server.server.listening.find(({ protocol }) => protocol === 'http')
  const { host, port } = http?.place as { host: string; port: number }
  return `http://${host}:${port}/ready`
}
