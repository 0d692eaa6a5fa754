/**
 * The promise *replicated* (DESIGN.md section 9, `sm: { durable: true }`) against `kill -9` under load: two clients in numbered
 * conversation go on with their sessions on the next server, and each message comes once, in order.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ClientFailure, type XmppClient } from '../../src/stream/client.ts'
import { createWorld } from '../../src/world/index.ts'
import { x } from '../../src/xml/index.ts'
import { Place } from '../../tools/real/foreign.ts'
import { Killable } from './server.ts'

const { clock } = createWorld()
const NS = 'jabber:client'

const LIVES = 5
/** Messages that a writer has unanswered. */
const WINDOW = 50
/** A life ends when each has so many more. */
const ENOUGH = 500
const patienceMs = 60_000

function moment(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  clock.after(ms, resolve, undefined)
  return promise
}

/** Writes on, and counts what it is written. */
class Talker {
  readonly name: string
  other: Talker | undefined
  readonly #server: Killable
  readonly came: number[] = []
  said = 0
  #client: XmppClient | undefined
  isBoundAnew = false

  constructor(server: Killable, name: string) {
    this.#server = server
    this.name = name
  }

  async begins(): Promise<void> {
    const client = await this.#server.client(this.name, (el) => {
      if (el.name === 'message') this.came.push(Number(el.attr('id')))
    })
    assert.equal((await client.enable())?.name, 'enabled')
    client.send(x('presence', NS))
    this.#client = client
  }

  /** As far as the window lets it. */
  talks(): void {
    const client = this.#client
    const to = this.other?.address
    if (client?.acks === undefined || to === undefined) return
    while (client.acks.unacknowledged.length < WINDOW) {
      const attrs = { type: 'chat', to, id: String(this.said++) }
      client.send(x('message', NS, attrs, x('body', NS, 'on and on')))
    }
    client.askAcknowledgement()
  }

  async returns(): Promise<void> {
    const acks = this.#client?.acks
    await this.#client?.gone
    const client = await this.#server.tries(this.name, this.#client?.onStanza, acks)
    assert.ok(!(client instanceof ClientFailure), String(client))
    this.isBoundAnew ||= client.acks !== acks
    this.#client = client
  }

  /**
   * Full JID: what is for the bare one goes through the store while the hand-over lasts, and what moves between that and a
   * session's queue may come twice (docs/guide/operate.md).
   */
  get address(): string | undefined {
    return this.#client?.acks?.jid.toString()
  }

  get unacknowledged(): number {
    return this.#client?.acks?.unacknowledged.length ?? 0
  }

  asks(): void {
    this.#client?.askAcknowledgement()
  }
}

it(
  `SES-09: kill -9 under load, ${LIVES} times: each numbered message comes exactly once, in order, over the same sessions`,
  {
    timeout: 300_000,
  },
  async (t) => {
    await using place = new Place('durable')
    const server = await Killable.prepare(place, 'modules: { sm: { durable: true } }')
    await server.start()
    await server.accounts(['romeo', 'juliet'])
    const [romeo, juliet] = [new Talker(server, 'romeo'), new Talker(server, 'juliet')]
    romeo.other = juliet
    juliet.other = romeo
    const both = [romeo, juliet]
    for (const one of both) await one.begins()
    const until = async (isSo: () => boolean, meanwhile: () => void) => {
      for (const end = performance.now() + patienceMs; !isSo(); ) {
        assert.ok(performance.now() < end, `${both.map((one) => `${one.came.length} of ${one.said}`)}`)
        meanwhile()
        await moment(5)
      }
    }
    for (let life = 1; life <= LIVES; life++) {
      const before = both.map((one) => one.came.length)
      await until(
        () => both.every((one, i) => one.came.length - (before[i] ?? 0) >= ENOUGH),
        () => {
          for (const one of both) one.talks()
        },
      )
      for (const one of both) one.talks()
      await server.kill()
      await server.start()
      for (const one of both) await one.returns()
      const open = both.map((one) => one.unacknowledged)
      t.diagnostic(`life ${life}: ${both.map((one) => one.came.length)} came, ${open} said again after kill -9`)
    }
    await until(
      () =>
        romeo.came.length >= juliet.said &&
        juliet.came.length >= romeo.said &&
        both.every((one) => one.unacknowledged === 0),
      () => {
        for (const one of both) one.asks()
      },
    )
    await moment(200)
    for (const [one, other] of [both, both.toReversed()] as const) {
      assert.deepEqual(
        one?.came,
        Array.from({ length: other?.said ?? 0 }, (_, n) => n),
      )
      assert.equal(one?.isBoundAnew, false)
    }
    await server.kill()
  },
)
