/** A road of its own between clients and the server, on loopback, that a test can break the ways roads break. */
import assert from 'node:assert/strict'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { freePort, listening } from '../../tools/real/foreign.ts'

/** From the client to the server, and back. */
export type Way = 'up' | 'down'

export interface Break {
  /** First everything that goes this way is lost, until so many bytes are. */
  readonly loses?: { readonly ways: readonly Way[]; readonly bytes: number }
  /**
   * `reset`: both ends are told. `left`: only the client is told, and the server goes on talking to nobody.
   * `silent`: nobody is told, ever.
   */
  readonly end: 'reset' | 'left' | 'silent'
}

export class Relay {
  readonly #servers: readonly Server[]
  readonly #to: number
  readonly #roads = new Set<Road>()
  readonly #short: number[] = []
  /** Connections that clients made. */
  made = 0

  readonly port: number

  private constructor(to: number, port: number) {
    this.#to = to
    this.port = port
    this.#servers = ['127.0.0.1', '::1'].map((address) => {
      const server = createServer((client) => this.#takes(client))
      // Some clients insist on ::1 for `localhost`, and some machines have none.
      if (address === '::1') server.on('error', () => undefined)
      return server.listen(port, address)
    })
  }

  static async start(to: number): Promise<Relay> {
    const relay = new Relay(to, await freePort())
    await listening(relay.port)
    relay.made = 0
    return relay
  }

  #takes(client: Socket): void {
    this.made++
    this.#roads.add(new Road(client, connect(this.#to, '127.0.0.1'), this.#short.shift()))
  }

  /** Breaks what is open now. */
  breaks(how: Break): void {
    for (const road of this.#roads) road.breaks(how)
  }

  /** Each of the next connections is reset when so many bytes came down to the client. */
  willBreak(...afterBytes: readonly number[]): void {
    this.#short.push(...afterBytes)
  }

  /** Everything ends, what was silent too. */
  [Symbol.dispose](): void {
    for (const server of this.#servers) server.close()
    for (const road of this.#roads) road.ends('reset')
  }
}

class Road {
  readonly #client: Socket
  readonly #server: Socket
  /** Nothing of one end reaches the other any more, not even its end. */
  #isBroken = false
  #losing: readonly Way[] = []
  #bytesToLose = 0
  #end: Break['end'] = 'reset'
  #bytesDown = 0

  constructor(client: Socket, server: Socket, resetAfter = Number.POSITIVE_INFINITY) {
    this.#client = client
    this.#server = server
    this.#join(client, server, 'up', resetAfter)
    this.#join(server, client, 'down', resetAfter)
  }

  breaks({ loses, end }: Break): void {
    if (this.#isBroken) return
    // TLS would notice a gap in what comes.
    assert.deepEqual(this.#losing, [], 'one break after the other')
    if (loses === undefined) return this.ends(end)
    this.#losing = loses.ways
    this.#bytesToLose = loses.bytes
    this.#end = end
  }

  ends(how: Break['end']): void {
    this.#isBroken = true
    if (how !== 'silent') this.#client.resetAndDestroy()
    if (how === 'reset') this.#server.resetAndDestroy()
  }

  #join(from: Socket, to: Socket, way: Way, resetAfter: number): void {
    from.setNoDelay(true)
    from.on('data', (data) => {
      if (this.#isBroken) return
      if (this.#losing.includes(way)) {
        this.#bytesToLose -= data.length
        if (this.#bytesToLose <= 0) this.ends(this.#end)
        return
      }
      to.write(data)
      if (way === 'down') this.#bytesDown += data.length
      if (this.#bytesDown >= resetAfter) this.ends('reset')
    })
    from.on('end', () => {
      if (!this.#isBroken) to.end()
    })
    from.on('error', () => undefined)
    from.on('close', () => {
      if (!this.#isBroken) to.destroy()
    })
  }
}
