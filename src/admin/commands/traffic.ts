/**
 * What sessions said and heard in a while: the counters that each session and its socket have anyway are read twice. So nobody
 * counts anything for it on a stanza's way, and while nobody asks it costs nothing at all.
 */
import type { HookTable } from '../../core/hook-table.ts'
import type { Session } from '../../core/session.ts'
import type { SessionTable } from '../../core/session-table.ts'
import type { Clock } from '../../world/clock.types.ts'

/** Counters of a session, or what they rose by. */
export interface Tally {
  /** Stanzas from the client. */
  received: number
  /** Stanzas to the client. */
  delivered: number
  bytesIn: number
  bytesOut: number
}

/** Of a host. */
export interface HostTally extends Tally {
  /** Sessions that ended. */
  ended: number
}

/** What is looked at in a turn of the event loop: some 2 ms. */
const SESSIONS_A_TURN = 5_000

export const noTally: Readonly<Tally> = Object.freeze({ received: 0, delivered: 0, bytesIn: 0, bytesOut: 0 })

export function tallyOf(session: Session): Tally {
  const { state, received, delivered } = session
  const traffic = state.kind === 'active' ? state.link.traffic : undefined
  return {
    received,
    delivered,
    bytesIn: traffic?.receivedBytes ?? 0,
    bytesOut: traffic?.sentBytes ?? 0,
  }
}

/** One that has fallen began anew: a session that goes on over another link. */
const since = (now: number, before: number) => (now >= before ? now - before : now)

export function rise(now: Tally, before: Readonly<Tally>): Tally {
  return {
    received: since(now.received, before.received),
    delivered: since(now.delivered, before.delivered),
    bytesIn: since(now.bytesIn, before.bytesIn),
    bytesOut: since(now.bytesOut, before.bytesOut),
  }
}

export function addTo(sum: Tally, tally: Tally): void {
  sum.received += tally.received
  sum.delivered += tally.delivered
  sum.bytesIn += tally.bytesIn
  sum.bytesOut += tally.bytesOut
}

/** A name under which no module's time is told. */
export const WATCHER = 'command top'

export class Traffic {
  readonly #clock: Clock
  readonly #sessions: Pick<SessionTable, 'each'>
  /** By the session's id: the object of one that moves is another afterwards. */
  readonly #before = new Map<string, Readonly<Tally>>()
  /** By domain: what sessions did that have ended since. Of their bytes nothing is known, as their links are gone. */
  readonly hosts = new Map<string, HostTally>()
  readonly #removals: (() => void)[] = []

  constructor(clock: Clock, sessions: Pick<SessionTable, 'each'>, hooks: Iterable<Pick<HookTable, 'on'>>) {
    this.#clock = clock
    this.#sessions = sessions
    for (const table of hooks) {
      this.#removals.push(table.on('session:ended', WATCHER, ({ session }) => this.#hasEnded(session)))
    }
  }

  /** Begins; `signal` ends the walk early. */
  async begin(signal: AbortSignal): Promise<void> {
    await this.#each(signal, (session) => this.#before.set(session.id, tallyOf(session)))
  }

  #hasEnded(session: Session): void {
    const tally = rise(tallyOf(session), this.#before.get(session.id) ?? noTally)
    const host = this.#host(session)
    addTo(host, { ...tally, bytesIn: 0, bytesOut: 0 })
    host.ended++
  }

  #host({ jid: { domain } }: Session): HostTally {
    const known = this.hosts.get(domain)
    if (known !== undefined) return known
    const host = { ...noTally, ended: 0 }
    this.hosts.set(domain, host)
    return host
  }

  /** Calls `take` for each session that is there, with what it has done since `begin`, which then counts for its host too. */
  async take(signal: AbortSignal, take: (session: Session, tally: Tally) => void): Promise<void> {
    await this.#each(signal, (session) => {
      const tally = rise(tallyOf(session), this.#before.get(session.id) ?? noTally)
      addTo(this.#host(session), tally)
      take(session, tally)
    })
  }

  async #each(signal: AbortSignal, call: (session: Session) => void): Promise<void> {
    const sessions: Session[] = []
    this.#sessions.each(undefined, (session) => sessions.push(session))
    for (let i = 0; i < sessions.length && !signal.aborted; i++) {
      if (i > 0 && i % SESSIONS_A_TURN === 0) await nextTurn(this.#clock)
      const session = sessions[i] as Session
      // Meanwhile it may have ended: then it was told.
      if (!session.hasEnded) call(session)
    }
  }

  /** Nobody watches any more. */
  end(): void {
    for (const remove of this.#removals) remove()
  }
}

function nextTurn(clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  clock.soon(resolve, undefined)
  return promise
}
