import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CommandError, CommandRegistry, defineCommand, field } from '../../core/commands.ts'
import { opt } from '../../core/config/opt.ts'
import { createWorld } from '../../world/index.ts'
import type { Net, Transport, TransportHandler } from '../../world/net.types.ts'
import { ascii, decode, type Octets } from '../../xml/octets.ts'
import { ControlClient } from './client.ts'
import { controlSocketPath, SOCKET_PATH_BYTES } from './path.ts'
import { type Control, openControl } from './server.ts'

const world = createWorld()
const folder = `/tmp/rtk-control-${world.random.id()}`
const path = `${folder}/c.sock`
let control: Control
let stopped: Promise<void>
/** Resolved when the endless command was cancelled and cleaned up. */
const cleaned = Promise.withResolvers<number>()

const number = { n: field.int('N', 'A number.') }

function commands(): CommandRegistry {
  const registry = new CommandRegistry()
  registry.add(
    defineCommand({
      name: 'double',
      summary: 'Doubles numbers.',
      permission: 'numbers:read',
      args: {},
      input: { n: opt.int({ description: 'A number.' }) },
      result: number,
      run: async function* (_args, call) {
        for await (const row of call.input) {
          if (row instanceof CommandError) call.failed()
          else yield { n: row.n * 2 }
        }
      },
    }),
  )
  registry.add(
    defineCommand({
      name: 'count',
      summary: 'Counts.',
      permission: 'numbers:read',
      args: {
        to: opt.int({ default: 1e9, description: 'How far.' }),
        text: opt.string({ default: '', description: 'Echo.' }),
      },
      result: { n: field.int('N', 'A number.'), text: field.text('Text', 'Echo.') },
      run: async function* ({ to, text }) {
        let n = 0
        try {
          for (; n < to; n++) yield { n, text }
        } finally {
          if (to === 1e9) cleaned.resolve(n)
        }
      },
    }),
  )
  registry.add(
    defineCommand({
      name: 'refuse',
      summary: 'Refuses.',
      permission: 'numbers:read',
      args: {},
      result: number,
      run: () => new CommandError('RTK_NO_VALHALLA', 'closed', 'come later'),
    }),
  )
  return registry
}

before(async () => {
  await world.disk.makeDirectory(folder, 0o700)
  control = await open()
})

after(async () => {
  await control.close()
  await stopped
  await world.disk.remove(folder)
})

function open(at = path, more: { lineBytesMax?: number; connectionsMax?: number } = {}): Promise<Control> {
  return openControl({
    net: world.net,
    clock: world.clock,
    log: world.log,
    commands: commands(),
    path: at,
    version: '0.0.1',
    lineBytesMax: 4_096,
    connectionsMax: 8,
    ...more,
  })
}

/** A client that writes what it likes; the lines it got, once the connection is closed. */
async function raw(bytes: readonly Octets[], at = path): Promise<readonly string[]> {
  const got: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const handler: TransportHandler = {
    data: (buffer, start, end) => got.push(Buffer.from(buffer.subarray(start, end)).toString('latin1')),
    drained: () => undefined,
    secured: () => undefined,
    ended: () => transport.close(),
    closed: () => resolve(),
  }
  const transport = await world.net.connect({ kind: 'unix', path: at }, handler, 1_000)
  for (const part of bytes) transport.write(part)
  await promise
  return decode(got.join('') as Octets)
    .split('\n')
    .filter((text) => text !== '')
}

test('a command is run, its rows and outcome come back', async () => {
  const client = await ControlClient.connect(world.net, path)
  assert.equal(client.serverVersion, '0.0.1')
  const counted = await client.call('count', { to: 2, text: 'ᚱ\n"' })
  assert.deepEqual(counted, {
    ok: true,
    rows: 2,
    failed: 0,
    result: [
      { n: 0, text: 'ᚱ\n"' },
      { n: 1, text: 'ᚱ\n"' },
    ],
  })
  const refused = await client.call('refuse')
  assert(!refused.ok)
  assert.equal(`${refused.error}`, 'RTK_NO_VALHALLA: closed (come later)')
  const unknown = await client.call('refuze')
  assert(!unknown.ok)
  assert.equal(unknown.error.code, 'RTK_COMMAND_UNKNOWN')
  assert.equal(unknown.error.hint, "did you mean 'refuse'?")
  client.close()
})

test('ten thousand rows go in and come out in order, several commands at once', async () => {
  const client = await ControlClient.connect(world.net, path)
  const seen: number[] = []
  const input = Array.from({ length: 10_000 }, (_, n) => (n === 5_000 ? { n: 'wrong' } : { n }))
  const [doubled, counted] = await Promise.all([
    client.run('double', {}, { input, onRow: (row) => seen.push(row['n'] as number) }),
    client.call('count', { to: 100 }),
  ])
  assert.deepEqual(doubled, { ok: true, rows: 9_999, failed: 1 })
  assert.equal(counted.ok && counted.rows, 100)
  assert.deepEqual(
    seen,
    input.flatMap(({ n }) => (typeof n === 'number' ? [n * 2] : [])),
  )
  client.close()
})

test('a client that goes away cancels its command, and a slow one holds it', async () => {
  const client = await ControlClient.connect(world.net, path)
  const abort = new AbortController()
  let rows = 0
  const outcome = await client.run('count', {}, { onRow: () => ++rows === 10 && abort.abort(), signal: abort.signal })
  assert(!outcome.ok)
  assert.equal(outcome.error.code, 'RTK_COMMAND_CANCELLED')
  client.close()
  // It would have counted to 1e9: only back-pressure and the cancelling stop it.
  assert((await cleaned.promise) < 1e8)
})

test('what is no message is answered with an error and the end of the connection', async () => {
  const answerTo = async (...bytes: Octets[]) => {
    const lines = await raw(bytes)
    assert.equal(lines[0], '{"ratatosk":"0.0.1","protocol":1}')
    return JSON.parse(lines.at(-1) ?? '').error.code
  }
  assert.equal(await answerTo(ascii('hello\n')), 'RTK_CONTROL_MESSAGE')
  assert.equal(await answerTo(ascii('[]\n')), 'RTK_CONTROL_MESSAGE')
  assert.equal(await answerTo(ascii('{"id":0,"run":"count"}\n')), 'RTK_CONTROL_MESSAGE')
  assert.equal(await answerTo(ascii('{"id":1,"run":"count"}\n{"id":1,"run":"count"}\n')), 'RTK_CONTROL_MESSAGE')
  assert.equal(await answerTo('x'.repeat(5_000) as Octets), 'RTK_CONTROL_LINE_TOO_LONG')
})

test('limits: commands on a connection, connections at once', async () => {
  const runs = Array.from({ length: 17 }, (_, i) => ascii(`{"id":${i + 1},"run":"double","input":true}\n`))
  const lines = await raw([...runs, ascii('nonsense\n')])
  assert.equal(JSON.parse(lines[1] ?? '').error.code, 'RTK_CONTROL_BUSY')
  assert.equal(JSON.parse(lines[1] ?? '').id, 17)

  const small = await open(`${folder}/small.sock`, { connectionsMax: 1 })
  const first = await ControlClient.connect(world.net, small.path)
  await assert.rejects(ControlClient.connect(world.net, small.path), { code: 'RTK_CONTROL_CONNECTIONS' })
  assert.equal(small.connections, 1)
  first.close()
  await small.close()
})

test('a live server is not replaced; a missing one is told as such', async () => {
  await assert.rejects(open(), { code: 'RTK_NET_ADDRESS_IN_USE' })
  await assert.rejects(ControlClient.connect(world.net, `${folder}/none.sock`), { code: 'RTK_CONTROL_NO_SERVER' })
})

test('a socket behind which nobody greets is told, and left', async () => {
  const mute = `${folder}/mute.sock`
  const left = Promise.withResolvers<void>()
  const listening = await world.net.listen({ kind: 'unix', path: mute }, { backlog: 1 }, (transport) => ({
    data: () => undefined,
    drained: () => undefined,
    secured: () => undefined,
    ended: () => transport.close(),
    closed: () => left.resolve(),
  }))
  try {
    const connecting = ControlClient.connect(world.net, mute, { clock: world.clock, timeoutMs: 50 })
    await assert.rejects(connecting, /RTK_CONTROL_SILENT: .*mute\.sock has not answered for 0\.05 seconds/)
    await left.promise
  } finally {
    await listening.close()
  }
})

test('closing cancels what runs and ends the connections', async () => {
  const own = await open(`${folder}/own.sock`)
  const client = await ControlClient.connect(world.net, own.path)
  // A command that waits for rows that never come.
  const never = Promise.withResolvers<void>()
  async function* input() {
    yield { n: 1 }
    await never.promise
  }
  let got = 0
  const running = client.run(
    'double',
    {},
    {
      input: input(),
      onRow: () => {
        got++
        stopped = own.close().then(() => never.resolve())
      },
    },
  )
  const outcome = await running
  assert.equal(got, 1)
  assert.equal(outcome.ok ? 'ok' : outcome.error.code, 'ok', 'its input ended with the server')
  await assert.rejects(ControlClient.connect(world.net, own.path), { code: 'RTK_CONTROL_NO_SERVER' })
})

test('the path of the socket is short, and the same for both ends', () => {
  const places = { socket: undefined, dataDir: '/srv/r', runtimeDir: '/run/user/7', privateDir: '/tmp/ratatosk-7' }
  assert.deepEqual(controlSocketPath(places), { path: '/srv/r/control.sock', needsPrivateFolder: false })
  const long = `/srv/${'ᚱ'.repeat(40)}`
  const inRuntime = controlSocketPath({ ...places, dataDir: long })
  assert(!(inRuntime instanceof CommandError))
  assert.match(inRuntime.path, /^\/run\/user\/7\/ratatosk-[0-9a-f]{16}\.sock$/)
  assert.deepEqual(controlSocketPath({ ...places, dataDir: long }), inRuntime)
  assert.notDeepEqual(controlSocketPath({ ...places, dataDir: `${long}x` }), inRuntime)
  const inPrivate = controlSocketPath({ ...places, dataDir: long, runtimeDir: '' })
  assert(!(inPrivate instanceof CommandError))
  assert.match(inPrivate.path, /^\/tmp\/ratatosk-7\/[0-9a-f]{16}\.sock$/)
  assert.equal(inPrivate.needsPrivateFolder, true)
  const edge = `/${'x'.repeat(SOCKET_PATH_BYTES - 1)}`
  assert.deepEqual(controlSocketPath({ ...places, socket: edge }), { path: edge, needsPrivateFolder: false })
  const over = controlSocketPath({ ...places, socket: `${edge}y` })
  assert(over instanceof CommandError)
  assert.equal(over.code, 'RTK_CONTROL_PATH_TOO_LONG')
  assert.match(over.text, /108 bytes/)
})

/** The end of a connection where the kernel takes all that is written, but only when the turn is over. */
function quickTransport(state: { queued: number; isAsked: boolean }): Transport {
  return {
    write: (bytes: Octets) => {
      state.queued += bytes.length
    },
    get queuedBytes() {
      return state.queued
    },
    askDrained: () => {
      state.isAsked = true
    },
    close: () => undefined,
  } as unknown as Transport
}

test('a command goes on when the kernel has taken everything at once, and left nothing behind to be told of', async () => {
  const state = { queued: 0, isAsked: false }
  const { promise: accepting, resolve: opened } = Promise.withResolvers<(transport: Transport) => TransportHandler>()
  const net = {
    listen: async (_place: unknown, _options: unknown, accept: (transport: Transport) => TransportHandler) => {
      opened(accept)
      return { close: async () => undefined }
    },
  } as unknown as Net
  await openControl({
    net,
    clock: world.clock,
    log: world.log,
    commands: commands(),
    path: '/nowhere',
    version: '0.0.1',
    lineBytesMax: 4_096,
    connectionsMax: 8,
  })
  const handler = (await accepting)(quickTransport(state))
  const asked = ascii(`{"id":1,"run":"count","args":{"to":3000,"text":"${'x'.repeat(1_000)}"}}\n`)
  handler.data(Buffer.from(asked, 'latin1'), 0, asked.length)
  let turns = 0
  for (let total = 0; total < 3_000_000 && turns < 10_000; turns++) {
    await new Promise((resolve) => setImmediate(resolve))
    total += state.queued
    state.queued = 0
    if (state.isAsked) {
      state.isAsked = false
      handler.drained()
    }
  }
  assert.ok(turns < 10_000, 'the command stands still')
  handler.closed({ kind: 'local' })
})
