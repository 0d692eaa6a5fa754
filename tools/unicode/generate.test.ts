import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { pack, render, TARGET } from './generate.ts'
import { CODE_POINTS } from './properties.ts'

test('the committed tables are what the generator makes', async () => {
  assert.equal(readFileSync(TARGET, 'utf8'), await render())
})

test('runs are packed as documented', () => {
  const values = new Uint8Array(CODE_POINTS).fill(2, 36)
  values[0] = 1
  assert.equal(pack(values), `B1A${(35).toString(36)}C${(CODE_POINTS - 36).toString(36)}`)
})
