import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { suite } from './suite.ts'

/** The counts of one made-up test file, which has so many seconds. */
async function counts(source: string, timeout = 60): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'ratatosk-suite-'))
  try {
    const path = join(folder, 'made-up.test.mjs')
    writeFileSync(path, `import { test } from 'node:test'\n${source}`)
    return await suite([path], { cwd: folder, timeout, quiet: true })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('what passes, fails and is skipped is counted', async () => {
  const source = "test('a', () => {}); test('b', () => { throw 1 }); test.skip('c', () => {}); test.todo('d')"
  assert.deepEqual(await counts(source), { passed: 1, failed: 1, skipped: 2 })
})

test('a file that ends early, breaks or cannot be read is a failure', async () => {
  assert.deepEqual(await counts("test('a', () => process.exit(1))"), { passed: 0, failed: 1, skipped: 0 })
  assert.deepEqual(await counts("test('a', () => {}); throw new Error('b')"), { passed: 0, failed: 1, skipped: 0 })
  assert.deepEqual(await counts('const ='), { passed: 0, failed: 1, skipped: 0 })
})

test('a file that never ends is a failure', async () => {
  // On a busy machine Node itself may need one of them to start.
  const source = "test('a', () => {}); setInterval(() => {}, 1000)"
  assert.deepEqual(await counts(source, 3), { passed: 1, failed: 1, skipped: 0 })
})
