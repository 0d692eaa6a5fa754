/** The rules of a privacy list (XEP-0016 §2.1), as they are kept and as they are applied: a look into a few maps a stanza. */
import type { Traffic } from '../../core/services/privacy.ts'
import type { RosterItem, Subscription } from '../../core/services/roster.ts'
import { type Jid, parseJid } from '../../jid/jid.ts'

export type RuleKind = 'iq' | 'message' | 'presence-in' | 'presence-out'
/** '' is the fall-through case: everybody. */
export type RuleType = '' | 'group' | 'jid' | 'subscription'

export interface Rule {
  readonly type: RuleType
  /** A prepared address, the name of a group, a subscription; '' where the type is. */
  readonly value: string
  readonly deny: boolean
  /** 0 to 4294967295, unique in its list. */
  readonly order: number
  /** What it is for; empty: every stanza, in both directions. */
  readonly kinds: readonly RuleKind[]
}

export const ruleKinds: readonly RuleKind[] = ['message', 'iq', 'presence-in', 'presence-out']
export const subscriptionNames: readonly Subscription[] = ['both', 'from', 'none', 'to']
export const orderMax = 4_294_967_295

/** XEP-0191 §5: the rules that a blocklist is made of. */
export function isBlock(rule: Rule): boolean {
  return rule.type === 'jid' && rule.deny && rule.kinds.length === 0
}

/** As a list is kept: a list of texts and numbers in JSON. */
export function encodeRules(rules: readonly Rule[]): string {
  return JSON.stringify(
    rules.map(({ type, value, deny, order, kinds }) => [type, value, deny ? 1 : 0, order, ...kinds]),
  )
}

/** Undefined for what `encodeRules` did not make: it may come from a foreign backup. */
export function decodeRules(text: string): readonly Rule[] | undefined {
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(data)) return undefined
  const rules: Rule[] = []
  const orders = new Set<number>()
  for (const row of data) {
    const rule = Array.isArray(row) ? readRow(row) : undefined
    if (rule === undefined || orders.has(rule.order)) return undefined
    orders.add(rule.order)
    rules.push(rule)
  }
  return sorted(rules)
}

/** §2.2 rule 5: in ascending order. */
export function sorted(rules: readonly Rule[]): readonly Rule[] {
  return [...rules].sort((a, b) => a.order - b.order)
}

function readRow([type, value, deny, order, ...kinds]: readonly unknown[]): Rule | undefined {
  if (typeof value !== 'string' || (deny !== 0 && deny !== 1) || !isOrder(order)) return undefined
  const known = ruleKinds.filter((kind) => kinds.includes(kind))
  if (known.length < kinds.length) return undefined
  const about = { deny: deny === 1, order, kinds: known }
  if (type === '') return { type, value: '', ...about }
  if (type === 'group') return { type, value, ...about }
  if (type === 'subscription') return isSubscription(value) ? { type, value, ...about } : undefined
  const address = type === 'jid' ? parseJid(value) : undefined
  return address === undefined ? undefined : { type: 'jid', value: address.toString(), ...about }
}

export function isOrder(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= orderMax
}

export function isSubscription(value: string): value is Subscription {
  return (subscriptionNames as readonly string[]).includes(value)
}

/** Places in `Codes`. */
const places: Readonly<Record<Traffic, number>> = {
  'message-in': 0,
  'iq-in': 1,
  'presence-in': 2,
  'presence-out': 3,
  other: 4,
}
const kindPlaces: Readonly<Record<RuleKind, number>> = { message: 0, iq: 1, 'presence-in': 2, 'presence-out': 3 }

/**
 * The first rule for each traffic, as a number: its place in the list times 4, plus 1 when it denies, plus 2 when it is one
 * of a blocklist. The least of several decides (§2.2 rule 6).
 */
type Codes = readonly number[]

/** §2.2 rule 7: without any rule everything passes. */
export const noRule = 0x3ffffffc
const deniesBit = 1
const blocksBit = 2
const noCodes: Codes = [noRule, noRule, noRule, noRule, noRule]

export function denies(code: number): boolean {
  return (code & deniesBit) !== 0
}

/** True for a code that denies by a rule of the blocklist. */
export function blocks(code: number): boolean {
  return (code & blocksBit) !== 0
}

class CodeMap {
  readonly #codes = new Map<string, number[]>()

  add(key: string, rule: Rule, code: number): void {
    let codes = this.#codes.get(key)
    if (codes === undefined) {
      codes = [...noCodes]
      this.#codes.set(key, codes)
    }
    enter(codes, rule, code)
  }

  get(key: string, place: number): number {
    return this.#codes.get(key)?.[place] ?? noRule
  }

  get size(): number {
    return this.#codes.size
  }
}

function enter(codes: number[], rule: Rule, code: number): void {
  const named = rule.kinds.length === 0 ? [0, 1, 2, 3, 4] : rule.kinds.map((kind) => kindPlaces[kind])
  for (const place of named) if (codes[place] === noRule) codes[place] = code
}

const noResources: readonly string[] = []

/** A list ready to be applied. It knows neither whose it is nor his roster. */
export class CompiledList {
  readonly name: string
  /** Changes with the list's rules. */
  readonly version: number
  readonly isEmpty: boolean
  /** True when the roster decides too. */
  readonly needsRoster: boolean
  readonly #byJid = new CodeMap()
  readonly #byGroup = new CodeMap()
  readonly #bySubscription = new CodeMap()
  readonly #byNothing: number[] = [...noCodes]
  /** Resourceparts of rules on full addresses, by the bare one. */
  readonly #resources = new Map<string, string[]>()

  constructor(name: string, version: number, rules: readonly Rule[]) {
    this.name = name
    this.version = version
    this.isEmpty = rules.length === 0
    sorted(rules).forEach((rule, index) => {
      const code = index * 4 + (rule.deny ? deniesBit : 0) + (isBlock(rule) ? blocksBit : 0)
      if (rule.type === '') enter(this.#byNothing, rule, code)
      else if (rule.type === 'group') this.#byGroup.add(rule.value, rule, code)
      else if (rule.type === 'subscription') this.#bySubscription.add(rule.value, rule, code)
      else this.#addJid(rule, code)
    })
    this.needsRoster = this.#byGroup.size > 0 || this.#bySubscription.size > 0
  }

  #addJid(rule: Rule, code: number): void {
    this.#byJid.add(rule.value, rule, code)
    const address = parseJid(rule.value)
    if (address === undefined || address.local === '' || address.resource === '') return
    const bare = address.bare.toString()
    const known = this.#resources.get(bare)
    if (known === undefined) this.#resources.set(bare, [address.resource])
    else if (!known.includes(address.resource)) known.push(address.resource)
  }

  /** The code of the rule that decides (`denies`, `blocks`). */
  decide(traffic: Traffic, peer: Jid, item: RosterItem | null | undefined): number {
    const place = places[traffic]
    const { domain } = peer
    let code = Math.min(this.#byNothing[place] ?? noRule, this.#byJid.get(peer.toString(), place))
    // §2.1: an address with resource, without, and the domain, which stands for all that is in it.
    if (peer.resource !== '') code = Math.min(code, this.#byJid.get(peer.bare.toString(), place))
    if (peer.local !== '') code = Math.min(code, this.#byJid.get(domain, place))
    if (!this.needsRoster) return code
    code = Math.min(code, this.#bySubscription.get(item?.subscription ?? 'none', place))
    for (const group of item?.groups ?? []) code = Math.min(code, this.#byGroup.get(group, place))
    return code
  }

  resourcesOf(account: Jid): readonly string[] {
    return this.#resources.get(account.toString()) ?? noResources
  }
}
