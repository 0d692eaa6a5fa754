/** What a module may put between a session and its link: stanzas that the client need not have now wait there. */
import type { Octets } from '../xml/octets.ts'
import type { LinkRest } from './session-link.ts'

export interface DeliveryGate {
  /** When the oldest stanza came that it keeps, in milliseconds since 1970; 0: it keeps none. */
  readonly since: number
  /** Keeps a stanza, in a copy of its own. False: it goes now, and all that is kept goes before it. */
  holds(bytes: Octets): boolean
  /** The oldest that it keeps, which it keeps no more. */
  shift(): Octets | undefined
  /** The session goes on without it. */
  lift(): void
}

/** What a connection left, and behind it what waited before the gate, which is newer. */
export function withKept(left: LinkRest, gate: DeliveryGate | undefined): LinkRest {
  if (gate === undefined) return left
  const since = left.since > 0 ? left.since : gate.since
  let { heldBack } = left
  for (let bytes = gate.shift(); bytes !== undefined; bytes = gate.shift()) heldBack = (heldBack + bytes) as Octets
  return { ...left, since, heldBack }
}
