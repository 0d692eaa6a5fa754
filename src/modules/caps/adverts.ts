/**
 * What others advertise (XEP-0115 §6.1), and who does. A session keeps its own in a slot; of who is elsewhere a bounded number
 * is remembered, the least recently heard of makes room.
 */
import type { ModuleContext } from '../../core/module.ts'
import type { FeatureSet } from '../../core/services/caps.ts'
import type { Session } from '../../core/session.ts'
import type { Slot, SlotCodec } from '../../core/slots.ts'
import type { Jid } from '../../jid/jid.ts'

/** The content of a `<c/>`. One object is shared by all who advertise the same. */
export interface Advert {
  readonly hash: string
  readonly node: string
  readonly ver: string
  /** Undefined until somebody was asked and could be believed. */
  features: FeatureSet | undefined
}

/** XML has no such character. */
export const keyOf = (hash: string, node: string, ver: string): string => `${hash}\0${ver}\0${node}`

/** What was learned of it is looked up again where the session goes. */
const kept: SlotCodec<Advert> = {
  encode: ({ hash, node, ver }) => ({ hash, node, ver }),
  decode(data) {
    if (typeof data !== 'object' || data === null || Array.isArray(data)) return undefined
    const { hash, node, ver } = data as Readonly<Record<string, unknown>>
    if (typeof hash !== 'string' || typeof node !== 'string' || typeof ver !== 'string') return undefined
    return { hash, node, ver, features: undefined }
  },
}

/** In place of nothing: no presence had any. */
const none = (): Advert => ({ hash: '', node: '', ver: '', features: undefined })

export class Adverts {
  readonly #sessions: ModuleContext['sessions']
  readonly #slot: Slot<Advert>
  readonly #elsewhere = new Map<string, Advert>()
  readonly #elsewhereMax: () => number
  readonly #evicted: { value: number }
  readonly #left: (name: string, advert: Advert) => void

  /** `left` is told who advertises something no more. */
  constructor(
    ctx: Pick<ModuleContext, 'sessions' | 'slot'>,
    elsewhereMax: () => number,
    evicted: { value: number },
    left: (name: string, advert: Advert) => void,
  ) {
    this.#sessions = ctx.sessions
    this.#slot = ctx.slot('advert', none, { kept })
    this.#elsewhereMax = elsewhereMax
    this.#evicted = evicted
    this.#left = left
  }

  /** Entities elsewhere of which something is remembered. */
  get elsewhere(): number {
    return this.#elsewhere.size
  }

  of(jid: Jid): Advert | undefined {
    const session = this.#sessions.find(jid)
    return session === undefined ? this.#elsewhere.get(jid.toString()) : this.ofSession(session)
  }

  ofSession(session: Session): Advert | undefined {
    return session.slots.peek(this.#slot)
  }

  setSession(session: Session, advert: Advert | undefined): void {
    const before = this.ofSession(session)
    if (before === advert) return
    session.slots.set(this.#slot, advert)
    if (before !== undefined) this.#left(session.jid.toString(), before)
  }

  setElsewhere(jid: Jid, advert: Advert): void {
    const name = jid.toString()
    this.forget(name, advert)
    this.#elsewhere.set(name, advert)
    for (const [oldest] of this.#elsewhere) {
      if (this.#elsewhere.size <= this.#elsewhereMax()) return
      this.#evicted.value++
      this.forget(oldest)
    }
  }

  /** Whether this is what the address advertises: perhaps as another object, when its session has moved. */
  has(jid: Jid, { hash, node, ver }: Advert): boolean {
    const advert = this.of(jid)
    return advert?.ver === ver && advert.node === node && advert.hash === hash
  }

  /** In the place of the same with features of nobody else; false when the address is gone, or advertises something else. */
  replace(jid: Jid, advert: Advert): boolean {
    if (!this.has(jid, advert)) return false
    const session = this.#sessions.find(jid)
    if (session === undefined) this.#elsewhere.set(jid.toString(), advert)
    else session.slots.set(this.#slot, advert)
    return true
  }

  /** Somebody elsewhere is gone, or advertises `next` from now on. */
  forget(name: string, next?: Advert): void {
    const before = this.#elsewhere.get(name)
    if (before === undefined) return
    this.#elsewhere.delete(name)
    if (before !== next) this.#left(name, before)
  }
}
