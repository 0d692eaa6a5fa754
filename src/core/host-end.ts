/** The end of the sessions of hosts that are served no more. */
import { StreamError } from '../stanza/error.ts'
import type { Clock } from '../world/clock.types.ts'
import type { Session } from './session.ts'

/** Sessions that are ended in a turn: each tells its contacts, and others are to have their turns. */
export const sessionsEndedInTurn = 64

/** To whoever has a stream to such a host: RFC 6120 section 4.9.3.5. */
export const hostGone = new StreamError('RTK_HOST_REMOVED', 'host-gone', 'this server does not serve the host any more')

/** Resolves with their number when all are told. */
export async function endInTurns(sessions: readonly Session[], clock: Pick<Clock, 'soon'>): Promise<number> {
  let ended = 0
  for (const session of sessions) {
    // One that has ended by itself meanwhile is none of ours; one that was moved is ended where it is now.
    if (session.state.kind === 'closed') continue
    if (ended > 0 && ended % sessionsEndedInTurn === 0) {
      await new Promise<void>((resolve) => clock.soon(resolve, undefined))
    }
    session.close({ reason: 'kicked', detail: hostGone.code }, hostGone)
    ended++
  }
  return ended
}
