/** Which socket door serves, and what happens when the fast one does not do what it should. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { RealClock } from './clock.ts'
import type { DoorSurroundings } from './door.ts'
import { Handshakes } from './handshakes.ts'
import { createWorld } from './index.ts'
import { RealNet } from './net.ts'
import type { TransportHandler } from './net.types.ts'
import { selfTest } from './self-test.ts'
import { FastDoor, type FastTransport } from './socket.ts'
import { RealTls } from './tls.ts'
import { Turn } from './turn.ts'

function surroundings(): DoorSurroundings {
  const turn = new Turn()
  return {
    turn,
    handshakes: new Handshakes(turn),
    behind: new Set(),
    clock: new RealClock(turn),
    tls: new RealTls(),
    buffer: Buffer.alloc(65_536),
  }
}

/** The fast door with one thing about it broken. */
function broken(spoil: (transport: FastTransport) => void): FastDoor {
  const door = FastDoor.open(surroundings())
  assert.ok(door !== undefined)
  return Object.create(door, {
    hasBareTls: { get: () => door.hasBareTls },
    forgoBareTls: { value: door.forgoBareTls.bind(door) },
    watch: { value: door.watch.bind(door) },
    transport: {
      value: (connection: never, handler: TransportHandler) => {
        const transport = door.transport(connection, handler)
        spoil(transport)
        return transport
      },
    },
  }) as FastDoor
}

describe('socket doors', () => {
  it('the fast one passes its self-test here and is used', async () => {
    const { net } = createWorld()
    assert.ok(net instanceof RealNet)
    assert.equal((await net.doorInUse()).name, 'fast')
  })

  it('the self-test notices bytes that are lost, a layer that cannot be made, and an end that is not told', async () => {
    const { clock } = surroundings()
    const good = FastDoor.open(surroundings())
    assert.ok(good !== undefined)
    assert.equal(await selfTest(good, clock), undefined)
    const faults = await Promise.all([
      selfTest(
        broken((transport) => Object.defineProperty(transport, 'write', { value: () => {} })),
        clock,
      ),
      selfTest(
        broken((transport) => Object.defineProperty(transport, 'wrap', { value: () => undefined })),
        clock,
      ),
      selfTest(
        broken((transport) => Object.defineProperty(transport, 'peerEnded', { value: () => {} })),
        clock,
      ),
    ])
    assert.match(String(faults[0]), /too long|closed early|other bytes/)
    assert.equal(faults[1], 'the TLS layer could not be put on')
    assert.match(String(faults[2]), /too long/)
  })

  it('where only the leaner TLS layer fails, the fast door serves without it', async () => {
    const { clock } = surroundings()
    const good = FastDoor.open(surroundings())
    assert.equal(good && (await selfTest(good, clock)), undefined)
    assert.equal(good?.hasBareTls, true)
    const poor = broken((transport) => Object.defineProperty(transport, 'layBare', { value: () => false }))
    assert.equal(await selfTest(poor, clock), undefined)
    assert.equal(poor.hasBareTls, false)
  })

  it('where Node forbids the fast one, the plain one serves, with a line in the log', () => {
    const program = `
      import { createWorld } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}
      const quiet = { enabled: () => true, debug() {}, info() {}, error() {}, with: () => quiet,
        warn: (message, fields) => console.log(message + ': ' + fields.reason) }
      const world = createWorld({ log: quiet })
      const handler = { data() {}, drained() {}, secured() {}, ended() {}, closed() { console.log('closed') } }
      const listening = await world.net.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }, { backlog: 1 }, () => handler)
      console.log((await world.net.doorInUse()).name)
      const transport = await world.net.connect(listening.place, handler, 1000)
      transport.destroy()
      await listening.close()`
    const allowed = [
      '--permission',
      '--allow-fs-read=*',
      ...(process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : []),
    ]
    const run = spawnSync(process.execPath, [...allowed, '--input-type=module', '-e', program], { encoding: 'utf8' })
    const lines = run.stdout.trim().split('\n')
    assert.deepEqual(lines, [
      'fast sockets cannot be used, plain ones serve: this Node was not tried or lacks a part',
      'plain',
      'closed',
      'closed',
    ])
    assert.equal(run.status, 0)
  })
})
