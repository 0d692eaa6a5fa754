/**
 * What the socket door costs: a relay over the real `Net` in a process of its own, this process as its generator.
 *
 *   bin/node bench/net/relay.ts [--pairs 64] [--seconds 3] [--idle 2000] [--only fast,plain] [--tls no,yes]
 *
 * Prints a row a variant (tab-separated): CPU of the relay in µs a message, each message alone and in a window of 16, and
 * resident KB a connection (smaps_rollup, after five exchanges of 500 bytes and two collections).
 */
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createWorld } from '../../src/world/index.ts'
import { makeAuthority, makeHostCertificate } from '../../src/world/local-ca.ts'
import type { SocketChoice } from '../../src/world/net.ts'
import type { Transport, TransportHandler } from '../../src/world/net.types.ts'
import { ascii, type Octets } from '../../src/xml/octets.ts'

const MESSAGE_BYTES = 250

interface Figures {
  readonly cpuUs: number
  readonly rssKb: number
}

async function relay(sockets: SocketChoice, secure: boolean): Promise<void> {
  const world = createWorld({ sockets })
  const certificate = world.net.tls.prepare(makeHostCertificate(makeAuthority(new Date()), ['localhost'], new Date()))
  const context = { alpn: [], strictAlpn: false, requestPeerCertificate: false, certificateFor: () => certificate }
  let waiting: { transport: Transport; forward: Forward } | undefined
  class Forward implements TransportHandler {
    to: Transport | undefined
    data(bytes: Uint8Array, start: number, end: number): void {
      this.to?.write((bytes as Buffer).toString('latin1', start, end) as Octets)
    }
    drained(): void {}
    secured(): void {}
    ended(): void {
      this.to?.close()
    }
    closed(): void {}
  }
  const listening = await world.net.listen(
    { kind: 'tcp', host: '127.0.0.1', port: 0 },
    { backlog: 4096 },
    (transport) => {
      if (secure) transport.startTlsServer(context)
      const forward = new Forward()
      if (waiting === undefined) waiting = { transport, forward }
      else {
        forward.to = waiting.transport
        waiting.forward.to = transport
        waiting = undefined
      }
      return forward
    },
  )
  process.on('message', () => {
    for (let i = 0; i < 2; i++) (globalThis as unknown as { gc(): void }).gc()
    const { user, system } = process.cpuUsage()
    const rollup = readFileSync('/proc/self/smaps_rollup', 'latin1')
    process.send?.({ cpuUs: user + system, rssKb: Number(/Rss:\s+(\d+)/.exec(rollup)?.[1] ?? 0) })
  })
  process.send?.(listening.place)
}

interface Relay {
  readonly port: number
  figures(): Promise<Figures>
  stop(): void
}

async function start(sockets: string, secure: boolean): Promise<Relay> {
  const child = fork(fileURLToPath(import.meta.url), ['--relay', sockets, secure ? 'tls' : 'tcp'], {
    execArgv: ['--expose-gc'],
  })
  const message = <T>(): Promise<T> => new Promise((resolve) => child.once('message', (value) => resolve(value as T)))
  const place = await message<{ port: number }>()
  return {
    port: place.port,
    figures: () => {
      const answer = message<Figures>()
      child.send('figures')
      return answer
    },
    stop: () => void child.kill(),
  }
}

function open(port: number, secure: boolean): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket: Socket = secure
      ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => resolve(socket))
      : connectPlain({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

/** Keeps `window` messages of each pair under way: what arrives at one side is sent again by the other. */
async function traffic(
  relayed: Relay,
  secure: boolean,
  pairs: number,
  window: number,
  seconds: number,
): Promise<number> {
  const message = ascii('x'.repeat(MESSAGE_BYTES))
  const sockets: Socket[] = []
  let received = 0
  for (let i = 0; i < pairs; i++) {
    const from = await open(relayed.port, secure)
    const to = await open(relayed.port, secure)
    let rest = 0
    to.on('data', (bytes) => {
      received += bytes.length
      rest += bytes.length
      for (; rest >= MESSAGE_BYTES; rest -= MESSAGE_BYTES) from.write(message, 'latin1')
    })
    sockets.push(from, to)
  }
  for (let i = 0; i < sockets.length; i += 2) for (let j = 0; j < window; j++) sockets[i]?.write(message, 'latin1')
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
  await pause(1_000)
  const before = await relayed.figures()
  const count = received
  await pause(seconds * 1_000)
  const messages = (received - count) / MESSAGE_BYTES
  const after = await relayed.figures()
  for (const socket of sockets) socket.destroy()
  return (after.cpuUs - before.cpuUs) / messages
}

async function idle(relayed: Relay, secure: boolean, connections: number): Promise<number> {
  const before = await relayed.figures()
  const sockets: Socket[] = []
  for (let i = 0; i < connections; i += 2) {
    const [from, to] = [await open(relayed.port, secure), await open(relayed.port, secure)]
    for (let j = 0; j < 5; j++) {
      for (const [a, b] of [
        [from, to],
        [to, from],
      ] as const) {
        const arrived = new Promise((resolve) => b.once('data', resolve))
        a.write('y'.repeat(500))
        await arrived
      }
    }
    sockets.push(from, to)
  }
  const after = await relayed.figures()
  for (const socket of sockets) socket.destroy()
  return (after.rssKb - before.rssKb) / connections
}

async function measure(): Promise<void> {
  const { values } = parseArgs({
    options: {
      pairs: { type: 'string', default: '64' },
      seconds: { type: 'string', default: '3' },
      idle: { type: 'string', default: '2000' },
      only: { type: 'string', default: 'fast,plain' },
      tls: { type: 'string', default: 'no,yes' },
    },
  })
  process.stdout.write('sockets\ttls\talone µs\twindow 16 µs\tKB a connection\n')
  for (const tls of values.tls.split(',')) {
    for (const sockets of values.only.split(',')) {
      const secure = tls === 'yes'
      const busy = await start(sockets, secure)
      const alone = await traffic(busy, secure, Number(values.pairs), 1, Number(values.seconds))
      const windowed = await traffic(busy, secure, Number(values.pairs), 16, Number(values.seconds))
      busy.stop()
      const still = await start(sockets, secure)
      const kb = await idle(still, secure, Number(values.idle))
      still.stop()
      process.stdout.write(`${[sockets, tls, alone.toFixed(2), windowed.toFixed(2), kb.toFixed(2)].join('\t')}\n`)
    }
  }
}

const [flag, sockets, secure] = process.argv.slice(2)
if (flag === '--relay') await relay(sockets as SocketChoice, secure === 'tls')
else {
  await measure()
  process.exit()
}
