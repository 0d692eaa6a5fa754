/** A write that goes in pieces through the plain door: one that is complete at once is not taken for the next. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ascii } from '../xml/octets.ts'
import { createWorld } from './index.ts'
import type { Transport, TransportHandler } from './net.types.ts'

const idle: TransportHandler = { data() {}, drained() {}, secured() {}, ended() {}, closed() {} }
const bytes = 64 * 1024 * 1024

test('what the kernel has not taken is known', async () => {
  const world = createWorld({ sockets: 'plain' })
  const accepted = Promise.withResolvers<Transport>()
  const closed = Promise.withResolvers<void>()
  let drained = 0
  const place = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const
  const listening = await world.net.listen(place, { backlog: 8 }, (transport) => {
    accepted.resolve(transport)
    return { ...idle, drained: () => void drained++, closed: () => closed.resolve() }
  })
  const client = await world.net.connect(listening.place, idle, 5_000)
  client.pause()
  const ours = await accepted.promise
  try {
    ours.write(ascii('x'.repeat(bytes)))
    for (let turn = 0; turn < 100; turn++)
      await new Promise<void>((resolve) => world.clock.soon(() => resolve(), undefined))
    assert.equal(drained, 0)
    assert.ok(ours.queuedBytes > bytes / 2, `${ours.queuedBytes}`)
    ours.destroy()
    await closed.promise
    assert.ok(ours.unsent.bytes.length - ours.unsent.taken > bytes / 2)
  } finally {
    ours.destroy()
    client.destroy()
    await listening.close()
  }
})
