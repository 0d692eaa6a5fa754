/** RFC 6120 section 4.6.1: a peer whose network has gone is noticed, because the kernel asks it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { createWorld } from './index.ts'
import type { TransportHandler } from './net.types.ts'

const idle: TransportHandler = { data() {}, drained() {}, secured() {}, ended() {}, closed() {} }

/** The timer that Linux runs for the connection from one port to another: its kind, and the seconds until it is due. */
function timerOf(local: number, remote: number): { kind: string; seconds: number } {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const [, from = '', to = '', , , timer = ''] = line.trim().split(/\s+/)
    if (!from.endsWith(`:${hex(local)}`) || !to.endsWith(`:${hex(remote)}`)) continue
    const [kind = '', due = ''] = timer.split(':')
    return { kind, seconds: Number.parseInt(due, 16) / 100 }
  }
  return assert.fail('no such connection')
}

const keepAliveTimer = '02'

for (const sockets of ['fast', 'plain'] as const) {
  describe(`keep-alive of the ${sockets} door`, { skip: process.platform !== 'linux' }, () => {
    for (const [name, idleMs, seconds] of [
      ['is asked for', 120_000, 120],
      ['is asked for in whole seconds', 10_001, 11],
      ['is not asked for', undefined, 0],
    ] as const) {
      it(name, async () => {
        const world = createWorld({ sockets })
        const accepted = Promise.withResolvers<{ destroy(): void }>()
        const place = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const
        let asked = 0
        const listening = await world.net.listen(place, { backlog: 8 }, (transport) => {
          asked = performance.now()
          if (idleMs !== undefined) transport.keepAlive(idleMs)
          accepted.resolve(transport)
          return idle
        })
        const client = await world.net.connect(listening.place, idle, 5_000)
        const ours = await accepted.promise
        assert.ok(listening.place.kind === 'tcp')
        const timer = timerOf(listening.place.port, client.local.port)
        if (idleMs === undefined) assert.notEqual(timer.kind, keepAliveTimer)
        else {
          assert.equal(timer.kind, keepAliveTimer)
          // The kernel counts in steps of some milliseconds.
          const passed = (performance.now() - asked) / 1000 + 0.1
          assert.ok(timer.seconds > seconds - passed && timer.seconds <= seconds, `${timer.seconds} s`)
        }
        client.destroy()
        ours.destroy()
        await listening.close()
      })
    }
  })
}
