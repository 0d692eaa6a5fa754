import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { simulate } from '../sim/simulation.ts'
import { LOCK_FILE, RealDisk } from './disk.ts'
import type { Disk } from './disk.types.ts'

const temporary = mkdtempSync(join(tmpdir(), 'ratatosk-disk-'))
after(() => rmSync(temporary, { recursive: true, force: true }))

interface Kind {
  readonly name: string
  run(play: (disk: Disk, root: string) => Promise<void>): Promise<void>
}

let count = 0
const kinds: readonly Kind[] = [
  { name: 'real', run: (play) => play(new RealDisk(), join(temporary, String(count++))) },
  { name: 'simulated', run: (play) => simulate(1, (simulation) => play(simulation.world().disk, '/data')) },
]

for (const kind of kinds) {
  describe(`${kind.name} disk`, () => {
    it('writes, reads, lists and removes', () =>
      kind.run(async (disk, root) => {
        await disk.makeDirectory(`${root}/a/b`, 0o700)
        await disk.makeDirectory(`${root}/a/b`, 0o700)
        await disk.writeText(`${root}/a/one`, 'first', 0o600)
        await disk.writeText(`${root}/a/one`, 'sécond\n', 0o600)
        assert.equal(await disk.readText(`${root}/a/one`), 'sécond\n')
        assert.deepEqual([...(await disk.list(`${root}/a`))].sort(), ['b', 'one'])
        assert.equal(await disk.exists(`${root}/a/one`), true)
        await disk.remove(`${root}/a`)
        await disk.remove(`${root}/a`)
        assert.equal(await disk.exists(`${root}/a/one`), false)
      }))

    it('tells why it cannot', () =>
      kind.run(async (disk, root) => {
        await disk.makeDirectory(root, 0o700)
        await assert.rejects(disk.readText(`${root}/none`), { name: 'WorldError', code: 'RTK_DISK_NOT_FOUND' })
        await assert.rejects(disk.readText(root), { code: 'RTK_DISK_IS_A_DIRECTORY' })
        await assert.rejects(disk.list(`${root}/none`), { code: 'RTK_DISK_NOT_FOUND' })
        await assert.rejects(disk.writeText(`${root}/none/file`, '', 0o600), { code: 'RTK_DISK_NOT_FOUND' })
        assert.deepEqual(await disk.list(root), [])
      }))

    it('resolves paths', () =>
      kind.run(async (disk) => {
        assert.equal(disk.resolve('/etc/ratatosk', 'tls/../cert.pem'), '/etc/ratatosk/cert.pem')
        assert.equal(disk.resolve('/etc', '/var/./lib'), '/var/lib')
      }))

    it('locks a directory for one holder', () =>
      kind.run(async (disk, root) => {
        await disk.makeDirectory(root, 0o700)
        const lock = await disk.lock(root)
        await assert.rejects(disk.lock(root), { code: 'RTK_DISK_LOCKED' })
        await lock.release()
        await lock.release()
        const again = await disk.lock(root)
        await again.release()
      }))
  })
}

describe('real files', () => {
  it('have the mode that was asked for, and no leavings beside them', async () => {
    const disk = new RealDisk()
    const root = join(temporary, 'modes')
    await disk.makeDirectory(root, 0o700)
    await disk.writeText(join(root, 'key'), 'secret', 0o640)
    assert.equal(statSync(join(root, 'key')).mode & 0o777, 0o640)
    await assert.rejects(disk.writeText(root, 'a file in a directory’s place', 0o600))
    assert.deepEqual(await disk.list(root), ['key'])
  })

  it('tell why a directory cannot be locked', async () => {
    const disk = new RealDisk()
    const root = join(temporary, 'unlockable')
    await assert.rejects(disk.lock(root), { code: 'RTK_DISK_NOT_FOUND' })
    await disk.makeDirectory(root, 0o700)
    chmodSync(temporary, 0o755)
    chmodSync(root, 0o555)
    // Nothing is forbidden to root.
    const user = process.getuid?.() || 65_534
    const program = `
      import { RealDisk } from ${JSON.stringify(new URL('./disk.ts', import.meta.url).href)}
      process.setuid?.(${user})
      await new RealDisk().lock(${JSON.stringify(root)}).catch(({ code }) => process.stdout.write(code))`
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
    assert.equal(stdout, 'RTK_DISK_PERMISSION')
  })

  it('are unlocked when their holder is killed, and name him while he lives', async () => {
    const disk = new RealDisk()
    const root = join(temporary, 'locked')
    await disk.makeDirectory(root, 0o700)
    const program = `
      import { RealDisk } from ${JSON.stringify(new URL('./disk.ts', import.meta.url).href)}
      await new RealDisk().lock(${JSON.stringify(root)})
      process.stdout.write('held')
      setInterval(() => {}, 1000)`
    const holder = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise((resolve) => holder.stdout.once('data', resolve))
    await assert.rejects(disk.lock(root), {
      code: 'RTK_DISK_LOCKED',
      temporary: false,
      message: `${root} is in use by process ${holder.pid}`,
    })
    const gone = new Promise((resolve) => holder.once('exit', resolve))
    holder.kill('SIGKILL')
    await gone
    const lock = await disk.lock(root)
    assert.equal(statSync(join(root, LOCK_FILE)).mode & 0o777, 0o600)
    await assert.rejects(new RealDisk().lock(root), { code: 'RTK_DISK_LOCKED' })
    await lock.release()
  })
})
