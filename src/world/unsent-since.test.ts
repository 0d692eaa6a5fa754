/** `Unsent.since` is never later than the first write that has not left. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Octets } from '../xml/octets.ts'
import { Handshakes } from './handshakes.ts'
import type { TransportHandler } from './net.types.ts'
import { BaseTransport, type TransportSurroundings } from './transport.ts'
import type { Flushable } from './turn.ts'

const idle: TransportHandler = { data() {}, drained() {}, secured() {}, ended() {}, closed() {} }

/** A turn that ends when the test says so, and the time. */
class Turn {
  now = 1_000
  #dirty: Flushable[] = []

  soon(): void {}
  flushAtEnd(transport: Flushable): void {
    this.#dirty.push(transport)
  }
  end(): void {
    for (const transport of this.#dirty.splice(0)) transport.flush()
  }
}

/** A connection whose kernel takes so many bytes. */
class Connection extends BaseTransport {
  readonly local = { host: '', port: 0 }
  room = 0
  #left = 0

  constructor(turn: Turn) {
    const clock = { wallMs: () => turn.now }
    const around = { turn, clock, handshakes: new Handshakes(turn) } as unknown as TransportSurroundings
    super(around, idle, { host: '', port: 0 })
  }

  keepAlive(): void {}
  protected send(bytes: string): boolean {
    this.#left = Math.max(0, bytes.length - this.room)
    this.room = Math.max(0, this.room - bytes.length)
    return this.#left === 0
  }
  protected sending(): number {
    return this.#left
  }
  protected reading(): void {}
  protected shut(): void {}
  protected release(): void {}
  protected secureServer(): void {}
  protected secureClient(): void {}

  /** The kernel has taken what was on its way. */
  takes(): void {
    this.#left = 0
    this.room = Number.POSITIVE_INFINITY
    this.sent()
  }
  breaks(): void {
    this.failed({ kind: 'error', code: 'ECONNRESET', text: '' })
  }
  goes(): void {
    this.released({ kind: 'peer' })
  }
}

test('it is when the write was made that the kernel did not take, not the first behind it', () => {
  const turn = new Turn()
  const connection = new Connection(turn)
  for (const bytes of ['<a/>', '<b/>']) {
    connection.write(bytes as Octets)
    turn.end()
    turn.now += 1_000
  }
  connection.breaks()
  assert.deepEqual(connection.unsent, { bytes: '<a/><b/>', taken: 0, since: 1_000 })
})

test('it is told of what was withdrawn, though all else has left', () => {
  const turn = new Turn()
  const connection = new Connection(turn)
  for (const bytes of ['<a/>', '<b/>']) {
    connection.write(bytes as Octets)
    turn.end()
    turn.now += 1_000
  }
  assert.equal(connection.withdraw(), '<b/>')
  connection.takes()
  turn.now += 1_000
  connection.goes()
  assert.equal(connection.unsent.bytes, '')
  assert.equal(connection.unsent.since, 1_000)
})
