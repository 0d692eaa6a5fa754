/**
 * One session per resource: what is bound between a client and the server, apart from its socket (DESIGN.md section 7).
 *
 *      ┌─────detach──────▶┐
 *   active              detached ──close──▶ closed ◀──link lost, or closed── active
 *      └◀────attach───────┘
 *   active, detached ──decoded elsewhere in this process, and adopted──▶ moved
 *
 * While detached it stays in the table. Without a ledger (ledger.ts) it then takes nothing: what comes for it goes the way of
 * the undeliverable. With one it takes all, and waits for its client. What survives a move is in session-codec.ts.
 *
 * A session keeps the order of its client: stanzas are processed one after the other, and while a handler waits for a
 * store, those behind it wait here, bounded, with the client's reading on hold.
 */
import type { Jid } from '../jid/jid.ts'
import { StreamError } from '../stanza/error.ts'
import type { Element } from '../xml/element.types.ts'
import type { Octets } from '../xml/octets.ts'
import { writeStanza } from '../xml/serialise.ts'
import { BoundResource } from './bound-resource.ts'
import { type DeliveryGate, withKept } from './delivery-gate.ts'
import type { Batch } from './hand-over.ts'
import type { Host } from './host.ts'
import { Ledger, type LedgerPolicy } from './ledger.ts'
import type { Origin, Packet } from './packet.ts'
import { type LinkInfo, type LinkRest, type SessionLink, unsentOf } from './session-link.ts'
import type { SessionEnd, SessionOwner, SessionState } from './session-owner.ts'

/** A larger element may stand in the queue beside `queueBytesMax`: no client sends one, and no reader is that quick. */
const largeBytes = 262_144

const detached: SessionState<Session> = { kind: 'detached' }

export class Session extends BoundResource implements Origin {
  readonly kind = 'session'
  state: SessionState<Session>
  /** Stanzas received from and delivered to the client. */
  received = 0
  delivered = 0
  /** Whom the client wrote to last: most write to the same address again, and then it needs no look into the cache. */
  lastTo: Jid | undefined = undefined
  /** Holds back what the client need not have now; undefined: all goes at once. Only while it has a link. */
  gate: DeliveryGate | undefined = undefined
  readonly #owner: SessionOwner<Session>
  #ledger: Ledger | undefined
  /** Something was delivered before the ledger was begun, and may not have left. */
  #hasEarlier = false
  /** null: one that was answered before it came here. */
  #pending: (Element | null)[] | undefined
  #waiting = false
  /** It waits for a stanza of its own. */
  #isProcessing = false
  /** Callers of `whenSettled`. */
  #tells: (() => void)[] | undefined
  #held = false
  /** It is to end as soon as its link does: the client reads too slowly. */
  #isCut = false
  /** Bytes of the largest element written since all had left, if it is above `largeBytes`. */
  #large = 0
  #batch: Batch | undefined

  constructor(
    owner: SessionOwner<Session>,
    link: SessionLink | undefined,
    jid: Jid,
    host: Host,
    id: string,
    createdMs: number,
    info: LinkInfo,
  ) {
    super(jid, host, id, createdMs, info)
    this.#owner = owner
    this.state = link === undefined ? detached : { kind: 'active', link }
  }

  get isActive(): boolean {
    return this.state.kind === 'active'
  }

  /** Closed, or moved: nothing more happens here. A detached session has not ended. */
  get hasEnded(): boolean {
    const { kind } = this.state
    return kind === 'closed' || kind === 'moved'
  }

  /** It has a link, or waits for one and keeps what comes until then. */
  get takes(): boolean {
    const { kind } = this.state
    return kind === 'active' || (kind === 'detached' && this.#ledger !== undefined)
  }

  /** Undefined until its client asks for it. */
  get ledger(): Ledger | undefined {
    return this.state.kind === 'moved' ? this.#successor(this.state.to).ledger : this.#ledger
  }

  /**
   * True while something of it is under way that is no data: a handler that its stanzas wait for, stanzas behind that one, or
   * the hand-over of what waited for the account. It passes by itself, and until then the session cannot move.
   */
  get isBusy(): boolean {
    return this.#held || !this.#isSettled || !this.takesMessages
  }

  /** What was received is settled (DESIGN.md section 9). */
  get #isSettled(): boolean {
    return !this.#waiting && (this.#pending?.length ?? 0) === 0 && this.#ledger?.isSettled !== false
  }

  /** Calls back once what was received is settled, also when the session has ended meanwhile: now, if that is so. */
  whenSettled(tell: () => void): void {
    this.#tells = [...(this.#tells ?? []), tell]
    this.#tellSettled()
  }

  #tellSettled(): void {
    const tells = this.#tells
    if (tells === undefined || !(this.#isSettled || this.state.kind === 'moved')) return
    this.#tells = undefined
    for (const tell of tells) tell()
  }

  /** From now on stanzas are counted both ways, and what is delivered is kept until it is acknowledged. Once. */
  beginLedger(policy: LedgerPolicy, id: string, resumeMs: number): void {
    if (this.state.kind === 'moved') return this.#successor(this.state.to).beginLedger(policy, id, resumeMs)
    const underWay = (this.#pending?.length ?? 0) + (this.#isProcessing ? 1 : 0)
    this.keepLedger(new Ledger(this.#owner.ledgers, policy, id, resumeMs, underWay))
  }

  /** For a session that was decoded: the ledger it had. */
  keepLedger(ledger: Ledger): void {
    this.#ledger = ledger
    this.#hasEarlier = this.delivered > ledger.sent
    ledger.goesOver(this.state.kind === 'active' ? this.state.link : undefined)
    if (ledger.journal === undefined) return
    ledger.whenSaved = () => this.#tellSettled()
    this.#owner.counts(this, ledger)
  }

  /**
   * Parts with its link, which is returned for the caller to close; undefined when it had none. What was received is still
   * processed, but nothing more may come over the old link.
   */
  detach(): SessionLink | undefined {
    const state = this.state
    if (state.kind === 'moved') return this.#successor(state.to).detach()
    if (state.kind !== 'active') return undefined
    this.state = detached
    const ledger = this.#ledger
    if (ledger === undefined) return state.link
    ledger.goesOver(undefined)
    this.#emptyInto(ledger)
    return state.link
  }

  /** As `detach`; what waits behind another stanza is not processed any more, as if it had not come. */
  park(): SessionLink | undefined {
    this.#pending = undefined
    return this.detach()
  }

  /** Goes on over another link. False when it has a link, or has ended. */
  attach(link: SessionLink, info: LinkInfo): boolean {
    const state = this.state
    if (state.kind === 'moved') return this.#successor(state.to).attach(link, info)
    if (state.kind !== 'detached') return false
    this.state = { kind: 'active', link }
    this.info = info
    if (this.#held) link.hold()
    this.ungate()
    this.#ledger?.goesOver(link)
    return true
  }

  /** For `Core.adopt`: `to` is this session from now on. Nobody is told, and the link is not closed. */
  moveTo(to: Session): void {
    this.state = { kind: 'moved', to }
    this.gate = undefined
    // So that `receive` needs no look at the state.
    this.#waiting = true
    // What is being processed counts there.
    this.#ledger?.take()
    this.#ledger = to.ledger
  }

  /** A stanza arrived from the client. */
  receive(el: Element): void {
    if (this.#waiting) {
      this.#queue(el)
      return
    }
    this.received++
    const wait = this.#owner.process(this, el)
    if (wait !== undefined) this.#await(wait)
    else if (this.#ledger !== undefined) this.#ledger.processed()
  }

  /** A stanza of the client was answered before it came here (RFC 3921 section 3): it counts, and so does the answer. */
  answered(reply: Element): void {
    if (this.state.kind === 'moved') return this.#successor(this.state.to).answered(reply)
    if (this.#waiting) this.#queue(null)
    else this.received++
    if (!this.#waiting) this.#ledger?.processed()
    this.deliverBytes(writeStanza(reply, undefined, undefined))
  }

  /** Work for the stanza that is being processed goes on while later ones are processed: none counts as settled before it. */
  opens(work: Promise<unknown>): void {
    this.ledger?.opens(work, () => this.#tellSettled())
  }

  keeps(isNow: boolean): void {
    this.ledger?.keepsNext(isNow)
  }

  #await(wait: Promise<void>): void {
    if (this.state.kind === 'moved') return this.#successor(this.state.to).#await(wait)
    this.#waiting = true
    this.#isProcessing = true
    const resume = () => {
      this.#isProcessing = false
      this.#ledger?.processed()
      this.#resume()
    }
    wait.then(resume, resume)
  }

  /** Keeps this client's later stanzas waiting until the promise is settled. The promise's failures are its maker's. */
  suspendUntil(wait: Promise<unknown>): void {
    if (this.state.kind === 'moved') {
      this.#successor(this.state.to).suspendUntil(wait)
      return
    }
    this.#waiting = true
    const resume = () => this.#resume()
    wait.then(resume, resume)
  }

  /**
   * Hands a packet to the client. False when the session cannot take it: the caller sends it the way of the
   * undeliverable. A recipient never slows a sender: beyond the limit he is cut with `policy-violation`.
   */
  deliver(packet: Packet): boolean {
    return this.deliverBytes(writeStanza(packet.el, packet.from.octets, packet.to.octets))
  }

  /** Hands a stanza from one address to another to the client, as `deliver`. */
  deliverFrom(el: Element, from: Jid, to: Jid): boolean {
    return this.deliverBytes(writeStanza(el, from.octets, to.octets))
  }

  /** As `deliver`, for bytes that were serialised once for many. */
  deliverBytes(bytes: Octets): boolean {
    const { gate } = this
    if (gate !== undefined && this.isActive) {
      if (gate.holds(bytes)) return true
      this.release()
    }
    return this.#write(bytes, 0)
  }

  /** Lets out what the gate keeps, which goes on keeping what comes. */
  release(): void {
    const { gate, state } = this
    if (state.kind === 'moved') return this.#successor(state.to).release()
    // It may end under them: the rest is still in the gate then.
    while (gate !== undefined && this.isActive) {
      const { since } = gate
      const bytes = gate.shift()
      if (bytes === undefined) return
      this.#write(bytes, since)
    }
  }

  /** Lets out what the gate keeps, and goes on without one. */
  ungate(): void {
    if (this.state.kind === 'moved') return this.#successor(this.state.to).ungate()
    this.release()
    if (!this.isActive) return
    this.gate?.lift()
    this.gate = undefined
  }

  /** Without a link nobody opens the gate: what it keeps is the newest that is not acknowledged. */
  #emptyInto(ledger: Ledger): void {
    const { gate } = this
    if (gate === undefined) return
    this.gate = undefined
    ledger.goesOver(undefined)
    for (;;) {
      const { since } = gate
      const bytes = gate.shift()
      if (bytes === undefined) break
      this.delivered++
      ledger.deliver(bytes, since)
    }
    gate.lift()
  }

  /** `since`: when it came, in milliseconds since 1970; 0: now. */
  #write(bytes: Octets, since: number): boolean {
    if (this.#ledger !== undefined) return this.#deliverCounted(this.#ledger, bytes, since)
    const state = this.state
    if (state.kind !== 'active') return state.kind === 'moved' && this.#successor(state.to).deliverBytes(bytes)
    const queued = state.link.queuedBytes
    if (queued > this.#owner.limits.queueBytesMax) this.#overflow(state.link, queued)
    this.delivered++
    state.link.write(bytes)
    if (bytes.length > largeBytes) this.#wroteLarge(state.link, bytes.length)
    return true
  }

  #deliverCounted(ledger: Ledger, bytes: Octets, since: number): boolean {
    const state = this.state
    if (state.kind === 'moved') return this.#successor(state.to).deliverBytes(bytes)
    if (state.kind === 'closed') return false
    this.delivered++
    ledger.deliver(bytes, since)
    // It was taken first, so that it becomes undeliverable behind what came before it.
    if (ledger.isFull) this.#owner.unacknowledged(this)
    return true
  }

  /** One element is not counted: a reader who is quick would be cut for what he was sent, not for how he reads. */
  #wroteLarge(link: SessionLink, bytes: number): void {
    if (bytes > this.#large) this.#large = bytes
    link.askDrained()
  }

  /**
   * Cuts the client, who may hear of it while he reads what the kernel has. Until his link is gone the session takes what
   * comes, so that all of it becomes undeliverable together and in order; as much again ends it at once.
   */
  #overflow(link: SessionLink, queued: number): void {
    const most = this.#owner.limits.queueBytesMax
    if (queued <= most + this.#large) return
    if (!this.#isCut) {
      this.#isCut = true
      this.#owner.overflow(this, queued)
      link.cut(new StreamError('RTK_SESSION_QUEUE_FULL', 'policy-violation', 'too slow in reading'))
    } else if (queued > 2 * most + this.#large) link.drop()
  }

  /** True while a client who read too slowly may still hear that he is cut. */
  get isCut(): boolean {
    return this.#isCut
  }

  /** From the link: what was written before `askDrained` has left. */
  drained(): void {
    const state = this.state
    if (state.kind === 'moved') {
      this.#successor(state.to).drained()
      return
    }
    // More may have come meanwhile.
    if (state.kind === 'active' && state.link.queuedBytes > 0) {
      if (this.#large > 0) state.link.askDrained()
    } else this.#large = 0
    const batch = this.#batch
    this.#batch = undefined
    batch?.drained()
  }

  /** Writes a batch that the store keeps until it has left; one at a time. */
  handOver(batch: Batch): void {
    this.#batch = batch
    // It may end within the call.
    this.release()
    if (this.#ledger !== undefined && this.takes) {
      this.#batch = undefined
      this.#ledger.handOver(batch, (bytes) => this.#write(bytes, 0))
      return
    }
    for (const bytes of batch.stanzas) {
      if (this.state.kind !== 'active' || this.#isCut) break
      batch.written++
      this.#write(bytes, 0)
    }
    const { state } = this
    if (!batch.isDone && state.kind === 'active') state.link.askDrained()
    else if (state.kind === 'detached') batch.ended()
    if (batch.isDone) this.#batch = undefined
  }

  /** The connection of a link is gone, and with it what had not left. The last that is heard of the link. */
  linkGone(unsent: LinkRest, link?: SessionLink): void {
    const state = this.state
    if (state.kind === 'moved') {
      this.#successor(state.to).linkGone(unsent, link)
      return
    }
    if (this.#isCut) this.linkEnded({ reason: 'error', detail: 'RTK_SESSION_QUEUE_FULL' }, link)
    const batch = this.#batch
    this.#batch = undefined
    const ledger = this.#ledger
    if (ledger !== undefined) {
      // What was sent behind its beginning is in it.
      if (this.#hasEarlier) this.#owner.unsent(this, { ...unsent, until: ledger.policy.begun }, batch)
      else batch?.ended()
      this.#hasEarlier = false
      return
    }
    this.#owner.unsent(this, this.isActive ? unsent : withKept(unsent, this.gate), batch)
  }

  /** Ends the session and its stream. Harmless when it has ended. */
  close(end: SessionEnd, error?: StreamError): void {
    const state = this.state
    if (state.kind === 'moved') {
      this.#successor(state.to).close(end, error)
      return
    }
    if (state.kind === 'closed') return
    this.state = { kind: 'closed', end }
    this.#pending = undefined
    try {
      if (state.kind === 'active') state.link.close(error)
    } finally {
      // An error that cannot be written is its maker's fault; the session has ended all the same.
      this.#hasClosed(end)
    }
  }

  #hasClosed(end: SessionEnd): void {
    this.#owner.ended(this, end)
    this.#tellSettled()
    const ledger = this.#ledger
    if (ledger === undefined) return
    this.#emptyInto(ledger)
    const settling = this.#owner.settles(this, ledger)
    const left = ledger.take()
    this.#owner.unsent(this, unsentOf(left), left.batch, settling)
  }

  /**
   * A link is gone: the client closed its stream, or the connection was lost. Nothing when the session has left that link;
   * without `link` the one it has is meant.
   */
  linkEnded(end: SessionEnd, link?: SessionLink): void {
    const state = this.state
    if (state.kind === 'moved') {
      this.#successor(state.to).linkEnded(end, link)
      return
    }
    if (state.kind !== 'active' || (link !== undefined && link !== state.link)) return
    const ledger = this.#ledger
    if (end.reason === 'lost' && ledger !== undefined && ledger.resumeMs > 0) {
      this.detach()
      this.#owner.waits(this, ledger)
      return
    }
    this.state = { kind: 'closed', end }
    this.#hasClosed(end)
  }

  /** The last of a chain of moves, remembered so that those between are not kept alive. */
  #successor(to: Session): Session {
    let last = to
    while (last.state.kind === 'moved') last = last.state.to
    if (last !== to) this.state = { kind: 'moved', to: last }
    return last
  }

  #queue(el: Element | null): void {
    if (el !== null && this.state.kind === 'moved') this.#successor(this.state.to).receive(el)
    else {
      this.received++
      this.#pending ??= []
      this.#pending.push(el)
      if (this.#pending.length >= this.#owner.limits.pendingStanzasMax) this.#hold()
    }
  }

  #hold(): void {
    if (this.#held || this.state.kind !== 'active') return
    this.#held = true
    this.#owner.held()
    this.state.link.hold()
  }

  #resume(): void {
    this.#waiting = false
    while (!this.#waiting) {
      const next = this.#pending?.shift()
      if (next === undefined) break
      const wait = next === null ? undefined : this.#owner.process(this, next)
      if (wait !== undefined) this.#await(wait)
      else this.#ledger?.processed()
    }
    if (this.#waiting) return
    if (this.#held) {
      this.#held = false
      if (this.state.kind === 'active') this.state.link.release()
    }
    this.#tellSettled()
  }
}
