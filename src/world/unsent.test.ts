/** What a transport tells of what has not left: all of it, and never a later time than that of its first write. */
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
  readonly receivedBytes = 0
  readonly sentBytes = 0
  readonly heldBytes = 0
  room = 0
  #left = 0

  constructor(turn: Turn) {
    const clock = { wallMs: () => turn.now }
    const around = {
      turn,
      clock,
      handshakes: new Handshakes(turn),
      behind: new Set(),
    } as unknown as TransportSurroundings
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

/** `<a/>`, which stays on its way, and a second later `<b/>` behind it; then another second passes. */
function twoWrites(): { turn: Turn; connection: Connection } {
  const turn = new Turn()
  const connection = new Connection(turn)
  for (const bytes of ['<a/>', '<b/>']) {
    connection.write(bytes as Octets)
    turn.end()
    turn.now += 1_000
  }
  return { turn, connection }
}

test('since: it is when the write was made that the kernel did not take, not the first behind it', () => {
  const { connection } = twoWrites()
  connection.breaks()
  assert.deepEqual(connection.unsent, { bytes: '<a/><b/>', taken: 0, since: 1_000 })
})

test('since: it is told of what was withdrawn, though all else has left', () => {
  const { turn, connection } = twoWrites()
  assert.equal(connection.withdraw(), '<b/>')
  connection.takes()
  turn.now += 1_000
  connection.goes()
  assert.equal(connection.unsent.bytes, '')
  assert.equal(connection.unsent.since, 1_000)
})

test('what is written after the connection broke is unsent, until that was told', () => {
  const turn = new Turn()
  const connection = new Connection(turn)
  connection.room = 100
  connection.write('<a/>' as Octets)
  turn.end()
  connection.breaks()
  connection.write('<b/>' as Octets)
  connection.write('<c/>' as Octets)
  connection.goes()
  connection.write('<d/>' as Octets)
  assert.deepEqual(connection.unsent, { bytes: '<b/><c/>', taken: 0, since: 1_000 })
})
