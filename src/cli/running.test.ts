/** What Linux tells of processes, written down as it does. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { serversOf } from './running.ts'

const proc = mkdtempSync(join(tmpdir(), 'rtk-proc-'))
after(() => rmSync(proc, { recursive: true }))

const rows = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 71 /srv/one/control.sock
0000000000000000: 00000003 00000000 00000000 0001 03 72 /srv/one/control.sock
0000000000000000: 00000002 00000000 00010000 0001 01   73 /srv/with a blank/c.sock
0000000000000000: 00000002 00000000 00010000 0001 01 74 @abstract
0000000000000000: 00000002 00000000 00010000 0001 01 79 /run/of/another
`

function made(pid: number, line: readonly string[], { inodes = [71], environ = '', cwd = '/srv' } = {}): void {
  const folder = join(proc, `${pid}`)
  mkdirSync(join(folder, 'fd'), { recursive: true })
  mkdirSync(join(folder, 'net'))
  writeFileSync(join(folder, 'cmdline'), line.map((word) => `${word}\0`).join(''))
  writeFileSync(join(folder, 'environ'), environ)
  writeFileSync(join(folder, 'net/unix'), rows)
  symlinkSync(cwd, join(folder, 'cwd'))
  symlinkSync('/dev/null', join(folder, 'fd/0'))
  for (const inode of inodes) symlinkSync(`socket:[${inode}]`, join(folder, `fd/${inode}`))
}

test('servers of a configuration are found however it was named, with the sockets on which they listen', async () => {
  const main = ['node', '--max-semi-space-size=4', '/opt/ratatosk/cli/main.js']
  made(1, [...main, 'serve'], { inodes: [71, 72, 73, 74] })
  made(2, [...main, 'serve', '-c', 'a.yaml'])
  made(3, [...main, '-ca.yaml', 'serve'])
  made(4, [...main, '--config=/srv/a.yaml', 'serve', '--data-dir', 'x'])
  made(5, ['node', 'src/cli/main.ts', 'serve'], { environ: 'HOME=/\0RATATOSK_CONFIG=a.yaml\0' })
  made(6, [...main, 'serve'], { cwd: '/elsewhere' })
  made(7, [...main, 'top'])
  made(8, ['vi', 'cli/main.ts.bak', 'serve'])
  made(9, [...main, 'serve'], { inodes: [72, 74] })
  const found = async (file: string, dataDir?: string) =>
    (await serversOf({ file, dataDir }, proc)).map(({ pid, sockets }) => [pid, ...sockets])
  assert.deepEqual(await found('/srv/ratatosk.yaml'), [[1, '/srv/one/control.sock', '/srv/with a blank/c.sock']])
  assert.deepEqual(
    await found('/srv/a.yaml'),
    [2, 3, 5].map((pid) => [pid, '/srv/one/control.sock']),
  )
  assert.deepEqual(await found('/srv/a.yaml', '/srv/x'), [[4, '/srv/one/control.sock']])
  assert.deepEqual(await serversOf({ file: '/srv/a.yaml', dataDir: undefined }, join(proc, 'none')), [])
})
