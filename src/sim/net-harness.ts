/** What the contract tests of `Net` need: the three nets under one roof, and ends of connections that can be awaited. */
import { createWorld } from '../world/index.ts'
import { makeAuthority, makeHostCertificate } from '../world/local-ca.ts'
import type { SocketChoice } from '../world/net.ts'
import type {
  Certificate,
  CloseCause,
  Listening,
  Place,
  TlsInfo,
  Transport,
  TransportHandler,
} from '../world/net.types.ts'
import type { World } from '../world/world.types.ts'
import { ascii, type Octets } from '../xml/octets.ts'
import { ROUGH } from './network.ts'
import { simulate } from './simulation.ts'
import { authorityPem, symbolicCertificate } from './tls.ts'

export interface Bench {
  readonly world: World
  /** Makes a certificate for these names, below `roots`. */
  certificate(names: readonly string[]): Certificate
  readonly roots: string
  /** A Unix socket's path that nobody uses. */
  unixPath(): string
}

export interface NetKind {
  readonly name: string
  run(play: (bench: Bench) => Promise<void>): Promise<void>
}

/** The kinds of net, each with a `run` that gives a fresh world. */
export function netKinds(temporary: string): readonly NetKind[] {
  return [
    real('fast', temporary),
    real('plain', temporary),
    simulated('calm', 1),
    simulated('rough', 2),
    simulated('rough', 3),
  ]
}

function real(sockets: SocketChoice, temporary: string): NetKind {
  const authority = makeAuthority(createWorld().clock.now())
  let count = 0
  return {
    name: `real, ${sockets} sockets`,
    run: (play) =>
      play({
        world: createWorld({ sockets }),
        roots: authority.certPem,
        certificate: (names) => makeHostCertificate(authority, names, createWorld().clock.now()),
        unixPath: () => `${temporary}/${sockets}-${count++}`,
      }),
  }
}

function simulated(how: 'calm' | 'rough', seed: number): NetKind {
  return {
    name: `simulated, ${how}, seed ${seed}`,
    run: (play) =>
      simulate(seed, (simulation) => {
        if (how === 'rough') simulation.network.everywhere = ROUGH
        let count = 0
        return play({
          world: simulation.world(),
          roots: authorityPem('test'),
          certificate: (names) => symbolicCertificate({ names: [...names, 'localhost'], issuer: 'test' }),
          unixPath: () => `/run/${count++}`,
        })
      }),
  }
}

/** One end of a connection that notes what it is told and can be awaited. */
export class End implements TransportHandler {
  transport: Transport | undefined
  heard = ''
  /** What happened, in order: data, drained, secured, ended, closed. */
  readonly events: string[] = []
  info: TlsInfo | undefined
  cause: CloseCause | undefined
  /** Called first with what arrives. */
  onData: ((text: string) => void) | undefined
  onEnded: (() => void) | undefined
  readonly #waiting: { readonly test: () => boolean; readonly resolve: () => void }[] = []

  data(bytes: Uint8Array, start: number, end: number): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
    this.heard += text
    if (this.events.at(-1) !== 'data') this.events.push('data')
    this.onData?.(text)
    this.#tell()
  }

  drained(): void {
    this.#note('drained')
  }

  secured(tls: TlsInfo): void {
    this.info = tls
    this.#note('secured')
  }

  ended(): void {
    this.onEnded?.()
    this.#note('ended')
  }

  closed(cause: CloseCause): void {
    this.cause = cause
    this.#note('closed')
  }

  /** Resolves when the test is true, at once or after something happened here. */
  until(test: (end: End) => boolean): Promise<void> {
    return new Promise((resolve) => {
      if (test(this)) resolve()
      else this.#waiting.push({ test: () => test(this), resolve })
    })
  }

  write(text: string): void {
    this.live.write(ascii(text))
  }

  get live(): Transport {
    if (this.transport === undefined) throw new Error('not connected')
    return this.transport
  }

  happened(event: string): number {
    return this.events.filter((one) => one === event).length
  }

  #note(event: string): void {
    this.events.push(event)
    this.#tell()
  }

  #tell(): void {
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const waiting = this.#waiting[i]
      if (waiting?.test() !== true) continue
      this.#waiting.splice(i, 1)
      waiting.resolve()
    }
  }
}

export interface Pair {
  readonly listening: Listening
  readonly server: End
  readonly client: End
  /** Closes both and waits for it. */
  over(): Promise<void>
}

/** A listener and one connection to it. `prepare` is called in the accept call, before anything is read. */
export async function connectPair(
  bench: Bench,
  place: Place,
  prepare?: (server: End, transport: Transport) => void,
): Promise<Pair> {
  const { net } = bench.world
  const accepted = Promise.withResolvers<End>()
  const listening = await net.listen(place, { backlog: 8 }, (transport) => {
    const end = new End()
    end.transport = transport
    prepare?.(end, transport)
    accepted.resolve(end)
    return end
  })
  const client = new End()
  client.transport = await net.connect(listening.place, client, 5_000)
  const server = await accepted.promise
  return {
    listening,
    server,
    client,
    over: async () => {
      for (const end of [client, server]) end.transport?.destroy()
      await Promise.all([client, server].map((end) => end.until(({ cause }) => cause !== undefined)))
      await listening.close()
    },
  }
}

/** Bytes that show where one is missing or out of place. */
export function pattern(length: number): Octets {
  let text = ''
  for (let i = 0; text.length < length; i++) text += `${i}\xff`
  return text.slice(0, length) as Octets
}

export const TCP: Place = { kind: 'tcp', host: '127.0.0.1', port: 0 }
