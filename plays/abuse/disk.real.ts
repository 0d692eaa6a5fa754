/**
 * The disk is full: a server on a few megabytes (tmpfs) that somebody fills. It stays up, chat goes on, sign-ins too; what would
 * have to be kept is refused with errors that say *later*; when there is space again all goes on, and nothing that was kept is lost.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Arena, counted } from './arena.ts'

/** Takes what is left of the disk. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (let bytes = 65_536; bytes > 0; ) {
      try {
        writeSync(file, new Uint8Array(bytes))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        bytes = Math.floor(bytes / 2)
      }
    }
  } finally {
    closeSync(file)
  }
}

/** A disk of a few megabytes; undefined where none may be made. */
function smallDisk(t: TestContext): string | undefined {
  const disk = mkdtempSync(join(tmpdir(), 'ratatosk-disk-'))
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'none', disk]).status === 0) return disk
  rmSync(disk, { recursive: true })
  t.skip('no permission to mount a file system')
  return undefined
}

function remove(disk: string): void {
  spawnSync('umount', ['-l', disk])
  rmSync(disk, { recursive: true, force: true })
}

interface Answers {
  readonly errors: number
}

describe('a full disk', { timeout: 240_000 }, () => {
  it("what fills it is the store's own log of changes: it is worked off, and nobody is refused", async (t) => {
    const disk = smallDisk(t)
    if (disk === undefined) return
    const arena = await Arena.open({}, { engine: 'sqlite', dataDir: join(disk, 'data') })
    try {
      // Some 20 KB of the log for each.
      const { done } = await arena.attack('roster', { count: 1_500, perSet: 1 })
      assert.equal(counted(await done), '1500 × result')
      assert.equal(await arena.server.storeState(), 'ready')
    } finally {
      arena.close()
      remove(disk)
    }
  })

  it('chat goes on, what cannot be kept is refused, and after it all is as before', async (t) => {
    const disk = smallDisk(t)
    if (disk === undefined) return
    const arena = await Arena.open({ engine: 'sqlite' }, { dataDir: join(disk, 'data') })
    const { server } = arena
    const kept = () => server.metric('ratatosk_offline_kept_total')
    const writesToNurse = async (count: number) => {
      const { done } = await arena.attack('numbered', { user: 'sender', count, to: 'nurse@localhost' })
      return (await done) as unknown as Answers
    }
    const contacts = async (count: number) => {
      const { done } = await arena.attack('roster', { count, perSet: 1 })
      return counted(await done)
    }
    try {
      assert.deepEqual(await writesToNurse(100), { errors: 0 })
      assert.equal(await kept(), 100)
      await arena.row({
        attack: 'full disk',
        limit: 'the disk',
        metric: 'ratatosk_store_disk_full_total',
        growthMaxMiB: 20,
        async run() {
          fill(join(disk, 'filler'))
          const { errors } = await writesToNurse(500)
          assert.equal((await kept()) - 100 + errors, 500, 'each was kept or came back')
          assert.ok(errors > 400, `${errors} were refused`)
          assert.equal(await server.storeState(), 'full')
          const answers = await contacts(5)
          assert.equal(answers, '5 × resource-constraint')
          return `${errors} × service-unavailable, ${answers}`
        },
      })
      rmSync(join(disk, 'filler'))
      const before = await kept()
      assert.deepEqual(await writesToNurse(50), { errors: 0 })
      assert.equal(await kept(), before + 50)
      assert.equal(await server.storeState(), 'ready')
      assert.equal(await contacts(5), '5 × result')
      const { done } = await arena.attack('fetch', { user: 'nurse', count: before + 50 })
      assert.deepEqual(await done, { heard: before + 50 })
    } finally {
      arena.close()
      remove(disk)
    }
  })
})
