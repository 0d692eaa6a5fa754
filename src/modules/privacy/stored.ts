/** An account's lists as the store has them, and changes of them: one after the other, each within the limits. */
import type { Host } from '../../core/host.ts'
import type { Counter } from '../../core/metrics.ts'
import type { Jid } from '../../jid/jid.ts'
import { StanzaError } from '../../stanza/error.ts'
import type { ResultOf, Store } from '../../store/define.ts'
import type { privacyStore } from './privacy.store.ts'
import { decodeRules, encodeRules, isBlock, type Rule } from './rules.ts'

/** One list. Its rules are read when they are asked for. */
export class StoredList {
  readonly name: string
  readonly text: string
  readonly version: number
  #rules: readonly Rule[] | undefined

  constructor(name: string, text: string, version: number, rules?: readonly Rule[]) {
    this.name = name
    this.text = text
    this.version = version
    this.#rules = rules
  }

  /** In ascending order. Throws where the store holds what is no list: better no stanza than one that is blocked. */
  get rules(): readonly Rule[] {
    this.#rules ??= decodeRules(this.text)
    if (this.#rules === undefined) throw new Error(`the privacy list ${this.name} cannot be read`)
    return this.#rules
  }

  /** What it counts toward `bytes_max`. */
  get bytes(): number {
    return Buffer.byteLength(this.name) + Buffer.byteLength(this.text)
  }
}

export interface Stored {
  /** 0: nothing was ever kept. */
  readonly edition: number
  /** '' for none. */
  readonly defaultName: string
  /** In order of their names. */
  readonly lists: ReadonlyMap<string, StoredList>
}

export const nothingStored: Stored = { edition: 0, defaultName: '', lists: new Map() }

export function readStored(rows: ResultOf<(typeof privacyStore)['operations']['lists']>): Stored {
  const [first] = rows
  if (first === undefined) return nothingStored
  const lists = new Map<string, StoredList>()
  for (const { name, rules, version } of rows) {
    if (name !== null && rules !== null && version !== null) lists.set(name, new StoredList(name, rules, version))
  }
  return { edition: first.edition, defaultName: first.default_list, lists }
}

/** The addresses that a blocklist shows (XEP-0191 §5): those of the default list. */
export function blocklist(stored: Stored): readonly string[] {
  const rules = stored.lists.get(stored.defaultName)?.rules ?? []
  return [...new Set(rules.filter(isBlock).map(({ value }) => value))]
}

/** What shall be kept. */
export interface Plan {
  readonly defaultName: string
  readonly put?: readonly { readonly name: string; readonly rules: readonly Rule[] }[]
  readonly removed?: string
}

export interface StoredLimits {
  readonly items_max: number
  readonly lists_max: number
  readonly bytes_max: number
}

export interface StoredCounters {
  readonly items: Counter
  readonly lists: Counter
  readonly bytes: Counter
}

const errorItems = new StanzaError('RTK_PRIVACY_ITEMS_MAX', 'not-allowed', { text: 'the list has too many items' })
const errorLists = new StanzaError('RTK_PRIVACY_LISTS_MAX', 'not-allowed', { text: 'there are too many lists' })
const errorBytes = new StanzaError('RTK_PRIVACY_BYTES_MAX', 'not-allowed', { text: 'the lists are too large' })
const errorBusy = new StanzaError('RTK_PRIVACY_BUSY', 'resource-constraint', { text: 'the lists are being changed' })

/** A change is tried again this often when another came in between. */
const triesMax = 8

export class StoredLists {
  readonly #store: Store<typeof privacyStore>
  readonly #limits: StoredLimits
  readonly #counters: StoredCounters
  /** The last of what is under way, by account. */
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(store: Store<typeof privacyStore>, limits: StoredLimits, counters: StoredCounters) {
    this.#store = store
    this.#limits = limits
    this.#counters = counters
  }

  /** Rejects with `WorldError`. */
  async read(host: Host, local: string): Promise<Stored> {
    return readStored(await this.#store.lists({ host: host.domain, local }))
  }

  /** What an account's clients ask, one after the other: a list must not go while another resource takes it. */
  async inTurn<T>(account: Jid, act: () => Promise<T>): Promise<T> {
    const key = account.toString()
    const before = this.#turns.get(key)
    const mine = before === undefined ? act() : before.then(act)
    const over = mine.catch(() => undefined)
    this.#turns.set(key, over)
    try {
      return await mine
    } finally {
      if (this.#turns.get(key) === over) this.#turns.delete(key)
    }
  }

  /**
   * Carries out what `decide` plans with the lists as they are, undefined for nothing; an error of it, or of a limit, is
   * handed back. Rejects with `WorldError`.
   */
  async change(
    host: Host,
    local: string,
    decide: (stored: Stored) => Plan | StanzaError | undefined,
    isLimited = true,
  ): Promise<{ readonly before: Stored; readonly after: Stored } | StanzaError> {
    for (let tries = 0; tries < triesMax; tries++) {
      const before = await this.read(host, local)
      const plan = decide(before)
      if (plan === undefined) return { before, after: before }
      if (plan instanceof StanzaError) return plan
      const after = planned(before, plan)
      const fault = isLimited ? this.#passed(before, after, plan) : undefined
      if (fault !== undefined) return fault
      const put = (plan.put ?? []).flatMap(({ name }) => after.lists.get(name) ?? [])
      const result = await this.#store.change(
        {
          host: host.domain,
          local,
          edition: before.edition,
          default_list: plan.defaultName,
          removed: plan.removed ?? '',
        },
        put.map(({ name, text, version }) => ({ name, rules: text, version })),
      )
      if (result.outcome === 'kept') return { before, after }
    }
    return errorBusy
  }

  /** The limit that a plan would pass. Who is above it, because it was lowered, may still take away. */
  #passed(before: Stored, after: Stored, plan: Plan): StanzaError | undefined {
    for (const { name, rules } of plan.put ?? []) {
      if (rules.length <= Math.max(this.#limits.items_max, before.lists.get(name)?.rules.length ?? 0)) continue
      this.#counters.items.value++
      return errorItems
    }
    if (after.lists.size > Math.max(this.#limits.lists_max, before.lists.size)) {
      this.#counters.lists.value++
      return errorLists
    }
    if (bytesOf(after) > Math.max(this.#limits.bytes_max, bytesOf(before))) {
      this.#counters.bytes.value++
      return errorBytes
    }
    return undefined
  }
}

function bytesOf({ lists }: Stored): number {
  let bytes = 0
  for (const list of lists.values()) bytes += list.bytes
  return bytes
}

function planned(before: Stored, plan: Plan): Stored {
  const edition = before.edition + 1
  const lists = new Map(before.lists)
  if (plan.removed !== undefined) lists.delete(plan.removed)
  for (const { name, rules } of plan.put ?? []) {
    lists.set(name, new StoredList(name, encodeRules(rules), edition, rules))
  }
  return { edition, defaultName: plan.defaultName, lists }
}
