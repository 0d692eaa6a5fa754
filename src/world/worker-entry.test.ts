import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { workerEntry } from './worker-entry.ts'

it('names a worker’s file by the extension that the running program has', async () => {
  const from = 'file:///srv/src/store/engine.ts'
  assert.equal(workerEntry(from, './database-worker.ts').href, 'file:///srv/src/store/database-worker.ts')
  const folder = mkdtempSync(join(tmpdir(), 'ratatosk-entry-'))
  try {
    // Another extension that Node runs without a build stands for the build's.
    const built = join(folder, 'worker-entry.mts')
    copyFileSync(new URL('./worker-entry.ts', import.meta.url), built)
    const other: typeof import('./worker-entry.ts') = await import(pathToFileURL(built).href)
    assert.equal(other.workerEntry(from, './database-worker.ts').href, 'file:///srv/src/store/database-worker.mts')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
