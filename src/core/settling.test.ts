/** How far what an ended session left is settled, and what a journal remembers of a batch. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Octets } from '../xml/octets.ts'
import { leftOf, NotedBatch } from './batch-note.ts'
import { Batch } from './hand-over.ts'
import { Settling } from './settling.ts'

const nothing = { passed: [], copies: null }

describe('a session that is settled', () => {
  it('has come as far as the first that is open; those behind it are remembered', () => {
    const told: boolean[] = []
    const settling = new Settling(7, nothing, (_one, isNow) => told.push(isNow))
    assert.deepEqual([settling.begins(), settling.begins(), settling.begins()], [7, 8, 9])
    settling.ends(8, true)
    assert.deepEqual([settling.place, settling.note.passed], [7, [8]])
    settling.ends(8)
    settling.ends(7)
    assert.deepEqual([settling.place, settling.note.passed], [9, []])
    assert.deepEqual(told, [true, false])
    settling.isAtEnd()
    assert.equal(settling.isOver, false)
    settling.ends(9)
    assert.equal(settling.isOver, true)
  })

  it('passes over what was settled before a crash, and what a store hands over itself', () => {
    const copies = { first: 4, last: 6, leftMark: 0 }
    const settling = new Settling(1, { passed: [2], copies }, () => undefined)
    const passed = [1, 2, 3, 4, 5, 6].filter((place) => settling.isPassed(place))
    assert.deepEqual(passed, [2, 4, 5])
  })

  it('is not over before what had left is removed', () => {
    const settling = new Settling(0, { passed: [], copies: { first: 0, last: 0, leftMark: 3 } }, () => undefined)
    settling.isAtEnd()
    assert.equal(settling.isOver, false)
    settling.removed()
    assert.equal(settling.isOver, true)
    assert.equal(settling.note.copies?.leftMark, 0)
  })
})

describe('what is remembered of a batch', () => {
  const stanzas = ['a', 'b', 'c'] as Octets[]
  const note = { place: 10, marks: [5, 6, 8], leftMark: 0 }

  it('is what is left of it', () => {
    assert.deepEqual(leftOf(note, 9), note)
    assert.deepEqual(leftOf(note, 12), { place: 12, marks: [8], leftMark: 6 })
    assert.deepEqual(leftOf(note, 20), { place: 13, marks: [], leftMark: 8 })
    assert.deepEqual(leftOf({ place: 13, marks: [], leftMark: 8 }, 20), { place: 13, marks: [], leftMark: 8 })
  })

  it('is what the session has taken of it, until what has left is removed', () => {
    const batch = new Batch(stanzas, note.marks)
    let removed = ''
    const noted = NotedBatch.of(batch, 10, () => {
      removed += 'live'
    })
    batch.written = 2
    assert.deepEqual(noted?.note, { place: 10, marks: [5, 6], leftMark: 0 })
    const copies = noted?.settles(11, () => {
      removed += 'ended'
    })
    assert.deepEqual(copies, { first: 11, last: 12, leftMark: 5 })
    batch.removed()
    batch.removed()
    assert.equal(removed, 'ended')
  })

  it('is nothing when whoever keeps it gave no marks', () => {
    assert.equal(
      NotedBatch.of(new Batch(stanzas), 0, () => undefined),
      undefined,
    )
  })
})
