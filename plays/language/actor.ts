/**
 * One client on the stage. What it does and expects reads as sentences: `await juliet.receives(…)`. Every stanza that
 * came to it must have been expected in some line of the play, or the play fails at its end.
 */
import assert from 'node:assert/strict'
import { type Jid, jid } from '../../src/jid/index.ts'
import type { ClientEnd } from '../../src/stream/c2s-client.types.ts'
import { ClientFailure, type ClientOptions, connectClient, type XmppClient } from '../../src/stream/client.ts'
import type { ClientAcks } from '../../src/stream/client-acks.ts'
import type { Place } from '../../src/world/net.types.ts'
import type { World } from '../../src/world/world.types.ts'
import { decode, type Element, serialise } from '../../src/xml/index.ts'
import { difference } from './match.ts'
import { xml } from './xml.ts'

/** Who an actor is, and how it connects. */
export interface Casting {
  /** Bare or full JID; the resource is asked for. */
  readonly as: string
  readonly tls?: ClientOptions['tls']
  /** Another than the account's. */
  readonly password?: string
  readonly sasl?: ClientOptions['sasl']
}

/** What the stage gives to its actors. */
export interface Setting {
  readonly world: World
  readonly place: (tls: ClientOptions['tls']) => Place
  readonly ca: string
  /** How long an actor waits for what must come, on its own clock. */
  readonly patienceMs: number
  note(line: string): void
}

export class Actor {
  readonly name: string
  readonly #casting: Casting
  readonly #setting: Setting
  readonly #inbox: Element[] = []
  #waiting: (() => void) | undefined
  #client: XmppClient | undefined
  #over: ClientEnd | undefined

  constructor(name: string, casting: Casting, setting: Setting) {
    this.name = name
    this.#casting = casting
    this.#setting = setting
  }

  /** The JID that was bound; before that the one that is asked for. */
  get jid(): Jid {
    return this.#client?.jid ?? jid(this.#casting.as)
  }

  get full(): string {
    return this.jid.toString()
  }

  get bare(): string {
    return this.jid.bare.toString()
  }

  get resource(): string {
    return this.jid.resource
  }

  get isConnected(): boolean {
    return this.#client !== undefined && this.#over === undefined
  }

  /** What came and was not expected yet. */
  get unread(): readonly Element[] {
    return this.#inbox
  }

  get client(): XmppClient {
    assert.ok(this.#client !== undefined, `${this.name} is not connected`)
    return this.#client
  }

  /** Signs in and binds, without presence. */
  async connects(other: Partial<Casting> = {}): Promise<void> {
    const result = await this.#connect(other)
    if (result instanceof ClientFailure) assert.fail(`${this.name} cannot connect: ${result}`)
  }

  /** Tries to connect and is refused, with this condition, or this code where there is none. */
  async isRefused(why: string, other: Partial<Casting> = {}): Promise<void> {
    const result = await this.#connect(other)
    assert.ok(result instanceof ClientFailure, `${this.name} connected, though '${why}' was expected`)
    const condition = result.end?.kind === 'refused' ? result.end.condition : streamCondition(result.end)
    assert.ok(why === condition || why === result.code, `${this.name} was refused with ${result}, not '${why}'`)
  }

  /** Connects and sends its first presence, which comes back to it (RFC 6121 section 4.2.2). */
  async comesOnline(presence: Element = xml`<presence/>`): Promise<void> {
    await this.connects()
    this.sends(presence)
    await this.receives(presence.withAttrs({ from: this.full }))
  }

  sends(...stanzas: readonly Element[]): void {
    for (const stanza of stanzas) {
      this.#note('→', stanza)
      this.client.send(stanza)
    }
  }

  /** The next stanza is this; of several, the next ones are these, in any order. */
  async receives(...expected: readonly Element[]): Promise<void> {
    const open = [...expected]
    while (open.length > 0) {
      const came = await this.#next(open)
      const at = open.findIndex((one) => difference(one, came) === undefined)
      if (at >= 0) {
        open.splice(at, 1)
        continue
      }
      const why = open.map((one) => `  ${show(one)}\n    ${difference(one, came)}`).join('\n')
      assert.fail(`${this.name} received\n  ${show(came)}\nand expected\n${why}`)
    }
  }

  /** Closes its stream, and the server answers in kind (RFC 6120 section 4.4). */
  async closes(): Promise<void> {
    const { client } = this
    const end = await client.close()
    assert.equal(end.kind, 'local', `${this.name}'s stream ended otherwise: ${JSON.stringify(end)}`)
    assert.ok(client.isPeerClosed, `${this.name} closed its stream, and the server did not answer in kind`)
  }

  /** The server ends the stream: with this condition, or in good order. */
  async isClosed(condition?: string): Promise<void> {
    const end = await this.#inTime(this.client.ended, `the end of its stream${condition ? ` with ${condition}` : ''}`)
    if (condition === undefined) assert.equal(end.kind, 'peer-closed', JSON.stringify(end))
    else assert.equal(streamCondition(end), condition, JSON.stringify(end))
  }

  /** The connection goes away without a word. */
  async vanishes(): Promise<void> {
    this.client.destroy()
    await this.client.ended
  }

  /** The connection was taken away. */
  async isCutOff(): Promise<void> {
    const end = await this.#inTime(this.client.ended, 'the loss of its connection')
    assert.equal(end.kind, 'lost', JSON.stringify(end))
  }

  /** Stanzas count from now on (XEP-0198), and it may be resumed. */
  async counts(): Promise<void> {
    const answer = await this.#inTime(this.client.enable(), '<enabled/>')
    assert.equal(answer?.name, 'enabled', `${this.name} was not counted`)
  }

  /** Goes on with the session it had, over another connection; what it sent and the server has not is sent again. */
  async resumes(other: Partial<Casting> = {}): Promise<void> {
    const { acks } = this.client
    assert.ok(acks?.id !== undefined, `${this.name} may not be resumed`)
    const result = await this.#connect(other, acks)
    if (result instanceof ClientFailure) assert.fail(`${this.name} cannot resume: ${result}`)
    assert.equal(result.acks, acks, `${this.name} was bound anew`)
  }

  /** Everything it has sent was handled, and what the server sent to it before now is here. */
  async catchesUp(): Promise<void> {
    if (!this.isConnected) return
    const server = this.jid.domain
    await this.client.request(xml`<iq type='get' to='${server}'><ping xmlns='urn:xmpp:ping'/></iq>`)
  }

  async #connect(other: Partial<Casting>, resume?: ClientAcks): Promise<XmppClient | ClientFailure> {
    const { world, place, ca } = this.#setting
    const casting = { ...this.#casting, ...other }
    const tls = casting.tls ?? 'starttls'
    this.#over = undefined
    this.#client = undefined
    const result = await connectClient(world, {
      jid: jid(casting.as),
      password: casting.password ?? passwordOf(jid(casting.as)),
      place: place(tls),
      tls,
      ca,
      ...(casting.sasl === undefined ? {} : { sasl: casting.sasl }),
      ...(resume === undefined ? {} : { resume }),
      onStanza: (el) => this.#came(el),
      onEnd: (end) => {
        this.#over = end
        this.#setting.note(`${this.name} ✕ ${end.kind} ${streamCondition(end) ?? ''}`)
        this.#waiting?.()
      },
    })
    if (!(result instanceof ClientFailure)) this.#client = result
    this.#setting.note(`${this.name} ⇄ ${result instanceof ClientFailure ? result : result.jid}`)
    return result
  }

  #came(el: Element): void {
    this.#note('←', el)
    this.#inbox.push(el)
    this.#waiting?.()
  }

  async #next(expected: readonly Element[]): Promise<Element> {
    if (this.#inbox.length === 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting = resolve
      if (this.#over === undefined) await this.#inTime(promise, expected.map(show).join('\n  '))
      this.#waiting = undefined
    }
    const next = this.#inbox.shift()
    if (next !== undefined) return next
    return assert.fail(`${this.name}'s stream ended (${this.#over?.kind}), and it expected\n  ${expected.map(show)}`)
  }

  #inTime<T>(promise: Promise<T>, what: string): Promise<T> {
    const { world, patienceMs } = this.#setting
    const { promise: result, resolve, reject } = Promise.withResolvers<T>()
    const late = () => reject(new assert.AssertionError({ message: `${this.name} waited in vain for\n  ${what}` }))
    const timer = world.clock.after(patienceMs, late, undefined)
    promise.then((value) => {
      timer.cancel()
      resolve(value)
    }, reject)
    return result
  }

  #note(arrow: string, el: Element): void {
    this.#setting.note(`${this.name} ${arrow} ${show(el)}`)
  }
}

/** The password that the stage gives to an account. */
export function passwordOf(account: Jid): string {
  return `the password of ${account.local}`
}

function streamCondition(end: ClientEnd | undefined): string | undefined {
  return end?.kind === 'peer-error' || end?.kind === 'error' ? end.error.condition : undefined
}

export function show(el: Element): string {
  return decode(serialise(el, 'jabber:client'))
}
