/**
 * Clients that count and are resumed (XEP-0198), on a network that breaks under them, and the account of where each message
 * came to. Some say that nobody looks at them (XEP-0352), and some want copies (XEP-0280).
 */

import { type Jid, jid } from '../jid/index.ts'
import { SymbolicServer } from '../listeners/symbolic.testing.ts'
import { ROUGH } from '../sim/index.ts'
import type { SimRandom } from '../sim/random.ts'
import { NS_CARBONS, readCarbon } from '../stanza/carbon.ts'
import { NS_DELAY } from '../stanza/delay.ts'
import { StreamError } from '../stanza/error.ts'
import { NS_RECEIPTS } from '../stanza/instant.ts'
import { smEnable } from '../stanza/sm.ts'
import { ClientFailure, type ClientOptions, connectClient, type XmppClient } from '../stream/client.ts'
import type { ClientAcks } from '../stream/client-acks.ts'
import { type Element, x } from '../xml/index.ts'
import { ascii } from '../xml/octets.ts'
import { listener } from './limits.testing.ts'

const NS = 'jabber:client'

/** What came to a client. */
export interface Came {
  /** Of a message; '' for other stanzas, and for errors. */
  readonly id: string
  readonly isCopy: boolean
  /** It says that it waited. */
  readonly isLate: boolean
}

function cameOf(el: Element): Came {
  const isMessage = el.name === 'message' && el.attr('type') !== 'error'
  const copied = isMessage ? readCarbon(el)?.original : undefined
  const id = isMessage ? ((copied ?? el).attr('id') ?? '') : ''
  // A copy of what waited says so inside.
  const isLate = el.hasChild('delay', NS_DELAY) || copied?.hasChild('delay', NS_DELAY) === true
  return { id, isCopy: copied !== undefined, isLate }
}

/** One session of a client, from its binding to its end, over any number of connections. */
export class Life {
  acks: ClientAcks | undefined
  /** By their place among what the server sent. */
  readonly received: Came[] = []
  /** Before it counted. */
  readonly early: Came[] = []
  /** SM-ID. */
  id = ''

  came(el: Element): void {
    const place = this.acks?.handled ?? 0
    if (place === 0) this.early.push(cameOf(el))
    else this.received[place - 1] = cameOf(el)
  }
}

/** How a client comes: by RFC 6120, resuming inside of SASL2, or with a session of Bind 2 too (XEP-0198 §9). */
export type Way = 'classic' | 'inline' | 'bind2'

/** Of the three that come; it makes the resource the same each time, so that what is left of a session is in order with what comes. */
const agents = ['romeo', 'juliet', 'tablet']

function optionsOf(way: Way, name: string, full: Jid): Pick<ClientOptions, 'jid' | 'sasl'> {
  switch (way) {
    case 'classic':
      return { jid: full, sasl: { profile: 'rfc6120' } }
    case 'inline':
      return { jid: full }
    case 'bind2': {
      const id = `d4565fa7-4d72-4749-b3d3-${agents.indexOf(name)}40edbf87770`
      return { jid: full.bare, sasl: { agent: { id, software: '', device: '' }, session: [smEnable(true)] } }
    }
  }
}

/** A client that comes, goes, and comes back. */
export class Fickle {
  /** What it runs on. */
  readonly name: string
  readonly #symbolic: SymbolicServer
  /** What it says when its session has begun. */
  readonly #greeting: readonly Element[]
  readonly lives: Life[] = []
  /** What came in sessions that ended before anybody counted. */
  readonly uncounted: Came[] = []
  client: XmppClient | undefined
  /** Ids of its messages that came back as errors. */
  readonly errors: string[] = []
  isComing = false
  /** The connection that it is making was lost. */
  #isLost = false
  /** What it said while it had no connection. */
  readonly #unsaid: Element[] = []

  readonly #way: Way
  /** Of its sessions by RFC 6120. */
  readonly #address: string

  constructor(symbolic: SymbolicServer, full: string, name: string, greeting: readonly Element[], way: Way) {
    this.#symbolic = symbolic
    this.#address = full
    this.name = name
    this.#greeting = greeting
    this.#way = way
  }

  /** Of the session it has, or had last. */
  get full(): string {
    return this.life?.acks?.jid.toString() ?? this.#address
  }

  get life(): Life | undefined {
    return this.lives.at(-1)
  }

  /** Its connection is lost, which nobody tells it: it gives it up by itself, or as soon as it has it. */
  loses(): void {
    this.#isLost = this.isComing
    this.goes()
  }

  /** Its connection is cut on its own side. */
  goes(): void {
    this.client?.destroy()
    this.client = undefined
  }

  /** Comes with what it had counted; if that is no more, or it has forgotten it, anew. */
  async comes(remembers: boolean): Promise<void> {
    if (this.isComing) return
    this.goes()
    this.isComing = true
    try {
      await this.#comes(remembers ? this.life : undefined)
    } finally {
      this.isComing = false
    }
  }

  async #comes(before: Life | undefined): Promise<void> {
    const acks = before?.acks?.id === undefined ? undefined : before.acks
    const fresh = new Life()
    let life: Life | undefined = acks === undefined ? undefined : before
    let mine: XmppClient | undefined
    let isOver = false
    this.#isLost = false
    const client = await connectClient(this.#symbolic.simulation.world(this.name), {
      ...optionsOf(this.#way, this.name, jid(this.#address)),
      password: 'secret',
      place: { kind: 'tcp', host: 'server', port: 5222 },
      tls: 'starttls',
      ca: this.#symbolic.ca,
      connectTimeoutMs: 2_000,
      limits: { negotiationMs: 5_000 },
      ...(acks === undefined ? {} : { resume: acks }),
      onStanza: (el, one) => {
        if (el.name === 'message' && el.attr('type') === 'error') this.errors.push(el.attr('id') ?? '')
        // Until it is resumed, nothing is for the old one.
        if (acks !== undefined && one.acks === acks) before?.came(el)
        else fresh.came(el)
      },
      onEnd: () => {
        isOver = true
        if (this.client === mine) this.client = undefined
      },
    })
    if (client instanceof ClientFailure) return
    if (isOver || this.#isLost) {
      this.uncounted.push(...fresh.early)
      client.destroy()
      return
    }
    mine = client
    this.client = client
    if (acks === undefined || client.acks !== acks) life = await this.#begins(client, fresh, acks)
    if (life === undefined) return
    for (const el of this.#unsaid.splice(0)) client.send(el)
  }

  /** A new session; what the server says it has not handled in the old one is said again. */
  async #begins(client: XmppClient, life: Life, before: ClientAcks | undefined): Promise<Life | undefined> {
    if (client.notResumed !== undefined) before?.acknowledged(client.notResumed)
    const enabling = client.acks === undefined ? client.enable() : undefined
    life.acks = client.acks
    if (enabling !== undefined && (await enabling)?.name !== 'enabled') {
      // Where nobody has counted, what was not settled is still to be said.
      this.uncounted.push(...life.early)
      return undefined
    }
    life.id = life.acks?.id ?? ''
    this.lives.push(life)
    for (const el of this.#greeting) client.send(el)
    for (const el of before?.unacknowledged ?? []) client.send(el)
    return life
  }

  /** A message, or a receipt, which can wait. */
  says(to: string, id: string, isReceipt = false): void {
    const payload = isReceipt ? x('received', NS_RECEIPTS, { id: 'x' }) : x('body', NS, `message ${id}`)
    const el = x('message', NS, { to, id, type: 'chat' }, payload)
    if (this.client?.acks?.id === undefined) this.#unsaid.push(el)
    else this.client.send(el)
  }

  /** Says whether somebody looks at it. */
  indicates(isActive: boolean): void {
    this.client?.sendBytes(ascii(`<${isActive ? 'active' : 'inactive'} xmlns='urn:xmpp:csi:0'/>`))
  }
}

export interface Story {
  readonly symbolic: SymbolicServer
  readonly romeo: Fickle
  readonly juliet: Fickle
  /** juliet's other device, with copies, where messages go when the first is not there; undefined: she has none. */
  readonly tablet: Fickle | undefined
  /** Whom romeo writes to: juliet, or her first client. */
  readonly to: string
  /** juliet's clients say whether somebody looks at them. */
  readonly isGated: boolean
  /** By SM-ID: how many stanzas the client had acknowledged when its session ended. */
  readonly acknowledged: ReadonlyMap<string, number>
  /**
   * Ids of messages that went to a session before it counted (one for a full JID may): of those nobody knows whether they came
   * when the connection breaks, for the kernel had them.
   */
  readonly unpromised: ReadonlySet<string>
  passes(ms: number): Promise<void>
}

function wayOf(seed: number): Way {
  return (['classic', 'inline', 'bind2'] as const)[Math.floor(seed / 3) % 3] ?? 'classic'
}

const presence = x('presence', NS)
const first = x('presence', NS, x('priority', NS, '5'))
const copies = x('iq', NS, { type: 'set', id: 'copies' }, x('enable', NS_CARBONS))

/**
 * romeo writes to juliet; sessions wait for ten seconds, and what is not answered in five is dropped. By the seed she has one
 * client, one that sleeps, or two that sleep and want copies.
 */
export function tell(seed: number, act: (story: Story) => Promise<void>): Promise<void> {
  const modules = {
    offline: { messages_max: 100_000 },
    sm: { resume_timeout: '10 seconds', ack_timeout: '5 seconds' },
  }
  return SymbolicServer.run(
    { listeners: [listener], modules },
    async (symbolic) => {
      await symbolic.server.accounts.add(jid('juliet@localhost'), 'secret')
      const acknowledged = new Map<string, number>()
      const { hooks } = symbolic.server.core.hostType('default')
      hooks.on('session:ended', 'test', ({ session }) => {
        const { ledger } = session
        if (ledger !== undefined) acknowledged.set(ledger.id, ledger.sent - ledger.length)
      })
      const unpromised = new Set<string>()
      hooks.on('message:outcome', 'test', ({ packet, sessions }) => {
        if (sessions.some(({ ledger }) => ledger === undefined)) unpromised.add(packet.el.attr('id') ?? '')
      })
      if (seed % 4 !== 0) symbolic.simulation.network.everywhere = ROUGH
      const isDouble = seed % 3 === 2
      const juliet = isDouble ? [first, copies] : [presence]
      const story = {
        symbolic,
        romeo: new Fickle(symbolic, 'romeo@localhost/here', 'romeo', [presence], wayOf(seed)),
        juliet: new Fickle(symbolic, 'juliet@localhost/here', 'juliet', juliet, wayOf(seed + 3)),
        tablet: isDouble
          ? new Fickle(symbolic, 'juliet@localhost/there', 'tablet', [presence, copies], wayOf(seed + 6))
          : undefined,
        to: isDouble && seed % 2 === 0 ? 'juliet@localhost/here' : 'juliet@localhost',
        isGated: seed % 3 > 0,
        acknowledged,
        unpromised,
        passes: (ms: number) => symbolic.simulation.advance(ms),
      }
      await act(story)
    },
    seed,
  )
}

/** Breaks something of one client's connection, or its session. */
export function harm({ symbolic }: Story, random: SimRandom, one: Fickle): void {
  const { network } = symbolic.simulation
  const session = symbolic.server.core.sessions.find(jid(one.full))
  switch (random.below(5)) {
    case 0:
      network.cut(one.name, 'server')
      return
    case 1:
      // Neither end is told; the client gives up by itself.
      network.lose(one.name, 'server')
      one.loses()
      return
    case 2:
      one.goes()
      return
    case 3:
      session?.close({ reason: 'kicked', detail: '' }, new StreamError('RTK_SESSION_KICKED', 'policy-violation'))
      return
    default:
      if (session?.state.kind === 'active') session.state.link.drop()
  }
}
