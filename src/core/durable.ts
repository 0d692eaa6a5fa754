/**
 * Sessions that outlive the process (DESIGN.md section 9, the promise *replicated*): what a ledger has counted and keeps is in
 * a store before anybody acts upon it. A stanza leaves for its client when it is kept, and an `<a/>` says what is kept; so a
 * server that was killed goes on exactly where its clients think it is.
 *
 * What one turn of the event loop changed is one write, of all sessions together: so a stanza that was handled, and the copy
 * that its recipient has not acknowledged, are there both or neither. While a write is under way the next gathers, unless what
 * it has belongs with a write of another store: then both are one transaction (`joins`, store/define.ts). So is what moves
 * between the queue of a session and the offline store at one place, whenever the process ends.
 */
import type { Clock } from '../world/clock.types.ts'
import type { Log } from '../world/log.types.ts'
import type { Octets } from '../xml/octets.ts'
import { type BatchNote, leftOf } from './batch-note.ts'
import { Batch } from './hand-over.ts'
import type { JournalFigures } from './journal-figures.ts'
import { type KeptSession, type ReadStanzas, readStanzas, textsOf } from './kept-session.ts'
import type { Ledger } from './ledger.ts'
import type { Unacknowledged } from './ledger-data.ts'
import type { Session } from './session.ts'
import { type SessionData, SessionFault } from './session-codec.ts'
import type { SessionJournal } from './session-journal.ts'
import { Settling, type SettlingNote } from './settling.ts'

/** Milliseconds until a write that failed is tried again, and until a hand-over is looked at again. */
const againMs = 1_000

/** What has changed of a session since it was kept last. */
export interface SessionChange {
  readonly host: string
  readonly local: string
  /** `Session.id` */
  readonly id: string
  /** 1: it has ended, and all that was kept of it goes. */
  readonly over: number
  /** JSON of `SessionData` without what stands in other fields; '' as before. */
  readonly data: string
  readonly handled: number
  /** Stanzas that its client has acknowledged, or that were settled since it ended, of all that it was sent. */
  readonly acked: number
  /** Places of new stanzas among all that it was sent: from `first` to before `last`. */
  readonly first: number
  readonly last: number
  /** How many bytes each has, joined by commas; '' without new ones. */
  readonly sizes: string
  readonly stanzas: Octets
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Where they are kept: a module's. */
export interface SessionKeeper {
  /** All of it or nothing; it can be repeated without harm. */
  keep(changes: readonly SessionChange[]): Promise<unknown>
  /** Tells each that is kept. */
  load(each: (kept: KeptSession) => void): Promise<void>
}

export interface DurableNeeds {
  readonly clock: Clock
  readonly log: Log
  readonly figures: JournalFigures
  readonly keeper: SessionKeeper
  /** Also of a session that is busy, or ends just now. */
  encode(session: Session): SessionData | SessionFault
  /** Without a link. */
  decode(data: unknown): Session | SessionFault
  /** One that has ended: it is in no table. */
  decodeEnded(data: unknown): Session | SessionFault
  /** A hand-over goes on: with what is left of a batch, or with nothing but what is to be removed. */
  handsOver(session: Session, batch: Batch): void
  /** What an ended session left goes the way of the undeliverable. */
  settle(session: Session, left: Pick<Unacknowledged, 'bytes' | 'times'>, settling: Settling): void
}

/** What is known of one ledger's session. */
interface Entry {
  readonly session: Session
  readonly ledger: Ledger
  /** As it is kept; '' when nobody knows. */
  data: string
  /** Up to this place its stanzas are kept, or are on their way. */
  writtenTo: number
}

type KeptData = Omit<SessionData, 'ledger' | 'received' | 'delivered'> & {
  readonly isHandedOver: boolean
  readonly ledger: { readonly id: string; readonly resume: number }
  readonly batch?: BatchNote
  /** It has ended, and nobody goes on with it. */
  readonly settling?: SettlingNote
}

type NewStanzas = Pick<SessionChange, 'first' | 'last' | 'sizes' | 'stanzas' | 'at'>

/** A session that has ended and is not settled. */
interface End {
  readonly at: Pick<SessionChange, 'host' | 'local' | 'id'>
  readonly known: KeptData
  readonly handled: number
  readonly settling: Settling
  /** What was not kept when it ended. */
  stanzas: NewStanzas
  /** They are on their way. */
  isWritten: boolean
  /** As in `Entry`. */
  data: string
}

/** What a write under way has. */
interface Written {
  readonly ledgers: {
    readonly entry: Entry
    readonly data: string
    readonly first: number
    readonly last: number
    readonly handled: number
  }[]
  readonly ends: { readonly end: End; readonly data: string; readonly isOver: boolean }[]
}

export class DurableSessions implements SessionJournal {
  readonly #needs: DurableNeeds
  readonly #entries = new Map<Ledger, Entry>()
  readonly #ends = new Map<Settling, End>()
  #changed = new Set<Ledger>()
  #changedEnds = new Set<Settling>()
  #isArmed = false
  /** Writes that are not answered. */
  #open = 0
  #writing: Promise<void> = Promise.resolve()
  #isStopped = false

  constructor(needs: DurableNeeds) {
    this.#needs = needs
  }

  /** A session counts from now on, or goes on counting as another object. */
  enters(session: Session, ledger: Ledger): void {
    this.#entries.set(ledger, { session, ledger, data: '', writtenTo: 0 })
    this.changed(ledger)
  }

  leaves(ledger: Ledger): void {
    this.#entries.delete(ledger)
    this.#changed.delete(ledger)
  }

  settles(session: Session, ledger: Ledger): Settling {
    const copies = ledger.settles(() => settling.removed()) ?? null
    const settling: Settling = this.#settling(ledger.acknowledged, { passed: [], copies })
    const data = this.#needs.encode(session)
    const at = { host: session.host.domain, local: session.jid.local, id: session.id }
    if (data instanceof SessionFault) this.#warn(session, data)
    else {
      const known = knownOf(data, false)
      const handled = ledger.handledToKeep
      const stanzas = newOf(ledger, 0, this.#needs.clock.wallMs())
      this.#ends.set(settling, { at, known, handled, settling, stanzas, isWritten: false, data: '' })
    }
    this.#settled(settling, false)
    return settling
  }

  #settling(first: number, note: SettlingNote): Settling {
    return new Settling(first, note, (one, isNow) => this.#settled(one, isNow))
  }

  #settled(settling: Settling, isNow: boolean): void {
    this.#changedEnds.add(settling)
    if (isNow) this.#now()
    else this.#arm()
  }

  changed(ledger: Ledger): void {
    this.#changed.add(ledger)
    this.#arm()
  }

  joins(ledger: Ledger): void {
    this.#changed.add(ledger)
    this.#now()
  }

  #now(): void {
    if (!this.#isStopped) this.#write()
  }

  #arm(afterMs = 0): void {
    if (this.#isArmed || this.#open > 0 || this.#isStopped) return
    this.#isArmed = true
    const { clock } = this.#needs
    const write = (self: DurableSessions) => {
      self.#isArmed = false
      self.#now()
    }
    if (afterMs === 0) clock.soon(write, this)
    else clock.after(afterMs, write, this)
  }

  #write(): void {
    const changes: SessionChange[] = []
    const written: Written = { ledgers: [], ends: [] }
    const changed = this.#changed
    const changedEnds = this.#changedEnds
    this.#changed = new Set()
    this.#changedEnds = new Set()
    for (const settling of changedEnds) this.#gatherEnd(settling, changes, written)
    for (const ledger of changed) this.#gather(ledger, changes, written)
    if (changes.length === 0) return
    this.#open++
    this.#needs.figures.writes.value++
    this.#writing = this.#needs.keeper.keep(changes).then(
      () => {
        this.#open--
        this.#needs.figures.stanzas.value += changes.reduce((sum, { first, last }) => sum + last - first, 0)
        this.#kept(written)
        if (this.#changed.size > 0 || this.#changedEnds.size > 0) this.#arm()
      },
      (error) => {
        this.#open--
        this.#failed(error, written)
      },
    )
  }

  #kept({ ledgers, ends }: Written): void {
    for (const { end, data, isOver } of ends) {
      end.data = data
      end.stanzas = nothingNew
      if (isOver) this.#ends.delete(end.settling)
    }
    for (const { entry, data, first, last, handled } of ledgers) {
      entry.data = data
      entry.ledger.saved(first, last, handled)
    }
  }

  /** Nothing leaves until it is kept: the queues of clients grow meanwhile, and they are bounded. */
  #failed(error: unknown, { ledgers, ends }: Written): void {
    this.#needs.figures.failures.value++
    this.#needs.log.warn('sessions could not be kept; it is tried again', { code: 'RTK_SESSIONS_UNKEPT', error })
    for (const { end } of ends) {
      end.data = ''
      end.isWritten = false
      this.#changedEnds.add(end.settling)
    }
    for (const { entry } of ledgers) {
      entry.data = ''
      entry.writtenTo = 0
      if (this.#entries.has(entry.ledger)) this.#changed.add(entry.ledger)
    }
    this.#arm(againMs)
  }

  #gatherEnd(settling: Settling, changes: SessionChange[], written: Written): void {
    const end = this.#ends.get(settling)
    if (end === undefined) return
    const { isOver } = settling
    const text = JSON.stringify({ ...end.known, settling: settling.note } satisfies KeptData)
    const data = text === end.data ? '' : text
    if (isOver) changes.push({ ...over, ...end.at })
    else {
      const stanzas = end.isWritten ? nothingNew : end.stanzas
      end.isWritten = true
      changes.push({ ...end.at, over: 0, data, handled: end.handled, acked: settling.place, ...stanzas })
    }
    written.ends.push({ end, data: text, isOver })
  }

  #gather(ledger: Ledger, changes: SessionChange[], written: Written): void {
    const entry = this.#entries.get(ledger)
    if (entry === undefined) return
    const { session } = entry
    const text = this.#textOf(entry)
    const data = text === entry.data ? '' : text
    const handled = ledger.handledToKeep
    const { host, jid, id } = session
    const stanzas = newOf(ledger, entry.writtenTo, this.#needs.clock.wallMs())
    entry.writtenTo = stanzas.last
    const acked = ledger.acknowledged
    changes.push({ host: host.domain, local: jid.local, id, over: 0, data, handled, acked, ...stanzas })
    written.ledgers.push({ entry, data: text, first: stanzas.first, last: stanzas.last, handled })
    // Nobody says when that is over.
    if (!session.takesMessages) this.#needs.clock.after(againMs, (one) => this.#lookAgain(one), ledger)
  }

  #lookAgain(ledger: Ledger): void {
    if (this.#entries.has(ledger)) this.changed(ledger)
  }

  /** As before when it cannot be told. */
  #textOf({ session, ledger, data: before }: Entry): string {
    const data = this.#needs.encode(session)
    if (data instanceof SessionFault) {
      this.#warn(session, data)
      return before
    }
    const { note } = ledger
    const known = knownOf(data, session.takesMessages)
    return JSON.stringify(note === undefined ? known : ({ ...known, batch: note } satisfies KeptData))
  }

  #warn({ label }: Session, { code }: SessionFault): void {
    this.#needs.log.warn('a session could not be kept as it is', { code, jid: label })
  }

  /**
   * Makes the sessions again that were there when the process ended; they wait for their clients. Those that had ended are
   * settled further.
   */
  async restore(): Promise<void> {
    let count = 0
    const ended: KeptSession[] = []
    await this.#needs.keeper.load((kept) => {
      if (kept.data !== '' && (JSON.parse(kept.data) as KeptData).settling !== undefined) ended.push(kept)
      else if (this.#told(kept, this.#restore(kept))) count++
    })
    // Others of their accounts may take what they left.
    for (const kept of ended) this.#told(kept, this.#settleFurther(kept))
    this.#needs.figures.restored.value += count
    if (count > 0) this.#needs.log.info('sessions wait for their clients again', { sessions: count })
  }

  #told({ local, host }: KeptSession, fault: SessionFault | undefined): boolean {
    if (fault === undefined) return true
    const { code, message } = fault
    this.#needs.log.error('a session cannot be made again; what was kept of it stays in the store', {
      code,
      account: `${local}@${host}`,
      why: message,
    })
    return false
  }

  #restore(kept: KeptSession): SessionFault | undefined {
    if (kept.data === '') return new SessionFault('RTK_SESSION_DATA', 'it ended before it was kept')
    const known = JSON.parse(kept.data) as KeptData
    const { handled } = kept
    const read = readStanzas(kept)
    const { next, times } = read
    const ledger = { ...known.ledger, handled, sent: next >>> 0, kept: textsOf(read), times }
    const session = this.#needs.decode({ ...known, received: handled, delivered: next, ledger })
    if (session instanceof SessionFault) return session
    session.ledger?.saved(0, next, handled)
    // What waits for the account is handed over when its client comes.
    if (session.isAvailable) session.takesMessages = known.isHandedOver
    if (known.batch !== undefined) this.#handsOver(session, leftOf(known.batch, kept.acked), kept.acked, read)
    return undefined
  }

  #handsOver(session: Session, { place, marks, leftMark }: BatchNote, acked: number, { stanzas }: ReadStanzas): void {
    const first = place - acked
    const batch = new Batch(stanzas.slice(first, first + marks.length), marks, leftMark)
    session.ledger?.goesOnWith(batch, place)
    this.#needs.handsOver(session, batch)
  }

  #settleFurther(kept: KeptSession): SessionFault | undefined {
    const { host, local, id, handled, acked } = kept
    const { settling: note, ...known } = JSON.parse(kept.data) as KeptData
    const session = this.#needs.decodeEnded({ ...known, received: handled, delivered: acked, ledger: null })
    if (session instanceof SessionFault) return session
    const settling = this.#settling(acked, note ?? { passed: [], copies: null })
    const end: End = {
      at: { host, local, id },
      known,
      handled,
      settling,
      stanzas: nothingNew,
      isWritten: true,
      data: kept.data,
    }
    this.#ends.set(settling, end)
    const leftMark = note?.copies?.leftMark ?? 0
    if (leftMark > 0) {
      const batch = new Batch([], [], leftMark)
      batch.whenRemoved = () => settling.removed()
      batch.drained()
      this.#needs.handsOver(session, batch)
    }
    const { stanzas, times } = readStanzas(kept)
    this.#needs.settle(session, { bytes: stanzas.join('') as Octets, times }, settling)
    return undefined
  }

  /** Resolves when all is kept that can be, whatever comes of it. */
  async flushed(): Promise<void> {
    this.#write()
    while (this.#open > 0) await this.#writing
  }

  /** Writes what is left to write; nothing is written afterwards. */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    await this.flushed()
    await this.flushed()
    this.#isStopped = true
  }
}

/** What is kept of it beside its stanzas. Counters of stanzas are for show. */
function knownOf(data: SessionData, isHandedOver: boolean): KeptData {
  const { received: _received, delivered: _delivered, ledger, ...rest } = data
  return { ...rest, isHandedOver, ledger: { id: ledger?.id ?? '', resume: ledger?.resume ?? 0 } }
}

function newOf(ledger: Ledger, from: number, at: number): NewStanzas {
  const { first, last, stanzas } = ledger.unsaved(from)
  const sizes = stanzas.map(({ length }) => length).join()
  return { first, last, sizes, stanzas: stanzas.join('') as Octets, at }
}

const nothingNew: NewStanzas = { first: 0, last: 0, sizes: '', stanzas: '' as Octets, at: 0 }
const over = { over: 1, data: '', handled: 0, acked: 0, ...nothingNew }
