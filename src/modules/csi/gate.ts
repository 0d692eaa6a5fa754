/** Before the link of an inactive client. */
import type { DeliveryGate } from '../../core/delivery-gate.ts'
import type { Counter } from '../../core/metrics.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'
import { delayCodec, NS_DELAY } from '../../stanza/delay.ts'
import { NS_CLIENT } from '../../stanza/ns.ts'
import type { Clock } from '../../world/clock.types.ts'
import { ascii, type Octets, own } from '../../xml/octets.ts'
import { serialise } from '../../xml/serialise.ts'
import { join } from '../../xml/write.ts'
import { waitsUnder } from './urgency.ts'
import type { Held, Waiting } from './waiting.ts'

export interface GateNeeds {
  readonly options: { readonly held_bytes: number }
  readonly clock: Pick<Clock, 'wallMs'>
  readonly held: Counter
  readonly replaced: Counter
  readonly full: Counter
}

export class InactiveGate implements DeliveryGate {
  readonly #me: Jid
  readonly #host: Jid
  readonly #waiting: Waiting
  readonly #needs: GateNeeds

  constructor(session: Pick<Session, 'jid' | 'host'>, waiting: Waiting, needs: GateNeeds) {
    this.#me = session.jid
    this.#host = session.host.jid
    this.#waiting = waiting
    this.#needs = needs
  }

  get since(): number {
    return this.#waiting.since
  }

  holds(bytes: Octets): boolean {
    const key = waitsUnder(bytes, this.#me)
    if (key === undefined) return false
    const { clock, full, held, options, replaced } = this.#needs
    if (this.#waiting.bytes + bytes.length > options.held_bytes) {
      if (options.held_bytes > 0) full.value++
      return false
    }
    held.value++
    if (this.#waiting.add(own(key), { bytes: own(bytes), ms: clock.wallMs() })) replaced.value++
    return true
  }

  shift(): Octets | undefined {
    const first = this.#waiting.shift()
    return first === undefined ? undefined : late(first, this.#host)
  }

  lift(): void {
    this.#waiting.isLifted = true
  }
}

/** XEP-0203 §2: this server delayed it. One that is late already says since when it is. */
function late({ bytes, ms }: Held, by: Jid): Octets {
  if (bytes.includes(NS_DELAY)) return bytes
  const note = serialise(delayCodec.encode({ from: by, stamp: new Date(ms) }), NS_CLIENT)
  if (bytes.endsWith('/>')) {
    const name = ascii(bytes.startsWith('<presence') ? 'presence' : 'message')
    return join(bytes.slice(0, -2) as Octets, ascii('>'), note, ascii('</'), name, ascii('>'))
  }
  const end = bytes.lastIndexOf('</')
  return join(bytes.slice(0, end) as Octets, note, bytes.slice(end) as Octets)
}
