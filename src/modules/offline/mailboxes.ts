/**
 * Messages on their way into the store and out of it. One hand-over of an account at a time, in order, before anything
 * newer; and nothing stays behind while somebody is there to take it.
 */

import { Batch } from '../../core/hand-over.ts'
import type { Host } from '../../core/host.ts'
import type { Counter } from '../../core/metrics.ts'
import type { ModuleContext } from '../../core/module.ts'
import { type Packet, refuse, type Verdict, verdictKept } from '../../core/packet.ts'
import '../../core/services/copies.ts'
import type { Screen } from '../../core/services/privacy.ts'
import type { Session } from '../../core/session.ts'
import { JidCache } from '../../jid/cache.ts'
import type { Jid } from '../../jid/jid.ts'
import { DelayNotes, isDelayedBy, withDelay } from '../../stanza/delay.ts'
import { StanzaError, StreamError } from '../../stanza/error.ts'
import { stanzaBytes } from '../../stanza/keep.ts'
import { errorReply } from '../../stanza/reply.ts'
import { isFromRoom } from '../../stanza/room.ts'
import type { Store } from '../../store/define.ts'
import type { Element } from '../../xml/element.types.ts'
import { XmlError } from '../../xml/errors.ts'
import { ascii, type Octets } from '../../xml/octets.ts'
import { parseOctets } from '../../xml/parse.ts'
import { writeStanza } from '../../xml/serialise.ts'
import { Closing } from './closing.ts'
import type { offlineStore } from './offline.store.ts'

/** Messages read from the store at once. */
export const pageSize = 50

/**
 * Bytes that are handed over before the first of them must have left: a slow reader's queue holds these and one message,
 * and only these may come to him a second time after a crash.
 */
export const batchBytes = 32_768

const noAddress = ascii('')

// As in the examples of XEP-0160.
const reason = 'Offline Storage'

// As long as a batch has not left, all that comes for the account waits in the store, also for resources that read.
const errorSlow = new StreamError('RTK_OFFLINE_HAND_OVER_TIMEOUT', 'policy-violation', 'too slow in reading')

// XEP-0160 §2 rule 3
const errorFull = new StanzaError('RTK_OFFLINE_MESSAGES_MAX', 'service-unavailable', { text: 'the mailbox is full' })
const errorBytes = new StanzaError('RTK_OFFLINE_BYTES_MAX', 'service-unavailable', { text: 'the mailbox is full' })
// RFC 6121 section 8.5.2.2.1; a later try may succeed.
const errorStore = new StanzaError('RTK_OFFLINE_STORE', 'service-unavailable', { type: 'wait' })

const errorBlocked = new StanzaError('RTK_OFFLINE_BLOCKED', 'service-unavailable')

/** A row of the store. */
interface Kept {
  readonly stanza: Octets
  readonly received: number
  readonly seq: number
}

/** A kept message of somebody who was blocked since. */
interface Refused {
  readonly seq: number
  readonly el: Element
  readonly from: Jid
  readonly to: Jid
}

/** What the making of one batch needs and leaves. */
interface Making {
  readonly jids: JidCache
  /** What applies to the session. */
  readonly screen: Screen | undefined
  readonly refused: Refused[]
  /** Nothing is in the batch yet. */
  readonly isFirst: boolean
}

/** What is under way for one account. */
interface Mailbox {
  /** How full it is, asked once for all that are refused at the time. */
  counting: Promise<{ readonly count: number } | undefined> | undefined
  readonly host: Host
  readonly local: string
  /** Messages on their way into the store now, and ever. */
  adding: number
  added: number
  /** Told when one of them has ended. */
  waiting: (() => void)[]
  /** The last hand-over. */
  handOver: Promise<void> | undefined
  /** Messages that came while a hand-over was under way. */
  readonly live: Set<Octets>
  /** Of the host; made when the first message is handed over. */
  notes: DelayNotes | undefined
}

export interface MailboxCounters {
  readonly kept: Counter
  readonly full: Counter
  readonly fullBytes: Counter
  readonly handed: Counter
  readonly failed: Counter
  readonly slow: Counter
}

export interface MailboxLimits {
  readonly messages_max: number
  readonly bytes_max: number
  /** Milliseconds that a batch may take to leave; Infinity: as long as it takes. */
  readonly hand_over_timeout: number
}

type Context = Pick<ModuleContext, 'clock' | 'holdMessages' | 'log' | 'send' | 'service' | 'sessions'>

export class Mailboxes {
  readonly #ctx: Context
  readonly #store: Store<typeof offlineStore>
  readonly #counters: MailboxCounters
  readonly #limits: MailboxLimits
  readonly #boxes = new Map<string, Mailbox>()

  constructor(ctx: Context, store: Store<typeof offlineStore>, counters: MailboxCounters, limits: MailboxLimits) {
    this.#ctx = ctx
    this.#store = store
    this.#counters = counters
    this.#limits = limits
  }

  /** Accounts with something under way. */
  get size(): number {
    return this.#boxes.size
  }

  /** Resolves once the message is kept, or is not. Never rejects. */
  async add(packet: Pick<Packet, 'isBeingKept' | 'isKept'>, el: Element, host: Host, local: string): Promise<Verdict> {
    const box = this.#box(host, local)
    box.adding++
    box.added++
    const stanza = stanzaBytes(el)
    // Somebody is there and is being handed what is older: this one only queues behind it, and is not late.
    if (box.handOver !== undefined) box.live.add(stanza)
    try {
      const adding = this.#store.add({
        host: host.domain,
        local,
        received: this.#ctx.clock.wallMs(),
        stanza,
        max: this.#limits.messages_max,
        bytesMax: this.#limits.bytes_max,
      })
      packet.isBeingKept()
      const result = await adding
      if (result.outcome !== 'kept') {
        box.live.delete(stanza)
        return await this.#refuseFull(box)
      }
      this.#counters.kept.value++
      packet.isKept()
      return verdictKept
    } catch (error) {
      this.#counters.failed.value++
      this.#warn('a message could not be kept', box, error)
      return refuse(errorStore)
    } finally {
      box.adding--
      for (const tell of box.waiting.splice(0)) tell()
      // Somebody may have come, and found nothing, while the message was on its way.
      this.#handOverToSomebody(box)
      this.#tidy(box)
    }
  }

  async #refuseFull(box: Mailbox): Promise<Verdict> {
    box.counting ??= this.#store.count({ host: box.host.domain, local: box.local }).finally(() => {
      box.counting = undefined
    })
    const found = await box.counting
    const isByBytes = (found?.count ?? 0) < this.#limits.messages_max
    this.#counters[isByBytes ? 'fullBytes' : 'full'].value++
    return refuse(isByBytes ? errorBytes : errorFull)
  }

  /**
   * Hands the session what waits for its account; then it takes messages, and so do `others`. Rejects with `WorldError`; then
   * the rest waits on.
   */
  async handOver(session: Session, others: readonly Session[] = []): Promise<void> {
    const box = this.#box(session.host, session.jid.local)
    const before = box.handOver
    const closing = new Closing(this.#ctx, [session, ...others])
    const mine = (async () => {
      await before?.catch(() => undefined)
      await this.#empty(session, box, closing)
    })()
    box.handOver = mine
    try {
      await mine
    } finally {
      const isLast = box.handOver === mine
      if (isLast) box.handOver = undefined
      // What waited in vain is kept.
      closing.end()
      // It may have ended before all was handed over; then it is another resource's turn.
      if (isLast && !isReady(session)) this.#handOverToSomebody(box)
      this.#tidy(box)
    }
  }

  /** Page after page until nothing is left and nothing is on its way in, or the session cannot take more. */
  async #empty(session: Session, box: Mailbox, closing: Closing): Promise<void> {
    const account = { host: box.host.domain, local: box.local }
    const lists = this.#ctx.service('privacy')?.read(session)
    if (lists instanceof Promise) await lists
    while (isReady(session)) {
      const { added } = box
      const rows = await this.#store.page({ ...account, after: 0, limit: pageSize })
      if (rows.length === 0 && box.adding === 0) {
        if (box.added !== added) continue
        // At this very moment nothing is before the next message; a moment later something could be.
        closing.succeeds()
        return
      } else if (hasCaughtUp(rows, box) && closing.begins() && box.adding > 0) {
        // What is on its way goes with them: the fewer hand-overs, the shorter others wait.
        await oneAdded(box)
      } else if (rows.length > 0) await this.#handPage(session, rows, box)
      else await oneAdded(box)
    }
  }

  /** Hands over a page, one batch behind the other; what has left is removed, and nothing else. */
  async #handPage(session: Session, rows: readonly Kept[], box: Mailbox): Promise<void> {
    let at = 0
    // They are few: one recipient, and those who wrote to him.
    const jids = new JidCache(pageSize)
    while (at < rows.length && isReady(session)) {
      // What is refused is out of the store: for that nobody may be taken for blocked because lists are unread.
      const lists = this.#ctx.service('privacy')?.read(session)
      const screen = lists instanceof Promise ? await lists : lists
      if (!isReady(session)) return
      const seqs: number[] = []
      const stanzas: Octets[] = []
      const refused: Refused[] = []
      /** Rows before the first that is handed over: they can be read by nobody, are refused, or were copied. */
      let last = 0
      let bytes = 0
      for (; at < rows.length && bytes < batchBytes; at++) {
        const row = rows[at] as Kept
        const stanza = this.#stanzaOf(session, row, box, { jids, screen, refused, isFirst: stanzas.length === 0 })
        if (stanza === 'later') break
        if (stanza === undefined) {
          if (stanzas.length === 0) last = row.seq
          continue
        }
        seqs.push(row.seq)
        stanzas.push(stanza)
        bytes += stanza.length
      }
      const batch = new Batch(stanzas, seqs)
      session.handOver(batch)
      const count = await this.#left(session, batch)
      // When all have left, so has what is between them and behind them.
      last = count === stanzas.length ? (rows[at - 1]?.seq ?? last) : (seqs[count - 1] ?? last)
      for (let i = 0; i < count; i++) box.live.delete(rows.find((row) => row.seq === seqs[i])?.stanza as Octets)
      await this.#remove(box, batch, last)
      this.#tellRefused(refused, last)
      if (count < stanzas.length) return
    }
  }

  /** Resolves with how many of the batch have left, or have not when the session has ended. */
  async #left(session: Session, batch: Batch): Promise<number> {
    const most = this.#limits.hand_over_timeout
    const deadline = this.#ctx.clock.after(most, (late: Session) => this.#cut(late), session)
    const count = await batch.done
    deadline.cancel()
    this.#counters.handed.value += count
    return count
  }

  /** What has left is out of the store together with what a journal says of it. */
  async #remove(box: Mailbox, batch: Batch, seq: number): Promise<void> {
    const removing = seq > 0 ? this.#store.removeUpTo({ host: box.host.domain, local: box.local, seq }) : undefined
    batch.removed()
    await removing
  }

  /** A hand-over of a former process ends: its session has outlived it, or has ended and left a remainder of the removal. */
  resumes(session: Session, batch: Batch): void {
    const box = this.#box(session.host, session.jid.local)
    const before = box.handOver
    const mine = (async () => {
      const count = await this.#left(session, batch)
      await this.#remove(box, batch, batch.marks[count - 1] ?? batch.leftMark)
      await before
    })()
    box.handOver = mine
    mine
      .catch((error: unknown) => this.#warn('kept messages could not be removed', box, error))
      .finally(() => {
        if (box.handOver === mine) box.handOver = undefined
        this.#handOverToSomebody(box)
        this.#tidy(box)
      })
  }

  #cut(session: Session): void {
    this.#counters.slow.value++
    session.close({ reason: 'error', detail: errorSlow.code }, errorSlow)
  }

  /** Of those that are out of the store, and so come no second time: who wrote is told. */
  #tellRefused(refused: readonly Refused[], last: number): void {
    for (const { seq, el, from, to } of refused) {
      // A room would take it for the end of its occupant.
      const reply = seq <= last && !isFromRoom(el) ? errorReply(el, errorBlocked) : undefined
      if (reply !== undefined) this.#ctx.send(reply, to, from)
    }
  }

  /**
   * As it is handed over; undefined when it cannot be, or when a copy that the session had stands in for it. That is so as soon
   * as it has left the store: 'later', when others must leave before it (`isFirst`). Adds to `refused` what its receiver lets
   * nobody hand over.
   */
  #stanzaOf(session: Session, row: Kept, box: Mailbox, batch: Making): Octets | 'later' | undefined {
    const { jids, screen, refused, isFirst } = batch
    const el = readMessage(row.stanza)
    const from = jids.parse(el?.rawAttr('from') ?? noAddress)
    const to = jids.parse(el?.rawAttr('to') ?? noAddress)
    if (el === undefined || from === undefined || to === undefined) {
      this.#ctx.log.error('a kept message cannot be read and is left out', {
        code: 'RTK_OFFLINE_UNREADABLE',
        account: session.jid.bare.toString(),
        seq: row.seq,
      })
      return undefined
    }
    const copies = this.#ctx.service('copies')
    if (copies?.had(session, from, el) === true) {
      if (!isFirst) return 'later'
      if (copies.standsIn(session, from, el)) return undefined
    }
    // XEP-0191 §3.3: no stanza of who was blocked since; who wrote is told as if it came now.
    if (screen?.passes('message-in', from) === false) {
      refused.push({ seq: row.seq, el, from, to })
      return undefined
    }
    const { jid } = session.host
    const stanza = writeStanza(el, from.octets, to.octets)
    if (box.live.has(row.stanza) || isDelayedBy(el, jid)) return stanza
    const since = new Date(row.received)
    box.notes ??= new DelayNotes(jid, reason)
    return box.notes.added(stanza, since) ?? writeStanza(withDelay(el, jid, since, reason), from.octets, to.octets)
  }

  /** To a resource that takes messages: what waits although it does was kept while nobody seemed to be there. */
  #handOverToSomebody(box: Mailbox): void {
    if (box.handOver !== undefined || box.adding > 0) return
    const ready = this.#ctx.sessions
      .ofAccount(box.host.domain, box.local)
      .filter((session) => isReady(session) && session.takesMessages)
    const [first] = ready.sort((a, b) => b.priority - a.priority)
    if (first === undefined) return
    for (const session of ready) session.takesMessages = false
    const others = ready.slice(1)
    this.handOver(first, others)
      .catch((error: unknown) => this.#warn('kept messages could not be handed over', box, error))
      .finally(() => {
        // One that has lost its connection goes on with the hand-over when it has another.
        const now = this.#ctx.clock.wallMs()
        for (const session of ready) if (session !== first || isReady(first)) session.takeMessages(now)
        // Without it all was not handed over.
        const present = this.#box(box.host, box.local)
        if (!isReady(first)) this.#handOverToSomebody(present)
        this.#tidy(present)
      })
  }

  #warn(message: string, box: Mailbox, error: unknown): void {
    this.#ctx.log.warn(message, { code: 'RTK_OFFLINE_STORE', account: `${box.local}@${box.host.domain}`, error })
  }

  #box(host: Host, local: string): Mailbox {
    const key = `${host.domain}\0${local}`
    let found = this.#boxes.get(key)
    if (found === undefined) {
      found = {
        host,
        local,
        adding: 0,
        added: 0,
        waiting: [],
        live: new Set(),
        notes: undefined,
        handOver: undefined,
        counting: undefined,
      }
      this.#boxes.set(key, found)
    }
    return found
  }

  /** Nothing is remembered of an account that has nothing under way. */
  #tidy(box: Mailbox): void {
    if (box.adding === 0 && box.handOver === undefined) this.#boxes.delete(`${box.host.domain}\0${box.local}`)
  }
}

/** Nothing is left but what came while it was under way. */
function hasCaughtUp(rows: readonly Kept[], { live }: Mailbox): boolean {
  const first = rows[0]
  return rows.length < pageSize || (first !== undefined && live.has(first.stanza))
}

/** Until a message that is on its way into the store is there, or is refused. */
function oneAdded(box: Mailbox): Promise<void> {
  return new Promise((resolve) => box.waiting.push(resolve))
}

function isReady(session: Session): boolean {
  return session.isActive && session.isAvailable && session.priority >= 0
}

/** Undefined when the bytes are no message: they may come from a foreign backup. */
export function readMessage(bytes: Octets): Element | undefined {
  try {
    const el = parseOctets(bytes)
    return el.name === 'message' ? el : undefined
  } catch (error) {
    if (error instanceof XmlError) return undefined
    throw error
  }
}
