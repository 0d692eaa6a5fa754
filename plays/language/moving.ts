/**
 * DESIGN.md section 7: every session of a server is encoded, dropped and decoded between any two stanzas that it handles.
 * The decoded ones take over the links; who still holds a dropped one reaches its successor through it.
 */
import assert from 'node:assert/strict'
import { decodeSession, encodeSession, SessionFault } from '../../src/core/session-codec.ts'
import type { Server } from '../../src/index.ts'

export interface Moves {
  /** Sessions that were decoded in the place of another. */
  moved: number
  /** Sessions that had something under way, and were left for the next time. */
  busy: number
}

export function moveSessions(server: Server, moves: Moves): void {
  const { core } = server
  const process = core.process.bind(core)
  const moveAll = () =>
    core.sessions.each(undefined, (session) => {
      if (session.state.kind !== 'active') return
      const { link } = session.state
      const data = encodeSession(core, session)
      if (data instanceof SessionFault) {
        assert.equal(data.code, 'RTK_SESSION_BUSY', data.message)
        moves.busy++
        return
      }
      const made = decodeSession(core, JSON.parse(JSON.stringify(data)), link)
      if (made instanceof SessionFault) throw made
      assert.equal(core.sessions.find(session.jid), made)
      moves.moved++
    })
  core.process = (session, el) => {
    moveAll()
    return process(core.sessions.find(session.jid) ?? session, el)
  }
}
