/**
 * The *kept* promise of the whole server (DESIGN.md section 9) against `kill -9` in mid-load: roster results, roster
 * pushes of subscriptions, accounts and offline messages that were acknowledged are there after the restart.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { StanzaError } from '../../src/stanza/error.ts'
import type { XmppClient } from '../../src/stream/client.ts'
import { createWorld } from '../../src/world/index.ts'
import { type Element, x } from '../../src/xml/index.ts'
import { root } from '../../tools/lib/repository.ts'
import { Place } from '../../tools/real/foreign.ts'
import { Killable } from './server.ts'

const { clock } = createWorld()

const NS = 'jabber:client'
const NS_ROSTER = 'jabber:iq:roster'

const LIVES = 3
const WRITERS = ['w0', 'w1', 'w2', 'w3']
/** Requests of one writer that are always under way, so that a kill finds some in every phase. */
const WINDOW = 8
const ABSENT = 4
/** A life ends when it has so many acknowledgements of each kind. */
const ENOUGH = { items: 300, asked: 60, accounts: 80, messages: 600 }
const patienceMs = 30_000

const absent = (life: number, one: number) => `absent${life}x${one % ABSENT}`
const item = (of: string, name?: string) =>
  x('iq', NS, { type: 'set' }, x('query', NS_ROSTER, x('item', NS_ROSTER, { jid: of, name })))

/** All that was acknowledged, over all lives. */
class Ledger {
  /** `writer contact` to the name that was given. */
  readonly items = new Map<string, string>()
  /** `writer contact` of subscriptions that a push has shown as asked for. */
  readonly asked = new Set<string>()
  readonly accounts = new Set<string>()
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  /** Ids of kept messages by recipient. */
  messages(): Map<string, Set<string>> {
    const kept = new Map<string, Set<string>>()
    for (const line of wholeLines(readFileSync(this.#file, 'utf8'))) {
      const [id = '', to = ''] = line.split(' ')
      kept.set(to, (kept.get(to) ?? new Set()).add(id))
    }
    return kept
  }

  counts() {
    const messages = [...this.messages().values()].reduce((sum, ids) => sum + ids.size, 0)
    return { items: this.items.size, asked: this.asked.size, accounts: this.accounts.size, messages }
  }
}

/** A line that was cut in the middle was not acknowledged to anybody. */
const wholeLines = (text: string) =>
  text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1)

/** One writer's load until his stream ends. */
class Writer {
  readonly #name: string
  readonly #life: number
  readonly #ledger: Ledger
  #client: XmppClient | undefined
  #count = 0
  #isOver = false
  /** Settled when the stream has ended and nothing of the load is open. */
  done: Promise<unknown> = Promise.resolve()

  constructor(name: string, life: number, ledger: Ledger) {
    this.#name = name
    this.#life = life
    this.#ledger = ledger
  }

  async enter(server: Killable): Promise<void> {
    const client = await server.client(this.#name, (el) => this.#pushed(el))
    this.#client = client
    void client.ended.then(() => {
      this.#isOver = true
    })
    await client.request(x('iq', NS, { type: 'get' }, x('query', NS_ROSTER)))
    this.done = Promise.all(Array.from({ length: WINDOW }, () => this.#write(client)))
  }

  /** Asks for a subscription; the push that shows it is its acknowledgement. */
  subscribe(account: string): void {
    if (!this.#isOver) this.#client?.send(x('presence', NS, { type: 'subscribe', to: account }))
  }

  async #write(client: XmppClient): Promise<void> {
    while (!this.#isOver) {
      const mine = `${this.#life}-${this.#count++}`
      for (const half of ['a', 'b']) {
        const to = `${absent(this.#life, this.#count)}@localhost`
        const id = `${this.#name}-${mine}${half}`
        client.send(x('message', NS, { type: 'chat', to, id }, x('body', NS, 'wait here')))
      }
      const contact = `c${mine}@elsewhere.example`
      const answer = await client.request(item(contact, `name ${mine}`))
      if (answer instanceof StanzaError) continue
      assert.equal(answer.attr('type'), 'result')
      this.#ledger.items.set(`${this.#name} ${contact}`, `name ${mine}`)
    }
  }

  #pushed(el: Element): void {
    const pushed =
      el.name === 'iq' && el.attr('type') === 'set' ? el.child('query', NS_ROSTER)?.child('item') : undefined
    if (pushed?.attr('ask') === 'subscribe') this.#ledger.asked.add(`${this.#name} ${pushed.attr('jid')}`)
  }
}

/** Accounts made from the command line until the server is gone; each that is told as made is asked for a subscription. */
async function makeAccounts(server: Killable, life: number, ledger: Ledger, writers: readonly Writer[]): Promise<void> {
  for (let sent = 0, code = 0; code === 0; ) {
    const adding = server.cli(['account', 'add'])
    for (let i = 0; i < 100; i++) adding.send(`made${life}x${sent++}@localhost secret\n`)
    adding.child.stdin?.end()
    code = await adding.ended
    for (const line of wholeLines(adding.output)) {
      const row = line.startsWith('{') ? (JSON.parse(line) as { jid?: string; result?: string }) : {}
      if (row.jid === undefined || row.result !== 'added') continue
      ledger.accounts.add(row.jid)
      writers[ledger.accounts.size % writers.length]?.subscribe(row.jid)
    }
  }
}

/** Loads the server until there is enough of each kind in this life, and kills it then. Returns what this life has added. */
async function liveAndDie(server: Killable, life: number, ledger: Ledger) {
  const before = ledger.counts()
  const writers = WRITERS.map((name) => new Writer(name, life, ledger))
  for (const writer of writers) await writer.enter(server)
  const adding = makeAccounts(server, life, ledger, writers)
  const end = performance.now() + patienceMs
  const kinds = Object.keys(ENOUGH) as (keyof typeof ENOUGH)[]
  for (;;) {
    const now = ledger.counts()
    if (kinds.every((kind) => now[kind] - before[kind] >= ENOUGH[kind])) break
    assert.ok(performance.now() < end, `too little was acknowledged: ${JSON.stringify(now)}`)
    await moment(20)
  }
  await server.kill()
  await Promise.all([...writers.map((writer) => writer.done), adding])
  const after = ledger.counts()
  return Object.fromEntries(kinds.map((kind) => [kind, after[kind] - before[kind]]))
}

/** The ledger grows by what others acknowledge: it is looked at again after this time. */
function moment(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  clock.after(ms, resolve, undefined)
  return promise
}

async function missingOfRosters(server: Killable, ledger: Ledger): Promise<string[]> {
  const missing: string[] = []
  for (const name of WRITERS) {
    const client = await server.client(name, undefined)
    const answer = await client.request(x('iq', NS, { type: 'get' }, x('query', NS_ROSTER)))
    assert.ok(!(answer instanceof StanzaError), String(answer))
    const items = new Map(answer.child('query', NS_ROSTER)?.elements.map((el) => [el.attr('jid'), el]))
    await client.close()
    for (const [key, wanted] of ledger.items) {
      const [writer, contact] = key.split(' ')
      if (writer === name && items.get(contact)?.attr('name') !== wanted) missing.push(`item ${key}`)
    }
    for (const key of ledger.asked) {
      const [writer, contact] = key.split(' ')
      if (writer === name && items.get(contact)?.attr('ask') !== 'subscribe') missing.push(`subscription ${key}`)
    }
  }
  return missing
}

async function missingOfAccounts(server: Killable, ledger: Ledger): Promise<string[]> {
  const listing = server.cli(['account', 'list'])
  assert.equal(await listing.ended, 0, listing.output)
  const rows = wholeLines(listing.output).map((line) => JSON.parse(line) as { jid: string })
  const listed = new Set(rows.map((row) => row.jid))
  const [last] = [...ledger.accounts].slice(-1)
  // The password is kept with the account: who was told of it last can sign in.
  await (await server.client(String(last).replace(/@.*/, ''), undefined)).close()
  return [...ledger.accounts].filter((account) => !listed.has(account))
}

/** Signs in for the recipients of a life, and takes what waits for them. */
async function missingOfMessages(server: Killable, life: number, ledger: Ledger): Promise<string[]> {
  const missing: string[] = []
  const kept = ledger.messages()
  for (let i = 0; i < ABSENT; i++) {
    const wanted = new Set(kept.get(absent(life, i)))
    assert.ok(wanted.size > 0)
    const all = Promise.withResolvers<void>()
    const client = await server.client(absent(life, i), (el) => {
      wanted.delete(el.attr('id') ?? '')
      if (wanted.size === 0) all.resolve()
    })
    const late = clock.after(patienceMs, all.resolve, undefined)
    client.send(x('presence', NS))
    await all.promise
    late.cancel()
    await client.close()
    missing.push(...wanted)
  }
  return missing
}

describe('the kept promise', { timeout: 240_000 }, () => {
  it(`kill -9 of the server in mid-load, ${LIVES} times: nothing acknowledged is missing`, async (t) => {
    await using place = new Place('kept')
    const file = place.write('kept.log', '')
    const server = await Killable.prepare(
      place,
      `plugins: [${root}/plays/kept/recorder.ts]
modules:
  recorder: { file: ${file} }
  offline: { messages_max: 100000 }
  roster: { items_max: 100000 }`,
    )
    await server.start()
    const absents = Array.from({ length: LIVES * ABSENT }, (_, i) => absent(Math.floor(i / ABSENT), i))
    await server.accounts([...WRITERS, ...absents])
    const second = await server.startAgain()
    assert.notEqual(second.code, 0, 'two servers on one data directory')
    t.diagnostic(`a second server ends with ${second.code}: ${second.output.trim().split('\n').at(-1)}`)

    const ledger = new Ledger(file)
    for (let life = 0; life < LIVES; life++) {
      const added = await liveAndDie(server, life, ledger)
      // The lock of the data directory went with the process: nobody has to remove a file.
      await server.start()
      assert.deepEqual(await missingOfRosters(server, ledger), [])
      assert.deepEqual(await missingOfAccounts(server, ledger), [])
      assert.deepEqual(await missingOfMessages(server, life, ledger), [])
      t.diagnostic(`life ${life + 1}: acknowledged and there after kill -9: ${JSON.stringify(added)}`)
    }
    await server.kill()
  })
})
