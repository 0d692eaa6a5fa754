/** A server that cannot start says why with a code, and leaves nothing open. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ConfigError, createServer } from '../index.ts'
import { defineModule } from '../plugin.ts'
import { address, inMemory, listeners, runProgram } from './embed.testing.ts'

declare module '../core/services.ts' {
  interface Services {
    first: { readonly name: string }
    second: { readonly name: string }
  }
}

let folder = ''

/** Sockets, listeners and threads of this process. */
function open(): readonly string[] {
  const kinds = /^(MessagePort|TCP|PipeServer|Worker)/
  return process
    .getActiveResourcesInfo()
    .filter((name) => kinds.test(name))
    .sort()
}

/** What is closed may need some turns to be gone, a thread its time. */
async function isOpen(expected: readonly string[]): Promise<void> {
  const patience = performance.now() + 10_000
  while (open().length > expected.length && performance.now() < patience) await new Promise(setImmediate)
  assert.deepEqual(open(), expected)
}

async function leavesNothingOpen(): Promise<void> {
  await isOpen([])
  // The data directory is free, and everything in it is whole.
  const server = await createServer({ dataDir: join(folder, 'data'), config: { listeners } })
  await server.close()
}

async function failsWith(code: string, text: RegExp, options: Parameters<typeof createServer>[0]): Promise<unknown> {
  let failure: unknown
  await assert.rejects(createServer({ dataDir: join(folder, 'data'), ...options }), (error) => {
    failure = error
    assert.ok(error instanceof Error && 'code' in error, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, text)
    return true
  })
  return failure
}

describe('a server that cannot start', () => {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'ratatosk-fail-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('finds its address in use', async () => {
    const other = createTcpServer()
    await new Promise<void>((resolve) => other.listen(0, address, resolve))
    const bound = other.address()
    assert.ok(bound !== null && typeof bound === 'object')
    const taken = { protocol: 'c2s', address, port: bound.port, name: 'taken' }
    await failsWith('RTK_NET_ADDRESS_IN_USE', new RegExp(`${bound.port}`), {
      config: { listeners: [...listeners, taken] },
    })
    await isOpen(['TCPServerWrap'])
    await new Promise((resolve) => other.close(resolve))
    await leavesNothingOpen()
  })

  it('finds its data directory in use by another process, and names it', async () => {
    const dataDir = join(folder, 'data')
    let said = ''
    const other = runProgram(
      `
      import { createServer } from './index.ts'
      const server = await createServer({ dataDir: ${JSON.stringify(dataDir)}, config: { listeners: ${JSON.stringify(listeners)} } })
      console.log('up ' + process.pid)
      process.stdin.once('data', () => process.kill(process.pid, 'SIGKILL'))
      `,
      (line, stdin) => {
        said = line
        void failsWith('RTK_DISK_LOCKED', new RegExp(`in use by process ${line.slice(3)}$`), { config: { listeners } })
          .catch((error: unknown) => {
            said = String(error)
          })
          .finally(() => stdin.write('end\n'))
      },
    )
    const { code, output } = await other
    assert.match(said, /^up \d+$/, output)
    assert.equal(code, null, 'it was killed while it had the directory')
    await leavesNothingOpen()
  })

  it('finds its data directory in use by this process', async () => {
    const first = await createServer({ dataDir: join(folder, 'data'), config: { listeners } })
    try {
      await failsWith('RTK_DISK_LOCKED', new RegExp(`in use by process ${process.pid}$`), { config: { listeners } })
    } finally {
      await first.close()
    }
    await leavesNothingOpen()
    // A second close is the first.
    await first.close()
  })

  it('has a configuration with mistakes, and tells all of them before it touches anything', async () => {
    const dataDir = join(folder, 'never')
    const config = { hosts: ['bad domain'], listeners: [{ protocol: 'c2z' }], modules: { pingg: {} }, stoer: {} }
    const error = await failsWith('RTK_CONFIG', /stoer/, { dataDir, config })
    assert.ok(error instanceof ConfigError)
    const codes = error.mistakes.map((mistake) => mistake.code).sort()
    assert.deepEqual(codes, [
      'RTK_CONFIG_DOMAIN',
      'RTK_CONFIG_UNKNOWN_KEY',
      'RTK_CONFIG_UNKNOWN_MODULE',
      'RTK_CONFIG_UNKNOWN_PROTOCOL',
    ])
    assert.ok(!existsSync(dataDir))
    assert.deepEqual(open(), [])
  })

  it('has a module whose setup fails; those before it are stopped', async () => {
    const told: string[] = []
    const good = defineModule({
      name: 'good',
      setup(ctx) {
        ctx.onStop(() => void told.push('first'))
        ctx.clock.after(60_000, () => undefined, undefined)
        ctx.onStop(() => void told.push('second'))
      },
    })
    const bad = defineModule({
      name: 'bad',
      async setup(ctx) {
        ctx.onStop(() => void told.push('its own'))
        await Promise.resolve()
        throw new TypeError('out of nuts')
      },
    })
    const error = await failsWith('RTK_MODULE_SETUP', /module bad could not be set up: out of nuts/, {
      plugins: [good, bad],
      config: { listeners },
    })
    assert.ok(error instanceof Error && error.cause instanceof TypeError)
    assert.deepEqual(told, ['its own', 'second', 'first'])
    await leavesNothingOpen()
  })

  it('has modules that need what nobody provides, or one another', async () => {
    const lone = defineModule({ name: 'lone', needs: { first: 'hard' }, setup: () => undefined })
    await failsWith('RTK_MODULE_NEEDS', /module lone needs the service first/, { plugins: [lone], config: inMemory })
    const one = defineModule({ name: 'one', needs: { first: 'hard' }, provides: ['second'], setup: () => undefined })
    const two = defineModule({ name: 'two', needs: { second: 'hard' }, provides: ['first'], setup: () => undefined })
    await failsWith('RTK_MODULE_CIRCLE', /one, two/, { plugins: [one, two], config: inMemory })
    const liar = defineModule({ name: 'liar', provides: ['first'], setup: () => undefined })
    await failsWith('RTK_MODULE_SETUP', /did not provide first/, { plugins: [liar], config: inMemory })
    await leavesNothingOpen()
  })

  it('has two modules of one name, or handlers that ask to come before one another', async () => {
    const twin = defineModule({ name: 'ping', setup: () => undefined })
    await failsWith('RTK_PLUGIN_NAME', /two modules named ping/, { plugins: [twin], config: inMemory })
    const before = (name: string, other: string) =>
      defineModule({
        name,
        setup: (ctx) => ctx.on('session:bound', () => undefined, { before: other }),
      })
    await failsWith('RTK_MODULE_SETUP', /ask to come before one another/, {
      plugins: [before('a', 'b'), before('b', 'a')],
      config: inMemory,
    })
    await leavesNothingOpen()
  })

  it('has plugins that are not there, fail, or are none', async () => {
    writeFileSync(join(folder, 'throws.ts'), "throw new Error('not today')\n")
    writeFileSync(join(folder, 'empty.ts'), 'export const nothing: number = 1\n')
    const named = (name: string) => ({ config: { ...inMemory, plugins: [name] } })
    await failsWith('RTK_CONFIG', /absent/, named(join(folder, 'absent.ts')))
    await failsWith('RTK_CONFIG', /ratatosk-no-such-plugin/, named('ratatosk-no-such-plugin'))
    await failsWith('RTK_CONFIG', /not today/, named(join(folder, 'throws.ts')))
    await failsWith('RTK_CONFIG', /default export is no module/, named(join(folder, 'empty.ts')))
    assert.deepEqual(open(), [])
  })

  it('has a certificate that is no certificate', async () => {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    writeFileSync(cert, 'nonsense')
    writeFileSync(key, 'nonsense', { mode: 0o600 })
    const tls = { certificates: [{ cert, key }] }
    await failsWith('RTK_CONFIG', /certificate and key cannot be used together/, { config: { ...inMemory, tls } })
    await leavesNothingOpen()
  })

  it('cannot open its control socket', async () => {
    const socket = join(folder, 'x'.repeat(120))
    await failsWith('RTK_CONFIG', /at most 107 bytes/, { config: { listeners, control: { socket } }, control: true })
    await leavesNothingOpen()
    // No folder was named for it, and on shared ground nobody would find it, or somebody had made it before.
    const dataDir = join(folder, 'x'.repeat(100))
    await failsWith('RTK_CONTROL_PATH_TOO_LONG', /set control.socket/, {
      config: { listeners },
      dataDir,
      control: true,
    })
    await leavesNothingOpen()
  })
})
