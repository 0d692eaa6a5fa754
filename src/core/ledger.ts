/**
 * What a session and its client have counted, so that either knows what the other has: stanzas of the client that are
 * settled (DESIGN.md section 9), and stanzas sent to him that he has not acknowledged, which are kept until he has. The
 * core counts and keeps; what is said on the wire to that end is a module's (`LedgerPolicy`).
 *
 * A session has one from when its client asks for it. Numbers are modulo 2^32.
 */
import type { Timer } from '../world/clock.types.ts'
import type { ChildName } from '../xml/element.types.ts'
import { decode, encode, type Octets } from '../xml/octets.ts'
import { type BatchNote, NotedBatch } from './batch-note.ts'
import type { Batch } from './hand-over.ts'
import { type Beaten, beatMs, type LedgerBook } from './ledger-book.ts'
import type { LedgerData, Unacknowledged } from './ledger-data.ts'
import { OctetsRing } from './octets-ring.ts'
import { SentTimes } from './sent-times.ts'
import type { SessionLink } from './session-link.ts'
import type { SettlingCopies } from './settling.ts'

export interface LedgerPolicy {
  /** Asks the client how many stanzas he has handled. */
  readonly request: Octets
  /** The first-level element behind which stanzas count. */
  readonly begun: ChildName
  /** Stanzas and bytes that may be unacknowledged; one element is not counted. Then the session ends. */
  readonly stanzasMax: number
  readonly bytesMax: number
  /** Milliseconds for the answer to a request that has left; then the link is dropped. */
  readonly answerMs: number
  /** Keeps what ledgers have in a store; left out: it is lost with the process. */
  readonly journal?: LedgerJournal | undefined
}

/** Told what is to be kept: a stanza leaves for the client only when `saved` has said that it is. */
export interface LedgerJournal {
  /** Something was sent, acknowledged or handled. */
  changed(ledger: Ledger): void
  /** Something of it belongs with a write that was asked for just now, in this turn. */
  joins(ledger: Ledger): void
  /** It is empty, because another object or the way of the undeliverable has what it had. */
  leaves(ledger: Ledger): void
}

/** What is asked for rides behind a stanza: the one that makes so many, or so many bytes … */
const askStanzas = 32
const askBytes = 16_384
/** … or one that comes so many beats after the first that was not asked for. */
const askBeats = 5
/** After so many beats without such a stanza it is asked for by itself. */
const pauseBeats = 10
/** So many at most share memory with what they were cut from. */
const foreignMax = 32
/** A larger element may be kept beside `bytesMax`, as in `Session`. */
const largeBytes = 262_144

export class Ledger implements Beaten {
  /** Unguessable: whoever knows it and is of the account may take the session over. */
  readonly id: string
  readonly policy: LedgerPolicy
  /** How long the session waits for its client without a link, in milliseconds; 0: not at all. */
  resumeMs: number
  readonly #book: LedgerBook
  #link: SessionLink | undefined
  #expiry: Timer | undefined
  #waitsSinceMs = 0
  /** Stanzas under way that were received before the count began. */
  #uncounted: number
  #processed = 0
  /** Numbers of stanzas that others have overtaken while a store works for them, ascending. */
  #open: number[] | undefined
  #sent = 0
  readonly #kept = new OctetsRing()
  /** How many were acknowledged, whatever the numbers say. */
  #dropped = 0
  readonly #times = new SentTimes()
  #large = 0
  #listens = false
  /** A request is out, since this beat. */
  #isAsking = false
  #askedBeat = 0
  #unasked = 0
  #unaskedBytes = 0
  #unaskedBeat = 0
  #batch: Batch | undefined
  /** `#sent` behind the batch. */
  #batchSent = 0
  #noted: NotedBatch | undefined
  #journal: LedgerJournal | undefined
  /** Places, acknowledged ones counted: what the journal keeps, and what has left over this link. */
  #saved = 0
  #written = 0
  #savedHandled = 0
  /** The stanza that is being processed counts in the journal: with it the write is kept that settles it. */
  #isAhead = false
  /** Told when all is kept that was handled. */
  whenSaved: (() => void) | undefined

  constructor(book: LedgerBook, policy: LedgerPolicy, id: string, resumeMs: number, uncounted: number) {
    this.#book = book
    this.policy = policy
    this.id = id
    this.resumeMs = resumeMs
    this.#uncounted = uncounted
    this.#journal = policy.journal
  }

  // What comes from the client.

  /** Stanzas of the client that are settled, and all before them are too. */
  get handled(): number {
    const processed = this.processed32
    return this.#journal === undefined || this.#savedHandled === (processed + 1) >>> 0 ? processed : this.#savedHandled
  }

  /** For the journal: what it is to say was handled. */
  get handledToKeep(): number {
    return this.#isAhead && this.#open === undefined ? (this.#processed + 1) >>> 0 : this.processed32
  }

  /** The same, whether it is kept or not. */
  get processed32(): number {
    const first = this.#open?.[0]
    return first === undefined ? this.#processed : (first - 1) >>> 0
  }

  /** Nothing that others have overtaken is open, and what is to be kept is. */
  get isSettled(): boolean {
    return this.#open === undefined && this.handled === this.#processed
  }

  get journal(): LedgerJournal | undefined {
    return this.#journal
  }

  /** One more was processed; in order. */
  processed(): void {
    if (this.#uncounted > 0) this.#uncounted--
    else {
      this.#processed = (this.#processed + 1) >>> 0
      this.#isAhead = false
      this.#journal?.changed(this)
    }
  }

  /** What becomes of the stanza being processed is about to be kept, `isNow` by a write just asked for: it counts in the same. */
  keepsNext(isNow: boolean): void {
    if (this.#journal === undefined || this.#uncounted > 0) return
    this.#isAhead = true
    if (isNow) this.#journal.joins(this)
    else this.#journal.changed(this)
  }

  /** For the stanza that is being processed something goes on that later ones do not wait for. */
  opens(work: Promise<unknown>, closed: () => void): void {
    if (this.#uncounted > 0) return
    const number = (this.#processed + 1) >>> 0
    this.#open ??= []
    this.#open.push(number)
    const done = () => {
      const rest = this.#open ?? []
      rest.splice(rest.indexOf(number), 1)
      if (rest.length === 0) this.#open = undefined
      this.#journal?.changed(this)
      closed()
    }
    work.then(done, done)
  }

  // What goes to the client.

  get sent(): number {
    return this.#sent
  }

  /** How many of all that were sent he has acknowledged. */
  get acknowledged(): number {
    return this.#dropped
  }

  get #last(): number {
    return this.#dropped + this.#kept.length
  }

  /** For the journal: what it does not keep yet and is not about to keep before `from`, and the places of it. */
  unsaved(from: number): { readonly first: number; readonly last: number; readonly stanzas: readonly Octets[] } {
    const first = Math.max(this.#saved, this.#dropped, from)
    const stanzas: Octets[] = []
    for (let place = first; place < this.#last; place++) stanzas.push(this.#kept.at(place - this.#dropped))
    return { first, last: this.#last, stanzas }
  }

  /** From the journal: it keeps what was sent between these places, and what was handled up to this number. */
  saved(first: number, last: number, handled: number): void {
    // What was before failed: it comes again, and this with it.
    if (first > Math.max(this.#saved, this.#dropped)) return
    this.#saved = last
    this.#savedHandled = handled
    this.#writeSaved()
    this.whenSaved?.()
  }

  #writeSaved(): void {
    const link = this.#link
    if (link === undefined) return
    const end = Math.min(this.#saved, this.#last)
    for (let place = Math.max(this.#written, this.#dropped); place < end; place++) {
      const bytes = this.#kept.at(place - this.#dropped)
      link.write(bytes)
      this.#wrote(bytes.length)
    }
    this.#written = Math.max(this.#written, end)
    if (this.#batch !== undefined) this.ask()
  }

  /** Stanzas and bytes that he has not acknowledged. */
  get length(): number {
    return this.#kept.length
  }

  get bytes(): number {
    return this.#kept.bytes
  }

  get isFull(): boolean {
    const { stanzasMax, bytesMax } = this.policy
    return this.#kept.length > stanzasMax || this.#kept.bytes > bytesMax + this.#large
  }

  /** From now on stanzas go over this link; undefined: over none. */
  goesOver(link: SessionLink | undefined): void {
    if (link !== undefined) this.stopsWaiting()
    this.#link = link
    this.#isAsking = false
    this.#unaskedBeat = this.#book.beat
    this.#written = this.#last
  }

  /**
   * Counts a stanza, keeps it, and writes it where there is a link; with a journal when it is kept there. `since`: when it came,
   * in milliseconds since 1970; 0: now.
   */
  deliver(bytes: Octets, since = 0): void {
    const link = this.#link
    const journal = this.#journal
    if (link !== undefined && journal === undefined) link.write(bytes)
    const kept = this.#kept
    const book = this.#book
    kept.push(bytes)
    this.#sent = (this.#sent + 1) >>> 0
    book.bytes += bytes.length
    if (bytes.length > largeBytes && bytes.length > this.#large) this.#large = bytes.length
    if (kept.foreign > foreignMax) kept.own()
    if (!this.#listens) this.#listen()
    if (since > 0 || this.#times.beat !== book.beat) this.#times.note(this.#dropped, this.#last - 1, book, since)
    if (journal !== undefined) journal.changed(this)
    else this.#wrote(bytes.length)
  }

  /** Asks behind what was written, when it is time to. */
  #wrote(bytes: number): void {
    const book = this.#book
    if (this.#unasked++ === 0) this.#unaskedBeat = book.beat
    this.#unaskedBytes += bytes
    if (this.#link === undefined || this.#isAsking) return
    if (this.#unasked >= askStanzas || this.#unaskedBytes >= askBytes || book.beat - this.#unaskedBeat >= askBeats)
      this.ask()
  }

  /** Asks what the client has handled, unless a request is out or nothing is open. */
  ask(): void {
    const link = this.#link
    if (link === undefined || this.#isAsking || this.#kept.length === 0) return
    // Nothing has left that he could have.
    if (this.#journal !== undefined && this.#written <= this.#dropped) return
    this.#request(link)
  }

  /** Asks although nothing is open, whether the client is there: if he does not answer in time his link is dropped. */
  probe(): void {
    const link = this.#link
    if (link === undefined || this.#isAsking) return
    if (!this.#listens) this.#listen()
    this.#request(link)
  }

  #request(link: SessionLink): void {
    link.write(this.policy.request)
    this.#isAsking = true
    this.#askedBeat = this.#book.beat
    this.#unasked = 0
    this.#unaskedBytes = 0
  }

  /** Whether the client may say that he has handled `h`. What he said before he may say again. */
  mayAcknowledge(h: number): boolean {
    if (this.#countTo(h) <= this.#kept.length) return true
    // Half the numbers are behind him, but none before the first.
    return (this.#sent - this.#kept.length - h) >>> 0 <= Math.min(this.#dropped, 0x8000_0000)
  }

  /** The client has handled `h` stanzas. False: he was not sent as many. */
  acknowledge(h: number): boolean {
    if (!this.mayAcknowledge(h)) return false
    this.#isAsking = false
    this.#unaskedBeat = this.#book.beat
    const count = this.#countTo(h)
    if (count <= this.#kept.length) this.#drop(count)
    const batch = this.#batch
    if (batch === undefined) return true
    if (this.#kept.length <= (this.#sent - this.#batchSent) >>> 0) {
      this.#batch = undefined
      batch.drained()
    } else this.ask()
    return true
  }

  #countTo(h: number): number {
    return (h - (this.#sent - this.#kept.length)) >>> 0
  }

  #drop(count: number): void {
    this.#dropped += count
    this.#journal?.changed(this)
    this.#book.bytes -= this.#kept.drop(count)
    if (this.#kept.length > 0) return
    this.#large = 0
    this.#times.clear()
    this.#unasked = 0
    this.#unaskedBytes = 0
  }

  /** Delivers what a store keeps until it is acknowledged; one batch at a time. `deliver` is false when the session has ended. */
  handOver(batch: Batch, deliver: (bytes: Octets) => boolean): void {
    this.#batch = batch
    this.#notes(batch, this.#last)
    for (const bytes of batch.stanzas) {
      // The session may end within the call, and then it is undeliverable with the others.
      batch.written++
      if (deliver(bytes)) continue
      batch.written--
      return
    }
    this.#batchSent = this.#sent
    if (batch.written > 0) this.ask()
    else {
      this.#batch = undefined
      batch.drained()
    }
  }

  /** Among what it keeps are those of a batch that it was handed in a former process, from this place on. */
  goesOnWith(batch: Batch, place: number): void {
    const { length } = batch.stanzas
    batch.written = length
    this.#notes(batch, place)
    if (length === 0) {
      batch.drained()
      return
    }
    this.#batch = batch
    this.#batchSent = (this.#sent - (this.#last - place - length)) >>> 0
  }

  #notes(batch: Batch, place: number): void {
    if (this.#journal === undefined) return
    this.#noted = NotedBatch.of(batch, place, () => {
      this.#noted = undefined
      this.#journal?.joins(this)
    })
  }

  /** For the journal; undefined when nothing of a batch is in its store still. */
  get note(): BatchNote | undefined {
    return this.#noted?.note
  }

  /** As `NotedBatch.settles`. */
  settles(removed: () => void): SettlingCopies | undefined {
    return this.#noted?.settles(this.#dropped, removed)
  }

  /** Sends again, over a new link, what was not acknowledged. */
  repeat(): void {
    const link = this.#link
    if (link === undefined) return
    if (this.#journal !== undefined) {
      this.#written = this.#dropped
      this.#writeSaved()
    } else for (let i = 0; i < this.#kept.length; i++) link.write(this.#kept.at(i))
    this.ask()
  }

  beat(): boolean {
    const kept = this.#kept
    const link = this.#link
    if (kept.length === 0 && (link === undefined || !this.#isAsking)) {
      kept.release()
      this.#listens = false
      return false
    }
    kept.own()
    if (link === undefined) return true
    const { beat } = this.#book
    if (!this.#isAsking) {
      if (beat - this.#unaskedBeat >= pauseBeats) this.ask()
    } else if (link.queuedBytes > 0) {
      // It is still on its way: the client cannot have it.
      this.#askedBeat = beat
    } else if ((beat - this.#askedBeat) * beatMs >= this.policy.answerMs) {
      this.#askedBeat = beat
      this.#book.silent.value++
      link.drop()
    }
    return true
  }

  // The wait for the client, and the end.

  /** The session waits; `expiry` ends it. */
  waits(expiry: Timer): void {
    this.stopsWaiting()
    this.#expiry = expiry
    this.#waitsSinceMs = this.#book.wallMs
    this.#book.waiting++
  }

  /** Since when the session waits for its client, in milliseconds since 1970; undefined while it does not. */
  get waitsSinceMs(): number | undefined {
    return this.#expiry === undefined ? undefined : this.#waitsSinceMs
  }

  stopsWaiting(): void {
    if (this.#expiry === undefined) return
    this.#expiry.cancel()
    this.#expiry = undefined
    this.#book.waiting--
  }

  /** All that is not acknowledged, which is no more this ledger's. */
  take(): Unacknowledged {
    this.#journal?.leaves(this)
    this.#journal = undefined
    const data = { bytes: this.#join(), times: this.#times.from(this.#dropped), batch: this.#batch }
    this.#batch = this.#link = undefined
    this.stopsWaiting()
    this.#drop(this.#kept.length)
    return data
  }

  #join(): Octets {
    const all: Octets[] = []
    for (let i = 0; i < this.#kept.length; i++) all.push(this.#kept.at(i))
    return all.join('') as Octets
  }

  #listen(): void {
    this.#listens = true
    this.#book.listen(this)
  }

  // A session that moves.

  encode(): LedgerData {
    const kept: string[] = []
    for (let i = 0; i < this.#kept.length; i++) kept.push(decode(this.#kept.at(i)))
    return {
      id: this.id,
      resume: this.resumeMs,
      handled: this.#processed,
      sent: this.#sent,
      kept,
      times: this.#times.from(this.#dropped),
    }
  }

  /** The same again; the old one is empty afterwards. */
  static decode(data: LedgerData, book: LedgerBook, policy: LedgerPolicy): Ledger {
    const ledger = new Ledger(book, policy, data.id, data.resume, 0)
    ledger.#processed = data.handled
    // Places go on: a journal knows them.
    const base = (data.sent - data.kept.length) >>> 0
    ledger.#dropped = base
    ledger.#saved = base
    for (const text of data.kept) ledger.deliver(encode(text))
    ledger.#times.restore(data.times, base)
    ledger.#sent = data.sent
    return ledger
  }
}
