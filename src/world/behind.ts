/** What waits in a net as a whole: for figures that are read when somebody looks. */
import type { Handshakes } from './handshakes.ts'
import type { NetQueues, Transport } from './net.types.ts'

/**
 * The connections of a net whose peers fell behind. They come and go where one falls behind and catches up, which no quick one
 * does: nothing on the way of most writes.
 */
export type Behind = Set<Pick<Transport, 'queuedBytes'>>

export function queuesOf({
  behind,
  handshakes,
}: {
  readonly behind: Behind
  readonly handshakes: Handshakes
}): NetQueues {
  let behindBytes = 0
  for (const { queuedBytes } of behind) behindBytes += queuedBytes
  return { behind: behind.size, behindBytes, handshakes: handshakes.waiting }
}
