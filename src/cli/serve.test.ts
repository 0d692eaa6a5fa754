/** The real command: a process of its own on free ports. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'

const command = new URL('../../bin/ratatosk', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'rtk-serve-'))
const file = join(folder, 'r.yaml')
const children: ChildProcess[] = []
writeFileSync(
  file,
  'log: { format: text }\nlisteners:\n  - { protocol: c2s, port: 0, address: 127.0.0.1 }\n  - { protocol: http, port: 0, address: 127.0.0.1 }\n',
)

after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** A server whose lines can be waited for. */
async function serve(...more: string[]) {
  const child = spawn(command, ['--config', file, 'serve', ...more], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const seen: string[] = []
  const says = async (pattern: RegExp) => {
    for (;;) {
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`it never said ${pattern}:\n${seen.join('\n')}`)
      seen.push(value)
      if (pattern.test(value)) return seen
    }
  }
  await says(/^Stop:/)
  return { child, says, seen, exited: once(child, 'exit') }
}

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

function run(args: readonly string[], input = ''): Promise<Ran> {
  const { promise, resolve } = Promise.withResolvers<Ran>()
  const child = execFile(command, ['--config', file, ...args], (error, out, err) => {
    resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err })
  })
  child.stdin?.end(input)
  return promise
}

test('serve tells what a user needs, takes accounts and ends on SIGTERM', async () => {
  const { child, seen, exited } = await serve()
  const told = seen.join('\n')
  assert.match(told, /serves localhost/)
  assert.match(told, /c2s \(STARTTLS\) +127\.0\.0\.1:\d+/)
  assert.match(told, /Make an account: +\S*ratatosk --config \S+ account add you@localhost/)
  assert.match(told, new RegExp(`Clients must trust: +${folder}/data/tls/ca\\.pem`))

  assert.deepEqual(await run(['account', 'add', 'odin@localhost'], 'one eye\n'), {
    code: 0,
    out: 'Account  odin@localhost\nResult   added\n',
    err: '',
  })
  const again = await run(['account', 'add', 'odin@localhost'], 'one eye\n')
  assert.equal(again.code, 1)
  assert.match(again.err, /RTK_ACCOUNT_EXISTS/)
  const list = await run(['account', 'list', '--json'])
  assert.equal(JSON.parse(list.out).jid, 'odin@localhost')

  const second = await run(['serve'])
  assert.equal(second.code, 4)
  assert.match(second.err, /RTK_DISK_LOCKED/)

  child.kill('SIGTERM')
  assert.deepEqual(await exited, [0, null])
})

test('SIGHUP and the command reload take over listeners, and nothing of a file with mistakes', async () => {
  const { child, says, exited } = await serve()
  const plain = readFileSync(file, 'utf8')
  const more = `${plain}  - { name: more, protocol: http, path: more.sock }\n`
  try {
    writeFileSync(file, `${more}hosts: [elsewhere.example]\n`)
    child.kill('SIGHUP')
    const told = (await says(/reloaded/)).at(-1) ?? ''
    assert.match(told, new RegExp(`more ${folder}/more\\.sock`))
    assert.match(told, /hostsAdded=1 hostsRemoved=1/)
    assert.ok(statSync(join(folder, 'more.sock')).isSocket())

    writeFileSync(file, `${more}hsots: [localhost]\nlimits: { depth: 1 }\n`)
    child.kill('SIGHUP')
    const lines = (await says(/all is as before/)).join('\n')
    assert.match(lines, /r\.yaml:6:1: .*hsots.*did you mean 'hosts'/)
    assert.match(lines, /r\.yaml:7:\d+: .*out of range/)
    const refused = await run(['reload'])
    assert.equal(refused.code, 1)
    assert.match(refused.err, /hsots.*\(nothing was taken over\) \[RTK_CONFIG\]/s)
    assert.ok(statSync(join(folder, 'more.sock')).isSocket())

    writeFileSync(file, `${plain}control: { enabled: false }\nlimits: { connections: 1234 }\n`)
    const done = await run(['reload', '--json'])
    assert.deepEqual(JSON.parse(done.out), {
      result: 'reloaded',
      opened: [],
      changed: [],
      closed: [`more ${folder}/more.sock`],
      hosts_added: ['localhost'],
      hosts_removed: ['elsewhere.example'],
      sessions_ended: 0,
      certificates: [],
      applied: [`limits.connections (${file}:6)`],
      needs_restart: [`control.enabled (${file}:5)`],
    })
    assert.equal(existsSync(join(folder, 'more.sock')), false)
  } finally {
    writeFileSync(file, plain)
  }
  child.kill('SIGTERM')
  assert.deepEqual(await exited, [0, null])
})

test('reload finds a server whose data_dir or control.socket has changed, and says that both need a restart', async (t) => {
  if (process.platform !== 'linux') return t.skip('only Linux tells of its processes')
  const { exited } = await serve()
  const plain = readFileSync(file, 'utf8')
  try {
    writeFileSync(file, `${plain}data_dir: elsewhere\ncontrol: { socket: other.sock }\nlimits: { connections: 1234 }\n`)
    const done = await run(['reload', '--json'])
    assert.equal(done.code, 0, done.err)
    assert.match(done.err, /^warning: .*needs a restart; asking it at .*\/data\/control\.sock\n$/)
    const { applied, needs_restart: waiting } = JSON.parse(done.out)
    assert.deepEqual(applied, [`limits.connections (${file}:7)`])
    assert.deepEqual(waiting, [`control.socket (${file}:6)`, `data_dir (${file}:5)`, 'store.path'])

    const other = await run(['--data-dir', join(folder, 'another'), 'status'])
    assert.equal(other.code, 3, 'a server with another data directory is not meant')
    assert.match(other.err, /no server runs behind .*other\.sock/)

    const named = ['--socket', join(folder, 'data/control.sock')]
    writeFileSync(file, 'hosts: [')
    const status = await run([...named, 'status', '--json'])
    assert.deepEqual({ code: status.code, err: status.err }, { code: 0, err: '' }, 'the file is not even read')
    const serving = await run([...named, 'serve'])
    assert.equal(serving.code, 2)
    assert.match(serving.err, /--socket .*control\.socket.*RTK_CLI_USAGE/)
    assert.equal((await run([...named, 'stop'])).code, 0)
    assert.deepEqual(await exited, [0, null])
    const gone = await run([...named, 'status'])
    assert.equal(gone.code, 3)
    assert.match(gone.err, /no server runs behind .*data\/control\.sock/)
  } finally {
    writeFileSync(file, plain)
  }
})

test('stop ends it, and what was kept is there after the next start', async () => {
  const first = await serve()
  assert.equal((await run(['account', 'add', 'thor@localhost'], 'hammer\n')).code, 0)
  assert.deepEqual(await run(['stop']), { code: 0, out: 'Result  stopping\n', err: '' })
  assert.deepEqual(await first.exited, [0, null])
  assert.equal((await run(['status'])).code, 3)
  const second = await serve()
  assert.match((await run(['account', 'list'])).out, /thor@localhost/)
  second.child.kill('SIGINT')
  assert.deepEqual(await second.exited, [0, null])
})

test('a data directory that cannot be one ends the start, with what to do', async () => {
  for (const path of [file, join(file, 'below')]) {
    const ran = await run(['--data-dir', path, 'serve'])
    assert.equal(ran.code, 4, ran.err)
    assert.ok(ran.err.includes(path), ran.err)
    assert.match(ran.err, /choose one with --data-dir\) \[RTK_DISK_/)
  }
})

test('a server whose log nobody reads any more ends in good order, and not as if all were well', async () => {
  const { child, exited } = await serve()
  assert.ok(existsSync(join(folder, 'data/control.sock')))
  child.stdout.destroy()
  child.kill('SIGHUP')
  assert.deepEqual(await exited, [1, null])
  assert.equal(existsSync(join(folder, 'data/control.sock')), false)
})

test('a server whose log cannot be written goes on, and says so on standard error', async (t) => {
  if (!existsSync('/dev/full')) return t.skip('only Linux has a disk that is always full')
  const full = openSync('/dev/full', 'w')
  const child = spawn(command, ['--config', file, 'serve'], { stdio: ['ignore', full, 'pipe'] })
  children.push(child)
  const exited = once(child, 'exit')
  const told: string[] = []
  assert.ok(child.stderr !== null)
  for await (const line of createInterface({ input: child.stderr })) {
    told.push(line)
    if (/RTK_LOG_LOST/.test(line)) break
  }
  assert.match(told.at(-1) ?? '', /the log cannot be written: ENOSPC; the server goes on/)
  assert.equal((await run(['status'])).code, 0)
  child.kill('SIGTERM')
  assert.deepEqual(await exited, [0, null])
  const list = spawn(command, ['config', 'options'], { stdio: ['ignore', full, 'pipe'] })
  list.stderr?.setEncoding('utf8').on('data', (text: string) => told.push(text))
  assert.deepEqual(await once(list, 'close'), [1, null])
  closeSync(full)
  assert.equal(told.at(-1), 'ratatosk: standard output cannot be written: ENOSPC [RTK_CLI_OUTPUT]\n')
})
