/**
 * Sessions that have lost their connection and wait for their client: for a while, and then they end. Another connection of
 * the account takes one over, also while the old one seems to be alive.
 */
import type { Jid } from '../jid/jid.ts'
import { StreamError } from '../stanza/error.ts'
import type { Clock } from '../world/clock.types.ts'
import type { Log } from '../world/log.types.ts'
import { placeText } from '../world/net-error.ts'
import type { Ledger } from './ledger.ts'
import type { Counter, Metrics } from './metrics.ts'
import type { Session } from './session.ts'
import { outlives } from './session-journal.ts'
import type { LinkInfo, SessionLink } from './session-link.ts'
import type { SessionEnd } from './session-owner.ts'

const errorFull = new StreamError('RTK_SESSION_UNACKNOWLEDGED', 'policy-violation', 'too much is not acknowledged')
const errorTaken = new StreamError('RTK_SESSION_RESUMED', 'conflict', 'the session was resumed on another stream')

/** Clients are given so long, in milliseconds, to say what they have when server or host stops; and are looked at so often. */
const lastAnswerMs = 1_000
const lastLookMs = 50

export interface ResumptionNeeds {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** The session that has a full JID. */
  find(jid: Jid): Session | undefined
  /** Calls `fn` for each session. */
  each(fn: (session: Session) => void): void
  /** Told when a session has a link again. */
  resumed(session: Session): void
}

export class Resumption {
  readonly #needs: ResumptionNeeds
  readonly #resumed: Counter
  /** How many ask for a session, by SM-ID, while it is not settled. */
  readonly #turns = new Map<string, number>()
  readonly #expired: Counter
  readonly #full: Counter

  constructor(needs: ResumptionNeeds) {
    this.#needs = needs
    const { metrics } = needs
    this.#resumed = metrics.counter(
      'ratatosk_sessions_resumed_total',
      'Sessions that went on over another connection (XEP-0198)',
    )
    this.#expired = metrics.counter(
      'ratatosk_sessions_expired_total',
      'Sessions that ended because their client did not come back in time; limit modules.sm.resume_timeout',
    )
    this.#full = metrics.counter(
      'ratatosk_sessions_unacknowledged_total',
      'Sessions that ended because their client acknowledged too little; limits modules.sm.queue_stanzas, modules.sm.queue_bytes',
    )
  }

  /** The session has no link; it ends when its client does not come back within `ledger.resumeMs`. */
  waits(session: Session, ledger: Ledger): void {
    const { clock, log } = this.#needs
    const expired = (late: Session) => {
      this.#expired.value++
      late.close({ reason: 'lost', detail: 'expired' })
    }
    ledger.waits(clock.after(ledger.resumeMs, expired, session))
    if (log.enabled('debug')) log.debug('a session waits for its client', { jid: session.label })
  }

  /**
   * Another connection is about to take the session over: the old one is closed, if it seems to be alive. Once all is settled
   * that was received from the client, `decided` is called: with the session as it is then, for `resume`; with undefined
   * when it has ended; with the error that ends the connection when a later one asks for the same meanwhile, because a client
   * that comes again has given the former up.
   */
  take(session: Session, decided: (session: Session | StreamError | undefined) => void): void {
    const { jid, ledger } = session
    const id = ledger?.id ?? ''
    const turn = (this.#turns.get(id) ?? 0) + 1
    this.#turns.set(id, turn)
    this.#release(session)
    session.whenSettled(() => {
      if (this.#turns.get(id) !== turn) {
        decided(errorTaken)
        return
      }
      this.#turns.delete(id)
      const found = this.#needs.find(jid)
      const isSame = found?.ledger !== undefined && found.ledger.id === ledger?.id && found.ledger.resumeMs > 0
      decided(isSame && !found.isActive ? found : undefined)
    })
  }

  #release(session: Session): void {
    const { ledger } = session
    const link = ledger === undefined ? undefined : session.detach()
    if (ledger === undefined || link === undefined) return
    this.waits(session, ledger)
    link.close(errorTaken)
  }

  /** The session goes on over this link: what was not acknowledged is sent again. False when it has one, or has ended. */
  resume(session: Session, link: SessionLink, info: LinkInfo): boolean {
    const { ledger } = session
    const { address: host, port, agent } = session.info
    const resumedFrom = host === '' ? 'unix' : placeText({ kind: 'tcp', host, port })
    // A session is of one client, whether that says so again or not.
    const known = agent === undefined || info.agent !== undefined ? info : { ...info, agent }
    if (ledger === undefined || !session.attach(link, { ...known, resumedFrom })) return false
    this.#resumed.value++
    session.told++
    ledger.repeat()
    this.#needs.resumed(session)
    return true
  }

  /** Nobody may take the session over any more, because what let him is no longer so; if it waits, it ends. */
  forbid(session: Session, end: SessionEnd): void {
    const { ledger } = session
    if (ledger === undefined) return
    ledger.resumeMs = 0
    if (!session.isActive) session.close(end)
  }

  /** Asks clients what they have, these or all whose sessions do not outlive the server: they will end, and what they have need not be kept for them. */
  async ask(sessions?: readonly Session[]): Promise<void> {
    const each = (fn: (session: Session) => void) =>
      sessions === undefined ? this.#needs.each(fn) : sessions.forEach(fn)
    for (let waitedMs = 0; waitedMs < lastAnswerMs; waitedMs += lastLookMs) {
      let open = 0
      each((session) => {
        const { isActive, ledger } = session
        if (!isActive || ledger === undefined || ledger.length === 0) return
        if (sessions === undefined && outlives(session)) return
        open++
        ledger.ask()
      })
      if (open === 0) return
      await new Promise<void>((resolve) => this.#needs.clock.after(lastLookMs, resolve, undefined))
    }
  }

  /** Its client has acknowledged too little. */
  full(session: Session): void {
    this.#full.value++
    this.#needs.log.info('a session ended because too much was not acknowledged', {
      code: errorFull.code,
      jid: session.label,
    })
    session.close({ reason: 'error', detail: errorFull.code }, errorFull)
  }
}
