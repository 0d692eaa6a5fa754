/**
 * Sessions that outlive the process (DESIGN.md section 9, the promise *replicated*): what a ledger has counted and keeps is in
 * a store before anybody acts upon it. A stanza leaves for its client when it is kept, and an `<a/>` says what is kept; so a
 * server that was killed goes on exactly where its clients think it is.
 *
 * What one turn of the event loop changed is one write, of all sessions together: so a stanza that was handled, and the copy
 * that its recipient has not acknowledged, are there both or neither. While a write is under way the next gathers.
 */
import type { Jid } from '../jid/jid.ts'
import type { Clock } from '../world/clock.types.ts'
import type { Log } from '../world/log.types.ts'
import { decode, type Octets } from '../xml/octets.ts'
import type { Ledger } from './ledger.ts'
import type { Session } from './session.ts'
import { type SessionData, SessionFault } from './session-codec.ts'
import type { SessionJournal } from './session-journal.ts'

/** Milliseconds until a write that failed is tried again, and until a session that has ended is looked at again. */
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
  /** Stanzas that its client has acknowledged, of all that it was sent. */
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

/** Stanzas that were kept together. */
export interface KeptStanzas {
  readonly first: number
  readonly sizes: string
  readonly stanzas: Octets
  readonly at: number
}

export interface KeptSession {
  readonly host: string
  readonly local: string
  readonly id: string
  readonly data: string
  readonly handled: number
  readonly acked: number
  /** In order of `first`. */
  readonly parts: readonly KeptStanzas[]
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
  readonly keeper: SessionKeeper
  /** Something that was accepted for the account is on the way of the undeliverable. */
  isUnsettled(jid: Jid): boolean
  /** Also of a session that is busy. */
  encode(session: Session): SessionData | SessionFault
  /** Without a link. */
  decode(data: unknown): Session | SessionFault
}

/** What is known of one ledger's session. */
interface Entry {
  readonly session: Session
  readonly ledger: Ledger
  data: string
}

type KeptData = Omit<SessionData, 'ledger' | 'received' | 'delivered'> & {
  readonly isHandedOver: boolean
  readonly ledger: { readonly id: string; readonly resume: number }
}

/** What a write under way has of a ledger. */
interface Written {
  readonly ledger: Ledger
  readonly last: number
  readonly handled: number
}

type Ended = Pick<SessionChange, 'host' | 'local' | 'id'> & { readonly jid: Jid }

export class DurableSessions implements SessionJournal {
  readonly #needs: DurableNeeds
  readonly #entries = new Map<Ledger, Entry>()
  #changed = new Set<Ledger>()
  /** What they left may be unsettled still. */
  #ended: Ended[] = []
  /** Of sessions that have ended since the last write. */
  #last: SessionChange[] = []
  #isArmed = false
  #writing: Promise<void> | undefined
  #isStopped = false

  constructor(needs: DurableNeeds) {
    this.#needs = needs
  }

  /** A session counts from now on, or goes on counting as another object. */
  enters(session: Session, ledger: Ledger): void {
    this.#entries.set(ledger, { session, ledger, data: '' })
    this.changed(ledger)
  }

  leaves(ledger: Ledger): void {
    this.#entries.delete(ledger)
    this.#changed.delete(ledger)
  }

  /** What it had is kept until it has gone the way of the undeliverable. */
  ended({ host, jid, id, ledger }: Session): void {
    // What others were told is handled may be in it, and nowhere else yet.
    if (ledger !== undefined && this.#changed.has(ledger)) this.#gather(ledger, this.#last, [])
    this.#ended.push({ host: host.domain, local: jid.local, id, jid })
    this.#arm()
  }

  changed(ledger: Ledger): void {
    this.#changed.add(ledger)
    this.#arm()
  }

  #arm(afterMs = 0): void {
    if (this.#isArmed || this.#writing !== undefined || this.#isStopped) return
    this.#isArmed = true
    const { clock } = this.#needs
    const write = (self: DurableSessions) => {
      self.#isArmed = false
      if (!self.#isStopped) void self.#write()
    }
    if (afterMs === 0) clock.soon(write, this)
    else clock.after(afterMs, write, this)
  }

  #write(): Promise<void> {
    if (this.#writing !== undefined) return this.#writing
    const changes: SessionChange[] = this.#last
    const written: Written[] = []
    this.#last = []
    const changed = this.#changed
    this.#changed = new Set()
    for (const ledger of changed) this.#gather(ledger, changes, written)
    const gone = this.#ended.filter(({ jid }) => !this.#needs.isUnsettled(jid))
    this.#ended = this.#ended.filter((one) => !gone.includes(one))
    for (const { host, local, id } of gone) changes.push({ ...over, host, local, id })
    if (changes.length === 0) {
      if (this.#ended.length > 0) this.#arm(againMs)
      return Promise.resolve()
    }
    const done = this.#needs.keeper.keep(changes).then(
      () => {
        this.#writing = undefined
        for (const { ledger, last, handled } of written) ledger.saved(last, handled)
        if (this.#changed.size > 0) this.#arm()
        else if (this.#ended.length > 0) this.#arm(againMs)
      },
      (error) => {
        this.#writing = undefined
        this.#failed(error, written, gone)
        this.#last.unshift(...changes.filter(({ over, id }) => over === 0 && !this.#isLive(id)))
      },
    )
    this.#writing = done
    return done
  }

  #isLive(id: string): boolean {
    return this.#entries.values().some(({ session }) => session.id === id)
  }

  /** Nothing leaves until it is kept: the queues of clients grow meanwhile, and they are bounded. */
  #failed(error: unknown, written: readonly Written[], gone: readonly Ended[]): void {
    this.#needs.log.warn('sessions could not be kept; it is tried again', { code: 'RTK_SESSIONS_UNKEPT', error })
    for (const { ledger } of written) if (this.#entries.has(ledger)) this.#changed.add(ledger)
    for (const { ledger } of written) {
      const entry = this.#entries.get(ledger)
      if (entry !== undefined) entry.data = ''
    }
    this.#ended.push(...gone)
    this.#arm(againMs)
  }

  #gather(ledger: Ledger, changes: SessionChange[], written: Written[]): void {
    const entry = this.#entries.get(ledger)
    if (entry === undefined) return
    const { session } = entry
    const data = this.#dataOf(entry)
    const { first, last, stanzas } = ledger.unsaved()
    const handled = ledger.processed32
    changes.push({
      host: session.host.domain,
      local: session.jid.local,
      id: session.id,
      over: 0,
      data,
      handled,
      acked: ledger.acknowledged,
      first,
      last,
      sizes: stanzas.map(({ length }) => length).join(),
      stanzas: stanzas.join('') as Octets,
      at: this.#needs.clock.wallMs(),
    })
    written.push({ ledger, last, handled })
    // Nobody says when that is over.
    if (!session.takesMessages) this.#needs.clock.after(againMs, (one) => this.#lookAgain(one), ledger)
  }

  #lookAgain(ledger: Ledger): void {
    if (this.#entries.has(ledger)) this.changed(ledger)
  }

  /** '' when it is as before. */
  #dataOf(entry: Entry): string {
    const data = this.#needs.encode(entry.session)
    if (data instanceof SessionFault && data.code === 'RTK_SESSION_ENDED') return ''
    if (data instanceof SessionFault) {
      this.#needs.log.warn('a session could not be kept as it is', { code: data.code, jid: entry.session.label })
      return ''
    }
    // Counters of stanzas are for show.
    const { received: _received, delivered: _delivered, ledger, ...rest } = data
    const known: KeptData = {
      ...rest,
      isHandedOver: entry.session.takesMessages,
      ledger: { id: ledger?.id ?? '', resume: ledger?.resume ?? 0 },
    }
    const text = JSON.stringify(known)
    if (text === entry.data) return ''
    entry.data = text
    return text
  }

  /** Makes the sessions again that were there when the process ended; they wait for their clients. */
  async restore(): Promise<void> {
    let count = 0
    await this.#needs.keeper.load((kept) => {
      const fault = this.#restore(kept)
      if (fault === undefined) count++
      else {
        const { code, message } = fault
        this.#needs.log.error('a session cannot be made again; what was kept of it stays in the store', {
          code,
          account: `${kept.local}@${kept.host}`,
          why: message,
        })
      }
    })
    if (count > 0) this.#needs.log.info('sessions wait for their clients again', { sessions: count })
  }

  #restore({ data, handled, acked, parts }: KeptSession): SessionFault | undefined {
    if (data === '') return new SessionFault('RTK_SESSION_DATA', 'it ended before it was kept')
    const stanzas: string[] = []
    const times: number[] = []
    let next = acked
    for (const { first, sizes, stanzas: bytes, at } of parts) {
      let start = 0
      let place = first
      for (const size of sizes.split(',').map(Number)) {
        if (place === next) {
          if (times.at(-1) !== at) times.push(stanzas.length, at)
          stanzas.push(decode(bytes.slice(start, start + size) as Octets))
          next++
        }
        start += size
        place++
      }
    }
    const known = JSON.parse(data) as KeptData
    const ledger = { ...known.ledger, handled, sent: next >>> 0, kept: stanzas, times }
    const session = this.#needs.decode({ ...known, received: handled, delivered: next, ledger })
    if (session instanceof SessionFault) return session
    session.ledger?.saved(next, handled)
    // What waits for the account is handed over when its client comes.
    if (session.isAvailable) session.takesMessages = known.isHandedOver
    return undefined
  }

  /** Writes what is left to write; nothing is written afterwards. */
  async stop(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
    await this.#write()
    this.#isStopped = true
  }
}

const over: Omit<SessionChange, 'host' | 'local' | 'id'> = {
  over: 1,
  data: '',
  handled: 0,
  acked: 0,
  first: 0,
  last: 0,
  sizes: '',
  stanzas: '' as Octets,
  at: 0,
}
