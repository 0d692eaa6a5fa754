/** TLS handshakes are paced by the turn: SES-06. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HANDSHAKES_A_TURN, Handshakes } from './handshakes.ts'

/** Turns that end when the test says so. */
class Turns {
  #soon: (() => void)[] = []

  soon<T>(fn: (arg: T) => void, arg: T): void {
    this.#soon.push(() => fn(arg))
  }
  end(): void {
    for (const call of this.#soon.splice(0)) call()
  }
}

test('so many handshakes begin in a turn, the others in those that follow, in their order', () => {
  const turns = new Turns()
  const handshakes = new Handshakes(turns)
  const begun: number[] = []
  const count = 2 * HANDSHAKES_A_TURN + 3
  for (let i = 0; i < count; i++) handshakes.begin(() => begun.push(i))
  const after: number[] = [begun.length]
  const waiting = [handshakes.waiting]
  for (let turn = 0; turn < 3; turn++) {
    turns.end()
    after.push(begun.length)
    waiting.push(handshakes.waiting)
  }
  assert.deepEqual(after, [HANDSHAKES_A_TURN, 2 * HANDSHAKES_A_TURN, count, count])
  assert.deepEqual(begun, [...Array(count).keys()])
  assert.deepEqual(waiting, [HANDSHAKES_A_TURN + 3, 3, 0, 0])
})

test('one that comes while others wait does not overtake them', () => {
  const turns = new Turns()
  const handshakes = new Handshakes(turns)
  const begun: string[] = []
  for (let i = 0; i <= HANDSHAKES_A_TURN; i++) handshakes.begin(() => void begun.push('early'))
  handshakes.begin(() => void begun.push('late'))
  turns.end()
  assert.deepEqual(begun.slice(-2), ['early', 'late'])
})

test('one that throws stops none behind it', () => {
  const turns = new Turns()
  const handshakes = new Handshakes(turns)
  let begun = 0
  for (let i = 0; i < HANDSHAKES_A_TURN; i++) handshakes.begin(() => begun++)
  handshakes.begin(() => {
    throw new Error('no')
  })
  handshakes.begin(() => begun++)
  assert.throws(() => turns.end(), /no/)
  turns.end()
  assert.equal(begun, HANDSHAKES_A_TURN + 1)
})
