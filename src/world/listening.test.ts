/** A listening socket that dies says so, once; one that only lacks a descriptor lives on. */
import assert from 'node:assert/strict'
import { Server } from 'node:net'
import { describe, it } from 'node:test'
import { createWorld } from './index.ts'
import type { TransportHandler } from './net.types.ts'

const idle: TransportHandler = { data() {}, drained() {}, secured() {}, ended() {}, closed() {} }

/** Node's own object behind a listener: only through it can a test make the socket fail. */
function serverAt(port: number): Server {
  const handles = (process as unknown as { _getActiveHandles(): readonly unknown[] })._getActiveHandles()
  const found = handles.find((handle) => {
    const address = handle instanceof Server ? handle.address() : null
    return address !== null && typeof address === 'object' && address.port === port
  })
  assert.ok(found instanceof Server)
  return found
}

for (const sockets of ['fast', 'plain'] as const) {
  describe(`a listening socket of the ${sockets} door`, () => {
    it('says once that it is dead, and its port is free then', async () => {
      const world = createWorld({ sockets })
      const told: string[] = []
      const failed = (code: string): void => void told.push(code)
      const options = { backlog: 8, failed }
      const listening = await world.net.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }, options, () => idle)
      assert.ok(listening.place.kind === 'tcp')
      const server = serverAt(listening.place.port)
      server.emit('error', Object.assign(new Error('no descriptor'), { code: 'EMFILE' }))
      const client = await world.net.connect(listening.place, idle, 5_000)
      assert.deepEqual(told, [])
      server.emit('error', Object.assign(new Error('bad descriptor'), { code: 'EBADF' }))
      server.emit('error', Object.assign(new Error('bad descriptor'), { code: 'EBADF' }))
      assert.deepEqual(told, ['EBADF'])
      await listening.close()
      const again = await world.net.listen(listening.place, { backlog: 8 }, () => idle)
      client.destroy()
      await again.close()
    })

    it('is silent when it was closed on purpose', async () => {
      const world = createWorld({ sockets })
      const told: string[] = []
      const failed = (code: string): void => void told.push(code)
      const listening = await world.net.listen(
        { kind: 'tcp', host: '127.0.0.1', port: 0 },
        { backlog: 8, failed },
        () => idle,
      )
      assert.ok(listening.place.kind === 'tcp')
      const server = serverAt(listening.place.port)
      await listening.close()
      server.emit('error', Object.assign(new Error('bad descriptor'), { code: 'EBADF' }))
      assert.deepEqual(told, [])
    })
  })
}
