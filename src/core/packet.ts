/**
 * What travels (DESIGN.md section 4): one stanza with its addresses, origin and verdict. No module adds fields.
 * `from` and `to` are authoritative; the element's own attributes of these names are overwritten when it is serialised.
 */
import type { Jid } from '../jid/jid.ts'
import type { StanzaError } from '../stanza/error.ts'
import type { StanzaKind } from '../stanza/stanza.ts'
import type { Element } from '../xml/element.types.ts'

/** What became of a stanza, for whoever asked (DESIGN.md section 9). */
export type Settlement =
  /** Handed to a session, a service or a link. */
  | 'handed'
  /** Committed in a store: offline, archive. */
  | 'kept'
  /** Refused; an error went back where one may. */
  | 'bounced'
  /** Dropped on purpose, by a filter or a rule of the RFC. */
  | 'dropped'

/** Who sent a packet: a session, a component, the server itself. It owns a first-in-first-out order. */
export interface Origin {
  readonly kind: 'session' | 'service' | 'server'
  /** For log and trace: a full JID, a domain, a module's name. */
  readonly label: string
  /** Of a session: its full JID, also where it sends in the name of its account. */
  readonly jid?: Jid
  /** Told once for each packet whose `settle` was asked for. */
  settled?(packet: Packet, how: Settlement): void
  /** Told that what becomes of the stanza being handled is decided; `isNow`: a write was asked for just now that keeps it. */
  keeps?(isNow: boolean): void
  /** Told that work for the stanza being handled goes on while later ones of this source are handled. */
  opens?(work: Promise<unknown>): void
}

/** A filter's verdict. `undefined` lets the packet pass. */
export type Verdict =
  /** Gone without an answer. `reason` is a code for trace and explain. */
  | { readonly kind: 'drop'; readonly reason: string }
  /** Refused: the sender gets the error where RFC 6120 allows one. */
  | { readonly kind: 'error'; readonly error: StanzaError }
  /** Taken: the handler dealt with it (delivered, stored, answered). */
  | { readonly kind: 'done'; readonly how: Settlement }
  /** Goes on with another element in its place. */
  | { readonly kind: 'replace'; readonly el: Element }

/** More generations of stanzas than this, each sent while handling the one before, are a loop. */
export const hopsMax = 32

export class Packet {
  readonly kind: StanzaKind
  el: Element
  readonly from: Jid
  readonly to: Jid
  readonly origin: Origin
  /** True when the client sent no `to` (RFC 6120 section 8.1.1.1); `to` is then the account's bare JID. */
  readonly implicitTo: boolean
  /** Generations of stanzas that led to this one within one turn; more than `hopsMax` are dropped as a loop. */
  hops = 0
  /** True when the origin asked to be told the settlement. */
  wantsSettlement = false
  /** True when a session had taken it, whose connection ended before it left. */
  wasTaken = false
  /** True when it waited while nobody could take it (message-holds.ts), and waits no more. */
  hasWaited = false
  /** True when a delivery filter took or refused it, so that no other way is tried. */
  isSettledByFilter = false
  /** What was to be told instead of the origin: a session left it, and counts what is settled (settling.ts). */
  whenKept: (() => void) | undefined = undefined
  /** Tells how it ended, while somebody is asked to keep it. */
  tellsKept: (() => void) | undefined = undefined
  /** Set while somebody traces; empty otherwise. */
  trace: PacketTrace | undefined = undefined

  constructor(kind: StanzaKind, el: Element, from: Jid, to: Jid, origin: Origin, implicitTo = false) {
    this.kind = kind
    this.el = el
    this.from = from
    this.to = to
    this.origin = origin
    this.implicitTo = implicitTo
  }

  /**
   * Says that a store was asked just now, in this turn, to keep it: what was counted of the sender's is written with it, so that
   * after a crash it is neither twice in that store nor nowhere. Once; also when the store then refuses.
   */
  isBeingKept(): void {
    if (this.whenKept !== undefined) this.whenKept()
    else this.origin.keeps?.(true)
  }

  /**
   * Says that a store has it, before anybody can be handed it from there: who copies what waits must know by then who is not
   * handed it. Once; who does not say so is taken at his verdict.
   */
  isKept(): void {
    const tell = this.tellsKept
    this.tellsKept = undefined
    tell?.()
  }

  settle(how: Settlement): void {
    if (this.wantsSettlement) {
      this.wantsSettlement = false
      this.origin.settled?.(this, how)
    }
  }
}

export interface PacketTrace {
  readonly id: string
  note(step: string, detail: string): void
}

/** Verdicts that need no detail are made once. */
export const verdictHanded: Verdict = { kind: 'done', how: 'handed' }
export const verdictKept: Verdict = { kind: 'done', how: 'kept' }

export function drop(reason: string): Verdict {
  return { kind: 'drop', reason }
}

export function refuse(error: StanzaError): Verdict {
  return { kind: 'error', error }
}
