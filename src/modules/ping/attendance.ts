/**
 * XEP-0199 §4.1: whether a client that is sent things, and says nothing, is still there. The kernel notices that a silent
 * client has vanished (`tcp_keepalive`) only while it has nothing to send to him; what it has, it sends again and again for a
 * quarter of an hour (RFC 1122 section 4.2.3.5), and all that is written meanwhile would be lost with the connection.
 */
import type { Counter } from '../../core/metrics.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { Session } from '../../core/session.ts'
import type { Slot } from '../../core/slots.ts'
import { StanzaError, StreamError } from '../../stanza/error.ts'
import type { Timer } from '../../world/clock.types.ts'
import { x } from '../../xml/build.ts'

export const NS = 'urn:xmpp:ping'

/** Sessions are looked at so often, in milliseconds: what is measured is that exact. */
export const beatMs = 5_000

/** Clients asked in one beat: when a whole network goes, the answers that are waited for are bounded by this. */
const askedMax = 200

// RFC 6120 section 4.9.3.4
const errorUnanswered = new StreamError('RTK_PING_UNANSWERED', 'connection-timeout', 'no answer to a ping')

export interface AttendanceOptions {
  /** Milliseconds; Infinity: nobody is asked. */
  readonly ask_after: number
  readonly answer_timeout: number
}

export interface AttendanceCounters {
  readonly asked: Counter
  readonly unanswered: Counter
}

type AttendanceContext = Pick<ModuleContext, 'clock' | 'hosts' | 'iq' | 'log' | 'sessions' | 'slot'>

/** What was seen of a session at the last beat. */
interface Seen {
  /** Bytes that had come from him. */
  received: number
  /** He has said something since he was sent so many stanzas, and told so much else. */
  delivered: number
  told: number
  /** So many at the last beat. */
  deliveredBefore: number
  toldBefore: number
  /** Bytes that the kernel had not taken. */
  queued: number
  /** Monotonic time, milliseconds: until then he had said something since he was sent something. */
  since: number
  isAsked: boolean
}

export class Attendance {
  readonly #ctx: AttendanceContext
  readonly #options: AttendanceOptions
  readonly #counters: AttendanceCounters
  readonly #slot: Slot<Seen>
  #timer: Timer | undefined
  #asked = 0

  constructor(ctx: AttendanceContext, options: AttendanceOptions, counters: AttendanceCounters) {
    this.#ctx = ctx
    this.#options = options
    this.#counters = counters
    this.#slot = ctx.slot(
      'seen',
      (): Seen => ({
        received: 0,
        delivered: 0,
        told: 0,
        deliveredBefore: 0,
        toldBefore: 0,
        queued: 0,
        since: ctx.clock.monoMs(),
        isAsked: false,
      }),
    )
  }

  /** There are sessions to look at. */
  arm(): void {
    this.#timer ??= this.#ctx.clock.after(beatMs, (attendance: Attendance) => attendance.#beat(), this)
  }

  /** A session has ended: when it was the last, there is nobody to look at. */
  ended(): void {
    if (this.#ctx.sessions.count() > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #beat(): void {
    this.#timer = undefined
    this.#asked = 0
    for (const host of this.#ctx.hosts()) {
      this.#ctx.sessions.each(host.domain, (session) => {
        this.arm()
        this.#look(session)
      })
    }
  }

  #look(session: Session): void {
    const { state, ledger } = session
    // One that waits for the store is not silent by itself.
    if (state.kind !== 'active' || session.isBusy) return
    const seen = session.slots.get(this.#slot)
    const now = this.#ctx.clock.monoMs()
    const { queuedBytes, receivedBytes } = state.link
    // He reads, if slowly.
    const hasTaken = queuedBytes < seen.queued
    seen.queued = queuedBytes
    const hasSpoken = receivedBytes !== seen.received
    // What he was sent since the last beat may have come behind what he said.
    if (hasSpoken) {
      seen.received = receivedBytes
      seen.delivered = Math.max(seen.delivered, seen.deliveredBefore)
      seen.told = Math.max(seen.told, seen.toldBefore)
    }
    seen.deliveredBefore = session.delivered
    seen.toldBefore = session.told
    // Stanzas that are counted (XEP-0198) are asked for by whoever counts them; what else he was told is not.
    const hasAll = session.told === seen.told && (ledger !== undefined || session.delivered === seen.delivered)
    if (hasSpoken || hasTaken || hasAll) {
      seen.since = now
      seen.isAsked = false
    } else if (!seen.isAsked && now - seen.since >= this.#options.ask_after && this.#asked < askedMax) {
      this.#asked++
      this.#counters.asked.value++
      seen.isAsked = true
      if (ledger === undefined) void this.#ask(session, seen)
      else ledger.probe()
    }
  }

  /** Any answer will do, an error too; what he says otherwise is as good. */
  async #ask(session: Session, seen: Seen): Promise<void> {
    const { iq, log } = this.#ctx
    // With the question itself: who answers has all of it.
    const delivered = session.delivered + 1
    seen.deliveredBefore = delivered
    try {
      await iq.ask('get', session.host.jid, session.jid, x('ping', NS), this.#options.answer_timeout)
      seen.delivered = Math.max(seen.delivered, delivered)
    } catch (error) {
      const isSilent = error instanceof StanzaError && error.condition === 'remote-server-timeout'
      if (!isSilent) seen.delivered = Math.max(seen.delivered, delivered)
      const { state } = session
      if (!isSilent || !seen.isAsked || state.kind !== 'active' || state.link.receivedBytes !== seen.received) return
      this.#counters.unanswered.value++
      log.info('a client that does not answer is taken to be gone', {
        code: errorUnanswered.code,
        jid: session.label,
      })
      session.close({ reason: 'lost', detail: errorUnanswered.code }, errorUnanswered)
    }
  }
}
