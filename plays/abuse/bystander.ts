/** Two innocent users who talk to each other, and how long their words take. */
import { jid } from '../../src/jid/index.ts'
import { ClientFailure, connectClient, type XmppClient } from '../../src/stream/client.ts'
import type { Place } from '../../src/world/net.types.ts'
import type { World } from '../../src/world/world.types.ts'
import { x } from '../../src/xml/index.ts'

const NS = 'jabber:client'

/** A word that takes longer than this is lost. */
const patienceMs = 10_000

export class Bystanders {
  readonly #world: World
  readonly #speaker: XmppClient
  #heard: (id: string) => void = () => undefined
  #listener: XmppClient | undefined
  #end = 'open'

  private constructor(world: World, speaker: XmppClient) {
    this.#world = world
    this.#speaker = speaker
  }

  static async arrive(world: World, place: Place, ca: string): Promise<Bystanders> {
    const enter = async (user: string, onHeard: (id: string) => void) => {
      const client = await connectClient(world, {
        jid: jid(`${user}@localhost/innocent`),
        password: 'secret',
        place,
        tls: 'starttls',
        ca,
        onStanza: (el) => onHeard(el.attr('id') ?? ''),
      })
      if (client instanceof ClientFailure) throw new Error(String(client))
      return client
    }
    const speaker = await enter('romeo', () => undefined)
    const bystanders = new Bystanders(world, speaker)
    speaker.ended.then(
      (end) => {
        bystanders.#end = end.kind
      },
      () => undefined,
    )
    bystanders.#listener = await enter('juliet', (id) => bystanders.#heard(id))
    return bystanders
  }

  leave(): void {
    this.#speaker.destroy()
    this.#listener?.destroy()
  }

  pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#world.clock.after(ms, resolve, undefined)
    return promise
  }

  /** Says `count` things, one after the other was heard, 10 ms apart. Resolves with the times in milliseconds, sorted. */
  async talk(count: number): Promise<readonly number[]> {
    const times: number[] = []
    for (let i = 0; i < count; i++) {
      const id = `talk${i}`
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      this.#heard = (heard) => {
        if (heard === id) resolve()
      }
      const from = this.#world.clock.monoMs()
      this.#speaker.send(x('message', NS, { to: 'juliet@localhost/innocent', type: 'chat', id }, x('body', NS, 'hark')))
      const late = this.#world.clock.after(
        patienceMs,
        () => reject(new Error(`${id} was not heard; the speaker's stream: ${this.#end}`)),
        undefined,
      )
      await promise
      late.cancel()
      times.push(this.#world.clock.monoMs() - from)
      await this.pause(10)
    }
    return times.sort((a, b) => a - b)
  }
}

export function p99(times: readonly number[]): number {
  return times[Math.min(times.length - 1, Math.floor(times.length * 0.99))] ?? 0
}
