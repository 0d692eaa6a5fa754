/**
 * What a hash stands for (XEP-0115 §5.4): known, or asked for. Each is asked for once, of one who advertises it; when that
 * one's answer is no good, another is asked (§5.4 rule 3.9). Nobody is believed for others whose answer does not make the
 * hash, or might be somebody else's told differently (§9.3).
 */
import type { Counter } from '../../core/metrics.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { FeatureSet } from '../../core/services/caps.ts'
import type { Jid } from '../../jid/jid.ts'
import { StanzaError } from '../../stanza/error.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import { type Advert, type Adverts, keyOf } from './adverts.ts'
import { NS_INFO, readInfo, text, verificationString } from './verification.ts'

/** An answer that comes later is none. */
const answerMs = 15_000

export interface InquiryLimits {
  /** Hashes that are remembered. */
  readonly hashes_max: number
  /** Questions open to one account here, or one domain elsewhere. */
  readonly queries_per_peer: number
  /** Bytes of an answer. */
  readonly size_max: number
}

export interface InquiryCounters {
  readonly hashesMax: Counter
  readonly queriesPerPeer: Counter
  readonly sizeMax: Counter
  readonly verified: Counter
  readonly rejected: Counter
}

/** Somebody who advertises what is asked for. */
interface Candidate {
  readonly jid: Jid
  /** The host that asks him. */
  readonly asker: Jid
}

interface Inquiry {
  readonly key: string
  readonly advert: Advert
  /** Who could be asked. */
  readonly fresh: Map<string, Candidate>
  /** Who was asked in vain, and is not asked again for the same unless he was too late: that may have been the network. */
  readonly spent: Map<string, Candidate & { readonly isLate: boolean }>
  /** Who is asked now. */
  asked: Candidate | undefined
}

type Verdict =
  | { readonly kind: 'for-all'; readonly features: FeatureSet }
  /** Of the one who was asked, of nobody else. */
  | { readonly kind: 'for-one'; readonly features: FeatureSet }
  | { readonly kind: 'rejected'; readonly why: string }

export type InquiryContext = Pick<ModuleContext, 'hashing' | 'iq' | 'log' | 'random' | 'sessions' | 'tell'>

export class Inquiries {
  readonly #ctx: InquiryContext
  readonly #adverts: () => Adverts
  readonly #limits: InquiryLimits
  readonly #counters: InquiryCounters
  /** The least recently met first. */
  readonly #known = new Map<string, Advert>()
  readonly #inquiries = new Map<string, Inquiry>()
  readonly #openByPeer = new Map<string, number>()
  /** Those whose every candidate has as many questions as he may. */
  readonly #parked = new Set<Inquiry>()
  #open = 0
  #isStopped = false

  constructor(ctx: InquiryContext, adverts: () => Adverts, limits: InquiryLimits, counters: InquiryCounters) {
    this.#ctx = ctx
    this.#adverts = adverts
    this.#limits = limits
    this.#counters = counters
  }

  get known(): number {
    return this.#known.size
  }

  get open(): number {
    return this.#open
  }

  /** Adverts of somebody who is there that stand for nothing yet. */
  get unknown(): number {
    return this.#inquiries.size
  }

  /** The one object for these three. */
  advert(hash: string, node: string, ver: string): Advert {
    const key = keyOf(hash, node, ver)
    const known = this.#known.get(key)
    if (known !== undefined) {
      this.#known.delete(key)
      this.#known.set(key, known)
      return known
    }
    const asked = this.#inquiries.get(key)?.advert
    return asked ?? { hash: text(hash), node: text(node), ver: text(ver), features: undefined }
  }

  /** What an advert stands for that was made before the answer came, or in another process. */
  featuresOf(advert: Advert): FeatureSet | undefined {
    advert.features ??= this.#known.get(keyOf(advert.hash, advert.node, advert.ver))?.features
    return advert.features
  }

  /** Asks for what an advert stands for: this one, or others before him. */
  ask(advert: Advert, jid: Jid, asker: Jid): void {
    const key = keyOf(advert.hash, advert.node, advert.ver)
    const known = this.#inquiries.get(key)
    const inquiry: Inquiry = known ?? { key, advert, fresh: new Map(), spent: new Map(), asked: undefined }
    if (known === undefined) this.#inquiries.set(key, inquiry)
    const name = jid.toString()
    if (inquiry.asked?.jid.equals(jid) || inquiry.spent.get(name)?.isLate === false) return
    inquiry.spent.delete(name)
    inquiry.fresh.set(name, { jid, asker })
    this.#next(inquiry)
  }

  /** Somebody does not advertise this any more. */
  left(name: string, { hash, node, ver, features }: Advert): void {
    if (features !== undefined) return
    const inquiry = this.#inquiries.get(keyOf(hash, node, ver))
    if (inquiry === undefined) return
    inquiry.fresh.delete(name)
    inquiry.spent.delete(name)
    this.#tidy(inquiry)
  }

  /** Another limit of hashes. */
  resize(): void {
    for (const [oldest] of this.#known) {
      if (this.#known.size <= this.#limits.hashes_max) return
      this.#known.delete(oldest)
      this.#counters.hashesMax.value++
    }
  }

  stop(): void {
    this.#isStopped = true
    this.#inquiries.clear()
    this.#parked.clear()
  }

  #tidy(inquiry: Inquiry): void {
    if (inquiry.asked !== undefined || inquiry.fresh.size > 0 || inquiry.spent.size > 0) return
    this.#inquiries.delete(inquiry.key)
    this.#parked.delete(inquiry)
  }

  #next(inquiry: Inquiry): void {
    if (inquiry.asked !== undefined) return
    const candidate = this.#choose(inquiry)
    if (candidate === undefined) {
      if (inquiry.fresh.size > 0) this.#park(inquiry)
      else this.#parked.delete(inquiry)
      return
    }
    this.#parked.delete(inquiry)
    inquiry.asked = candidate
    this.#open++
    inquiry.fresh.delete(candidate.jid.toString())
    const peer = this.#peerOf(candidate.jid)
    this.#openByPeer.set(peer, (this.#openByPeer.get(peer) ?? 0) + 1)
    const { node, ver } = inquiry.advert
    // §6.2: the very address, and the node for the sake of old ones.
    const query = x('query', NS_INFO, { node: `${node}#${ver}` })
    this.#ctx.iq
      .ask('get', candidate.asker, candidate.jid, query, answerMs)
      .then(
        (answer) => this.#answered(inquiry, candidate, peer, this.#judge(inquiry.advert, answer)),
        (error: unknown) => this.#failed(inquiry, candidate, peer, error),
      )
      .catch((error: unknown) => {
        this.#ctx.log.error('an answer could not be dealt with', { code: 'RTK_CAPS_ANSWER', error })
      })
  }

  #park(inquiry: Inquiry): void {
    if (this.#parked.has(inquiry)) return
    this.#parked.add(inquiry)
    this.#counters.queriesPerPeer.value++
  }

  /**
   * Any of those who may be asked now: the first to come might be one who never answers, and so would be the last. Undefined:
   * all of them have as many questions as they may.
   */
  #choose({ fresh }: Inquiry): Candidate | undefined {
    const free: Candidate[] = []
    for (const candidate of fresh.values()) {
      const open = this.#openByPeer.get(this.#peerOf(candidate.jid)) ?? 0
      if (open < this.#limits.queries_per_peer) free.push(candidate)
    }
    return free.length < 2 ? free[0] : free[this.#ctx.random.below(free.length)]
  }

  #peerOf(jid: Jid): string {
    return this.#ctx.sessions.find(jid) === undefined ? jid.domain : jid.bare.toString()
  }

  #failed(inquiry: Inquiry, candidate: Candidate, peer: string, error: unknown): void {
    const isLate = error instanceof StanzaError && error.condition === 'remote-server-timeout'
    const why = error instanceof StanzaError ? error.condition : String(error)
    this.#answered(inquiry, candidate, peer, { kind: 'rejected', why }, isLate)
  }

  #answered(inquiry: Inquiry, candidate: Candidate, peer: string, verdict: Verdict, isLate = false): void {
    inquiry.asked = undefined
    this.#open--
    const open = (this.#openByPeer.get(peer) ?? 1) - 1
    if (open === 0) this.#openByPeer.delete(peer)
    else this.#openByPeer.set(peer, open)
    if (this.#isStopped) return
    switch (verdict.kind) {
      case 'for-all':
        this.#learned(inquiry, candidate, verdict.features)
        break
      case 'for-one':
        this.#learnedOfOne(inquiry, candidate, verdict.features)
        break
      case 'rejected':
        this.#rejected(inquiry, candidate, verdict.why, isLate)
    }
    for (const parked of [...this.#parked]) this.#next(parked)
  }

  #learned(inquiry: Inquiry, candidate: Candidate, features: FeatureSet): void {
    const { advert, key } = inquiry
    this.#counters.verified.value++
    advert.features = features
    this.#known.set(key, advert)
    this.resize()
    this.#inquiries.delete(key)
    this.#parked.delete(inquiry)
    this.#tell(candidate.jid, advert, features)
    for (const { jid } of inquiry.spent.values()) this.#tell(jid, advert, features)
    for (const { jid } of inquiry.fresh.values()) this.#tell(jid, advert, features)
  }

  #learnedOfOne(inquiry: Inquiry, { jid }: Candidate, features: FeatureSet): void {
    const own: Advert = { ...inquiry.advert, features }
    if (this.#adverts().replace(jid, own)) this.#tell(jid, own, features)
    this.#next(inquiry)
    this.#tidy(inquiry)
  }

  #rejected(inquiry: Inquiry, candidate: Candidate, why: string, isLate: boolean): void {
    this.#counters.rejected.value++
    const { jid } = candidate
    const { advert } = inquiry
    this.#ctx.log.debug('capabilities were not believed', {
      code: 'RTK_CAPS_REJECTED',
      jid: jid.toString(),
      node: advert.node,
      ver: advert.ver,
      why,
    })
    // He may have gone meanwhile, or advertise something else.
    if (this.#adverts().has(jid, advert)) inquiry.spent.set(jid.toString(), { ...candidate, isLate })
    this.#next(inquiry)
    this.#tidy(inquiry)
  }

  #tell(jid: Jid, advert: Advert, features: FeatureSet): void {
    if (this.#adverts().has(jid, advert)) this.#ctx.tell('caps:known', { jid, features })
  }

  /** §5.4. */
  #judge(advert: Advert, answer: Element): Verdict {
    if (answer.size > this.#limits.size_max) {
      this.#counters.sizeMax.value++
      return { kind: 'rejected', why: 'too large' }
    }
    const query = answer.child('query', NS_INFO)
    const info = query === undefined ? undefined : readInfo(query)
    if (info === undefined) return { kind: 'rejected', why: 'ill-formed' }
    const features: FeatureSet = new Set(info.features)
    const ver = verificationString(this.#ctx.hashing, advert.hash, info)
    // Rule 2: an algorithm that is not known here.
    if (ver === undefined) return { kind: 'for-one', features }
    if (ver !== advert.ver) return { kind: 'rejected', why: 'another hash' }
    return { kind: info.isConclusive ? 'for-all' : 'for-one', features }
  }
}
