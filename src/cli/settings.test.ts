import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createWorld } from '../world/index.ts'
import { controlPath, readSettings, type Surroundings } from './settings.ts'
import type { Terminal } from './terminal.ts'

const around = (variables: Surroundings['variables'], uid = process.getuid?.()): Surroundings => ({
  // Nothing is said or asked.
  terminal: {} as Terminal,
  variables,
  world: createWorld(),
  uid,
})

test('the file is named by option, else by variable, and the socket follows from it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rtk-settings-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'a.yaml'), 'data_dir: a\n')
  writeFileSync(join(folder, 'b.yaml'), 'data_dir: b\nlimits: { depth: none }\n')
  const variables = { RATATOSK_CONFIG: join(folder, 'b.yaml') }
  const pathFor = async (options: Parameters<typeof readSettings>[0]) =>
    controlPath(await readSettings(options, around(variables)), around(variables))
  assert.equal(
    await pathFor({}),
    join(folder, 'b/control.sock'),
    'a file with mistakes is good enough to find the server',
  )
  assert.equal(await pathFor({ config: join(folder, 'a.yaml') }), join(folder, 'a/control.sock'))
  assert.equal(await pathFor({ dataDir: '/srv/x' }), '/srv/x/control.sock')
})

test('on shared ground the folder of the socket has to be ours alone', async (t) => {
  const uid = process.getuid?.()
  if (uid === undefined) return
  const dataDir = `/srv/${'long/'.repeat(30)}`
  const settings = await readSettings({ dataDir }, around({}))
  const inRuntime = await controlPath(settings, around({ XDG_RUNTIME_DIR: '/run/user/7' }))
  assert.match(inRuntime, /^\/run\/user\/7\/ratatosk-[0-9a-f]{16}\.sock$/)

  // Folders named for users that do not exist: made by us here, so they are not theirs.
  const stranger = 3_000_000_000 + Math.floor(process.pid)
  const folder = `/tmp/ratatosk-${stranger}`
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  await assert.rejects(controlPath(settings, around({}, stranger)), { code: 'RTK_CONTROL_FOLDER' })
  assert.equal(statSync(folder).mode & 0o777, 0o700)

  const own = `/tmp/ratatosk-${uid}`
  const path = await controlPath(settings, around({}))
  assert(path.startsWith(`${own}/`) && path.length <= 107)
  const { mode } = statSync(own)
  t.after(() => chmodSync(own, mode))
  chmodSync(own, 0o750)
  await assert.rejects(controlPath(settings, around({})), { code: 'RTK_CONTROL_FOLDER' })
})
