/**
 * The promise *replicated* (DESIGN.md section 9, `sm: { durable: true }`) under load: two clients in numbered conversation,
 * addressed to bare JIDs, go on with their sessions on the next server, and each message comes once, in order.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { ClientFailure, type XmppClient } from '../../src/stream/client.ts'
import { createWorld } from '../../src/world/index.ts'
import { x } from '../../src/xml/index.ts'
import type { Place } from '../../tools/real/foreign.ts'
import { Killable } from './server.ts'

const { clock } = createWorld()
const NS = 'jabber:client'

/** Messages that a writer has unanswered. */
const window = 50
/** A life ends when each has so many more. */
const enough = 500
const patienceMs = 60_000
const resumeSeconds = 10

function moment(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  clock.after(ms, resolve, undefined)
  return promise
}

/** Writes on, and counts what it is written. */
class Talker {
  readonly name: string
  readonly #to: string
  readonly #server: Killable
  readonly came: number[] = []
  said = 0
  #client: XmppClient | undefined
  /** Sessions that it has had. */
  sessions = 0

  constructor(server: Killable, name: string, to: string) {
    this.#server = server
    this.name = name
    this.#to = `${to}@localhost`
  }

  async begins(): Promise<void> {
    const client = await this.#server.client(this.name, (el) => {
      if (el.name === 'message') this.came.push(Number(el.attr('id')))
    })
    await this.#counts(client)
  }

  async #counts(client: XmppClient): Promise<void> {
    assert.equal((await client.enable())?.name, 'enabled')
    client.send(x('presence', NS))
    this.#client = client
    this.sessions++
  }

  /** As far as the window lets it. */
  talks(most = Number.POSITIVE_INFINITY): void {
    const client = this.#client
    if (client?.acks === undefined) return
    while (client.acks.unacknowledged.length < window && this.said < most) {
      const attrs = { type: 'chat', to: this.#to, id: String(this.said++) }
      client.send(x('message', NS, attrs, x('body', NS, 'on and on')))
    }
    client.askAcknowledgement()
  }

  /** With what it had counted; if that is no more, anew. */
  async returns(): Promise<void> {
    const acks = this.#client?.acks
    await this.#client?.gone
    const client = await this.#server.tries(this.name, this.#client?.onStanza, acks)
    assert.ok(!(client instanceof ClientFailure), String(client))
    if (client.acks === acks) this.#client = client
    else await this.#counts(client)
  }

  /** Says what it has, and leaves without a word. */
  async leaves(): Promise<void> {
    this.#client?.acknowledge()
    await moment(300)
    this.#client?.destroy()
  }

  get unacknowledged(): number {
    return this.#client?.acks?.unacknowledged.length ?? 0
  }

  asks(): void {
    this.#client?.askAcknowledgement()
  }
}

export class Talk {
  readonly #server: Killable
  readonly #test: TestContext
  readonly romeo: Talker
  readonly juliet: Talker

  /** `store`: a line of the configuration. */
  static async begin(place: Place, test: TestContext, store = ''): Promise<Talk> {
    const sm = `modules: { sm: { durable: true, resume_timeout: ${resumeSeconds} seconds } }`
    const server = await Killable.prepare(place, `${sm}\n${store}`)
    await server.start()
    await server.accounts(['romeo', 'juliet'])
    const talk = new Talk(server, test)
    for (const one of talk.#both) await one.begins()
    return talk
  }

  private constructor(server: Killable, test: TestContext) {
    this.#server = server
    this.#test = test
    this.romeo = new Talker(server, 'romeo', 'juliet')
    this.juliet = new Talker(server, 'juliet', 'romeo')
  }

  get #both(): readonly Talker[] {
    return [this.romeo, this.juliet]
  }

  async #until(isSo: () => boolean, meanwhile: () => void): Promise<void> {
    for (const end = performance.now() + patienceMs; !isSo(); ) {
      assert.ok(performance.now() < end, `${this.#both.map((one) => `${one.came.length} of ${one.said}`)}`)
      meanwhile()
      await moment(5)
    }
  }

  /** They talk; the server is killed, or stopped in good order, in the middle of it, and they come back to the next. */
  async life(end: 'kill' | 'stop'): Promise<void> {
    const both = this.#both
    const before = both.map((one) => one.came.length)
    const isEnough = () => both.every((one, i) => one.came.length - (before[i] ?? 0) >= enough)
    await this.#until(isEnough, () => {
      for (const one of both) one.talks()
    })
    for (const one of both) one.talks()
    if (end === 'kill') await this.#server.kill()
    else assert.equal(await this.#server.stop(), 0)
    await this.#server.start()
    for (const one of both) await one.returns()
    const open = both.map((one) => one.unacknowledged)
    this.#test.diagnostic(`${end}: ${both.map((one) => one.came.length)} came, ${open} said again`)
  }

  /** All that was said has come, and they know it. */
  quiet(): Promise<void> {
    const [romeo, juliet] = [this.romeo, this.juliet]
    const isQuiet = () =>
      romeo.came.length >= juliet.said &&
      juliet.came.length >= romeo.said &&
      this.#both.every((one) => one.unacknowledged === 0)
    return this.#until(isQuiet, () => {
      for (const one of this.#both) one.asks()
    })
  }

  /** juliet is away until her session has ended, and the server is killed meanwhile: what she is written waits for her. */
  async absence(): Promise<void> {
    const { romeo, juliet } = this
    await this.quiet()
    await juliet.leaves()
    const first = romeo.said + 300
    await this.#until(
      () => romeo.said >= first && romeo.unacknowledged === 0,
      () => romeo.talks(first),
    )
    await this.#server.kill()
    await this.#server.start()
    await romeo.returns()
    await this.#until(
      () => romeo.said >= first + 300 && romeo.unacknowledged === 0,
      () => romeo.talks(first + 300),
    )
    await moment((resumeSeconds + 2) * 1_000)
    romeo.talks()
    await this.#server.kill()
    await this.#server.start()
    await romeo.returns()
    await juliet.returns()
    this.#test.diagnostic(`absence: ${juliet.came.length} came of ${romeo.said}, over ${juliet.sessions} sessions`)
  }

  /** Each message has come once, in order, over so many sessions. */
  async ends(sessions: readonly number[]): Promise<void> {
    await this.quiet()
    await moment(200)
    for (const [one, other] of [this.#both, this.#both.toReversed()] as const) {
      assert.deepEqual(
        one?.came,
        Array.from({ length: other?.said ?? 0 }, (_, n) => n),
      )
    }
    assert.deepEqual(
      this.#both.map((one) => one.sessions),
      sessions,
    )
    await this.#server.kill()
  }
}
