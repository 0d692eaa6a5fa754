/** The real command: a process of its own on free ports. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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

test('serve tells what a user needs, takes accounts, minds SIGHUP and ends on SIGTERM', async () => {
  const { child, says, seen, exited } = await serve()
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

  child.kill('SIGHUP')
  await says(/reload/)
  child.kill('SIGTERM')
  assert.deepEqual(await exited, [0, null])
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
