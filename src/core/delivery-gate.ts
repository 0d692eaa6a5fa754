/** What a module may put between a session and its link: stanzas that the client need not have now wait there. */
import type { Octets } from '../xml/octets.ts'

export interface DeliveryGate {
  /** When the oldest stanza came that it keeps, in milliseconds since 1970. */
  readonly since: number
  /** Keeps a stanza, in a copy of its own. False: it goes now, and all that is kept goes before it. */
  holds(bytes: Octets): boolean
  /** All that it keeps, in order; then it keeps nothing. */
  take(): readonly Octets[]
  /** The session goes on without it. */
  lift(): void
}
