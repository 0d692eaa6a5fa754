/** Requests that the server itself sends, and the answers it waits for. Bounded, and each with a deadline. */
import type { Jid } from '../jid/jid.ts'
import { StanzaError, stanzaCondition } from '../stanza/error.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import type { Clock, Timer } from '../world/clock.types.ts'
import type { Random } from '../world/random.types.ts'
import { x } from '../xml/build.ts'
import type { Element } from '../xml/element.types.ts'
import { Packet } from './packet.ts'
import type { Router } from './router.ts'

/** Requests open at once (`requests_open_max`); one more is refused with `resource-constraint`. */
export const requestsOpenMax = 10_000

const errorTooMany = new StanzaError('RTK_REQUESTS_OPEN_MAX', 'resource-constraint')

interface Open {
  readonly to: Jid
  readonly resolve: (answer: Element) => void
  readonly reject: (error: StanzaError) => void
  readonly timer: Timer
}

export class Requests {
  readonly #router: Router
  readonly #clock: Clock
  readonly #random: Random
  readonly #refused: (code: string) => void
  readonly #open = new Map<string, Open>()

  /** `refused` is told the code of a request that was not sent. */
  constructor(router: Router, clock: Clock, random: Random, refused: (code: string) => void) {
    this.#router = router
    this.#clock = clock
    this.#random = random
    this.#refused = refused
  }

  get openCount(): number {
    return this.#open.size
  }

  /**
   * Sends an iq request and resolves with the answering stanza's element (result). Rejects with a `StanzaError`:
   * the answer's own condition, `remote-server-timeout` after `timeoutMs`, `resource-constraint` at the limit.
   */
  ask(type: 'get' | 'set', from: Jid, to: Jid, payload: Element, timeoutMs = 30_000): Promise<Element> {
    if (this.#open.size >= requestsOpenMax) {
      this.#refused(errorTooMany.code)
      return Promise.reject(errorTooMany)
    }
    const id = this.#random.id()
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, (key) => this.#expired(key), id)
      this.#open.set(id, { to, resolve, reject, timer })
      const request = x('iq', NS_CLIENT, { id, type }, payload)
      this.#router.submit(new Packet('iq', request, from, to, this.#router.serverOrigin))
    })
  }

  /** Offers an answer. True when somebody waited for it; only the one who was asked may answer. */
  answered(packet: Packet): boolean {
    const id = packet.el.attr('id')
    const open = id === undefined ? undefined : this.#open.get(id)
    if (id === undefined || open === undefined || !open.to.equals(packet.from)) return false
    this.#open.delete(id)
    open.timer.cancel()
    if (packet.el.attr('type') === 'result') open.resolve(packet.el)
    else open.reject(new StanzaError('RTK_REQUEST_REFUSED', conditionOf(packet.el)))
    packet.settle('handed')
    return true
  }

  /** Rejects all that are open; the server stops. */
  close(): void {
    for (const open of this.#open.values()) {
      open.timer.cancel()
      open.reject(new StanzaError('RTK_SERVER_STOPPING', 'service-unavailable'))
    }
    this.#open.clear()
  }

  #expired(id: string): void {
    const open = this.#open.get(id)
    if (open === undefined) return
    this.#open.delete(id)
    open.reject(new StanzaError('RTK_REQUEST_TIMEOUT', 'remote-server-timeout'))
  }
}

function conditionOf(el: Element): StanzaError['condition'] {
  return stanzaCondition(el.child('error', NS_CLIENT)?.elements[0]?.name ?? '') ?? 'undefined-condition'
}
