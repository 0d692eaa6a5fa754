/** What the tests of slow readers share: links that take little, and an ear that tells what was heard. */
import type { Wire } from '../../plays/language/wire.ts'
import { SymbolicServer } from '../listeners/symbolic.testing.ts'
import { fromBytes } from '../xml/index.ts'
import { type Ground, groundOf, listener, message } from './limits.testing.ts'

type Sections = Readonly<Record<string, unknown>>

/** With accounts romeo, juliet and nurse; links take what they get at once. */
export function play(sections: Sections, act: (ground: Ground) => Promise<void>, seed = 1): Promise<void> {
  const run = async (symbolic: SymbolicServer) => {
    const ground = groundOf(symbolic, 'ratatosk_sessions_queue_full_total')
    await ground.account('juliet')
    await ground.account('nurse')
    await act(ground)
  }
  return SymbolicServer.run({ listeners: [listener], ...sections }, run, seed)
}

/** From now on all links are slow. */
export function slow(ground: Ground, bytesPerSecond: number, windowBytes = 16_384): void {
  const { network } = ground.symbolic.simulation
  network.everywhere = { ...network.everywhere, bytesPerSecond, windowBytes, chop: false }
}

/** Collects what a wire hears from here on. */
export class Ear {
  readonly wire: Wire
  #parts: string[] = []

  constructor(wire: Wire) {
    this.wire = wire
    const { handler } = wire.transport
    wire.transport.handler = {
      data: (bytes, start, end) => void this.#parts.push(fromBytes(bytes.subarray(start, end))),
      drained: () => handler.drained(),
      secured: (info) => handler.secured(info),
      ended: () => handler.ended(),
      closed: (cause) => handler.closed(cause),
    }
  }

  get text(): string {
    this.#parts = [this.#parts.join('')]
    return this.#parts[0] as string
  }

  /** The ids of the whole messages, in order. */
  get ids(): number[] {
    const whole = /<message(?=[^>]* id='(\d+)')(?![^>]* type='error')[^>]*>(?:(?!<message).)*?<\/message>/g
    return [...this.text.matchAll(whole)].map((match) => Number(match[1]))
  }

  /** The ids of messages that came back as errors. */
  get refused(): number[] {
    return [...this.text.matchAll(/<message(?=[^>]* id='(\d+)')(?=[^>]* type='error')/g)].map((match) =>
      Number(match[1]),
    )
  }
}

export async function says(
  ground: Ground,
  wire: Wire,
  count: number,
  bytes: number,
  to = 'juliet@localhost',
): Promise<void> {
  const body = 'x'.repeat(bytes)
  for (let i = 0; i < count; i++) {
    wire.says(message(to, body, String(i)))
    if (i % 20 === 19) await ground.passes(50)
  }
  await ground.passes(2_000)
}

export async function arrives(ground: Ground, resource: string): Promise<Ear> {
  const ear = new Ear(await ground.bound('juliet', resource))
  ear.wire.says('<presence/>')
  return ear
}

/** Once he has what has come so far, he reads nothing more, and the kernels take little. */
export async function stalls(ground: Ground, { wire }: Ear): Promise<void> {
  await ground.passes(1_000)
  slow(ground, 0, 4_096)
  wire.transport.pause()
}

export const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

/** Until nothing new has come for a while. */
export async function rests(ground: Ground, ear: Ear): Promise<void> {
  for (let before = -1; before !== ear.text.length; ) {
    before = ear.text.length
    await ground.passes(10_000)
  }
}
