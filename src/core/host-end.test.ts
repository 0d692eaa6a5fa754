import assert from 'node:assert/strict'
import { it } from 'node:test'
import { endInTurns, hostGone, sessionsEndedInTurn } from './host-end.ts'
import type { Session } from './session.ts'

it('sessions of a host that goes end some a turn, each once, and those that ended meanwhile not again', async () => {
  const turns: number[] = [0]
  const sessions = Array.from({ length: 3 * sessionsEndedInTurn }, (_, n) => ({
    state: { kind: n === 5 ? 'moved' : 'active' },
    close(end: { readonly reason: string }, error: unknown) {
      assert.ok(this.state.kind !== 'closed' && error === hostGone && end.reason === 'kicked')
      this.state = { kind: 'closed' }
      turns.push((turns.pop() ?? 0) + 1)
    },
  }))
  const clock = {
    soon<T>(fn: (arg: T) => void, arg: T) {
      // One ends by itself between two turns.
      const other = sessions.findLast(({ state }) => state.kind !== 'closed')
      if (other !== undefined && turns.length === 1) other.state = { kind: 'closed' }
      turns.push(0)
      queueMicrotask(() => fn(arg))
    },
  }
  assert.equal(await endInTurns(sessions as unknown as Session[], clock), 3 * sessionsEndedInTurn - 1)
  assert.deepEqual(turns, [sessionsEndedInTurn, sessionsEndedInTurn, sessionsEndedInTurn - 1])
})
