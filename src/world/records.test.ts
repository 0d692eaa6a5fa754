/** What of a TLS write has not been taken is never told too low. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { untakenOfRecords } from './socket.ts'

const RECORD = 16_384
/** Header, content type and tag of TLS 1.3 (RFC 8446 section 5.2). */
const OVERHEAD = 22

test('a record that is there in part counts as a whole, and those behind it too', () => {
  for (const writing of [1, 8_000, RECORD, RECORD + 8_000, 3 * RECORD + 1, 8 * RECORD]) {
    const records = Array.from({ length: Math.ceil(writing / RECORD) }, (_, i) =>
      Math.min(RECORD, writing - i * RECORD),
    )
    let left = 0
    let untaken = 0
    for (const record of records.reverse()) {
      untaken += record
      for (const part of [1, 10, record, record + OVERHEAD])
        assert.ok(untakenOfRecords(writing, left + part) >= untaken, `${writing} ${left + part}`)
      left += record + OVERHEAD
    }
  }
  assert.equal(untakenOfRecords(RECORD, 0), 0)
})
