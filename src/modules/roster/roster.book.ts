/**
 * The rosters in memory: a bounded cache over the store, changes with the edition they expect, versions over the union
 * of all sources (RFC 6121 section 2.6).
 */
import type { Host } from '../../core/host.ts'
import type { Counter } from '../../core/metrics.ts'
import type { RosterChange, RosterItem, RosterItems, RosterSource, Subscription } from '../../core/services/roster.ts'
import { type Jid, parseJid } from '../../jid/jid.ts'
import { StanzaError } from '../../stanza/error.ts'
import { BoundedCache } from '../../store/cache.ts'
import type { Store } from '../../store/define.ts'
import type { Clock } from '../../world/clock.types.ts'
import type { Octets } from '../../xml/octets.ts'
import type { rosterStore } from './roster.store.ts'
import { isSame, noSubscription } from './subscription.ts'

/** An own item with the edition that a change must expect. */
interface OwnItem extends RosterItem {
  readonly edition: number
  readonly version: number
}

/** What the cache holds of one account. */
export interface Roster {
  readonly items: RosterItems
  readonly own: ReadonlyMap<string, OwnItem>
  /** Contacts that were removed, by the version of their removal, oldest first; at most `removalsKept`. */
  readonly removed: readonly { readonly contact: string; readonly version: number }[]
  /** The account's number; with the epoch and the sources' mark it makes the version that clients see. */
  readonly number: number
  /** Changes with what other sources say; '' without them. */
  readonly mark: string
}

export interface Changed {
  readonly before: RosterItem | undefined
  readonly after: RosterItem | undefined
  /** True when clients are told: a push. */
  readonly isVisible: boolean
  readonly version: string
}

/** What a change function decides: the item's new form, `remove`, or `keep` to leave it. */
export type Change =
  | { readonly kind: 'keep' }
  /** `request`: the pending request's bytes. `isTold`: clients are told even if they see no difference. */
  | { readonly kind: 'put'; readonly item: RosterItem; readonly request?: Octets; readonly isTold?: boolean }
  | { readonly kind: 'remove' }

export interface BookLimits {
  /** Items that the account itself made. */
  readonly items: number
  /** Pending requests of contacts that are no items. */
  readonly requests: number
}

export interface BookCounters {
  /** Refused by `items_max`. */
  readonly itemsMax: Counter
  /** Made room by `cache_accounts`. */
  readonly evicted: Counter
}

/** Who is told of changes. */
export interface BookListener {
  /** One item was changed, and is kept. */
  changed(change: RosterChange): void
  /** Any may have changed. */
  replaced(host: Host, local: string): void
}

/** A change is tried again, and a roster loaded again, this often when another change came in between. */
const triesMax = 8

/** Removals that an account remembers for versions; a client that missed more gets the whole roster. */
export const removalsKept = 500

const errorBusy = new StanzaError('RTK_ROSTER_BUSY', 'resource-constraint', { text: 'the item is being changed' })
const errorFull = new StanzaError('RTK_ROSTER_ITEMS_MAX', 'not-allowed', { text: 'the roster is full' })
/** For the caller, who must not tell a stranger more of an account that is full than of one that does not exist. */
export const errorRequests = new StanzaError('RTK_ROSTER_REQUESTS_MAX', 'resource-constraint')

const noRoster: Roster = { items: new Map(), own: new Map(), removed: [], number: 0, mark: '' }

export function newItem(jid: Jid): RosterItem {
  return { jid, name: '', ...noSubscription, listed: false, groups: [] }
}

export class RosterBook {
  readonly #store: Store<typeof rosterStore>
  readonly #cache: BoundedCache<Roster>
  readonly #epoch: string
  readonly #limits: () => BookLimits
  readonly #counters: BookCounters
  readonly #listener: BookListener
  readonly #sources: RosterSource[] = []

  constructor(
    store: Store<typeof rosterStore>,
    clock: Pick<Clock, 'monoMs'>,
    cacheMax: number,
    epoch: string,
    limits: () => BookLimits,
    counters: BookCounters,
    listener: BookListener,
  ) {
    this.#store = store
    const { evicted } = counters
    this.#cache = new BoundedCache(clock, { maxEntries: cacheMax, load: (key) => this.#load(key), evicted })
    this.#epoch = epoch
    this.#limits = limits
    this.#counters = counters
    this.#listener = listener
  }

  /** Keeps at most this many rosters in memory from now on. */
  resize(cacheMax: number): void {
    this.#cache.resize(cacheMax)
  }

  /** Rosters in memory. */
  get cached(): number {
    return this.#cache.size
  }

  /**
   * A plain value when it is in the cache; then it is what all changes that clients were told of have made it. What a
   * promise gives may be older by now: whoever acts on it asks again first.
   */
  roster(host: Host, local: string): Roster | Promise<Roster> {
    const key = keyOf(host, local)
    return this.#cache.get(key) ?? this.#cache.fetch(key).then((roster) => roster ?? noRoster)
  }

  /** As `roster`; but what was loaded and has changed since is loaded again, though not for ever. */
  current(host: Host, local: string): Roster | Promise<Roster> {
    const roster = this.roster(host, local)
    return roster instanceof Promise ? this.#reload(host, local, roster) : roster
  }

  async #reload(host: Host, local: string, loading: Promise<Roster>): Promise<Roster> {
    let roster = await loading
    for (let tries = 0; tries < triesMax; tries++) {
      const now = this.roster(host, local)
      if (!(now instanceof Promise)) return now
      roster = await now
    }
    return roster
  }

  version(roster: Pick<Roster, 'number' | 'mark'>): string {
    return `${this.#epoch}.${roster.number}${roster.mark === '' ? '' : `.${roster.mark}`}`
  }

  /**
   * What changed since a version, in order of modification: undefined when that cannot be told and the whole roster
   * must be sent.
   */
  changesSince(roster: Roster, version: string): readonly VersionStep[] | undefined {
    const [epoch, number, mark = ''] = version.split('.')
    const since = Number(number)
    if (epoch !== this.#epoch || mark !== roster.mark || String(since) !== number) return undefined
    if (since > roster.number || since < roster.number - removalsKept) return undefined
    const steps: { number: number; step: VersionStep }[] = []
    const add = (number: number, what: Omit<VersionStep, 'version'>): void => {
      if (number > since) steps.push({ number, step: { version: this.version({ ...roster, number }), ...what } })
    }
    for (const item of roster.own.values()) if (item.listed) add(item.version, { item })
    for (const removed of roster.removed) {
      // Another source may still list him.
      const item = roster.items.get(removed.contact)
      add(removed.version, item?.listed ? { item } : { removed: removed.contact })
    }
    return steps.sort((a, b) => a.number - b.number).map(({ step }) => step)
  }

  /**
   * Changes one item: `decide` gets it as it is (undefined: no record) and may be called again when another change came
   * in between. Resolves once the change is kept, in the order in which changes were kept; who pushes at once, pushes in
   * order. Rejects with `StanzaError` at a limit, with `WorldError` from the store.
   */
  async change(
    host: Host,
    local: string,
    contact: Jid,
    decide: (item: RosterItem | undefined) => Change,
  ): Promise<Changed> {
    for (let tries = 0; tries < triesMax; tries++) {
      const roster = await this.roster(host, local)
      const own = roster.own.get(contact.toString())
      const change = decide(own)
      if (change.kind === 'keep' || (change.kind === 'remove' && own === undefined)) {
        return { before: own, after: own, isVisible: false, version: this.version(roster) }
      }
      if (change.kind === 'put') this.#checkLimits(roster, own, change.item)
      const isVisible = isSeen(own, change)
      const done = await this.#write(host, local, contact, own?.edition ?? 0, change, isVisible)
      if (done === undefined) continue
      const after = change.kind === 'put' ? change.item : undefined
      // Another source may say more of the contact than the item that was changed.
      if (this.#sources.length > 0) this.#listener.replaced(host, local)
      else this.#listener.changed({ host, local, contact, before: own, after })
      return { before: own, after, isVisible, version: this.version({ ...roster, number: done }) }
    }
    throw errorBusy
  }

  #checkLimits(roster: Roster, before: RosterItem | undefined, after: RosterItem): void {
    if (before !== undefined && before.listed === after.listed) return
    let count = 0
    for (const item of roster.own.values()) if (item.listed === after.listed) count++
    const limits = this.#limits()
    if (after.listed && count >= limits.items) {
      this.#counters.itemsMax.value++
      throw errorFull
    }
    if (!after.listed && count >= limits.requests) throw errorRequests
  }

  /** The account's new version number, undefined when another change came in between. */
  async #write(
    host: Host,
    local: string,
    contact: Jid,
    edition: number,
    change: Exclude<Change, { kind: 'keep' }>,
    isVisible: boolean,
  ): Promise<number | undefined> {
    const account = { host: host.domain, local, contact: contact.toString(), edition, visible: isVisible ? 1 : 0 }
    try {
      const result =
        change.kind === 'remove'
          ? await this.#store.drop({ ...account, keep: removalsKept })
          : await this.#store.put({
              ...account,
              most: change.item.listed ? this.#limits().items : this.#limits().requests,
              name: change.item.name,
              subscription: change.item.subscription,
              pending_out: change.item.pendingOut,
              pending_in: change.item.pendingIn,
              listed: change.item.listed,
              approved: change.item.approved,
              groups: JSON.stringify(change.item.groups),
              request: change.request ?? null,
            })
      return result.outcome === 'kept' ? (result.rows[0]?.version ?? 0) : undefined
    } catch (error) {
      // A write that failed may have been kept all the same.
      this.#listener.replaced(host, local)
      throw error
    } finally {
      this.#cache.invalidate(keyOf(host, local))
    }
  }

  addSource(source: RosterSource): () => void {
    this.#sources.push(source)
    this.#cache.clear()
    return () => {
      const index = this.#sources.indexOf(source)
      if (index >= 0) this.#sources.splice(index, 1)
      this.#cache.clear()
    }
  }

  /** Its items were changed by other ways. */
  forget(host: Host, local: string): void {
    this.#cache.invalidate(keyOf(host, local))
    this.#listener.replaced(host, local)
  }

  async #load(key: string): Promise<Roster> {
    const [domain = '', local = ''] = key.split('\0')
    const account = { host: domain, local }
    // The version first: a change between the reads is then told once more, never left out.
    const [version, removed, rows] = await Promise.all([
      this.#store.version(account),
      this.#store.removed(account),
      this.#store.items(account),
    ])
    const own = new Map<string, OwnItem>()
    for (const row of rows) {
      const jid = parseJid(row.contact)
      if (jid === undefined) continue
      own.set(row.contact, {
        jid,
        name: row.name,
        subscription: row.subscription as Subscription,
        pendingOut: row.pending_out,
        pendingIn: row.pending_in,
        listed: row.listed,
        approved: row.approved,
        groups: JSON.parse(row.groups) as string[],
        edition: row.edition,
        version: row.version,
      })
    }
    const { items, mark } = await this.#union(domain, local, own)
    return { items, own, removed, number: version?.version ?? 0, mark }
  }

  /** The account's own items first: what it says of a contact outweighs what a group says. */
  async #union(
    domain: string,
    local: string,
    own: ReadonlyMap<string, RosterItem>,
  ): Promise<{ items: RosterItems; mark: string }> {
    if (this.#sources.length === 0) return { items: own, mark: '' }
    const items = new Map<string, RosterItem>()
    let mark = 0
    for (const source of this.#sources) {
      for (const item of await source.items(domain, local)) {
        mark = hash(
          mark,
          `${source.name}\0${JSON.stringify([item.jid.toString(), item.name, item.subscription, item.groups])}`,
        )
        items.set(item.jid.toString(), item)
      }
    }
    for (const [contact, item] of own) {
      const given = items.get(contact)
      // A mere request hides nothing, and nothing hides it.
      items.set(contact, item.listed || given === undefined ? item : { ...given, pendingIn: item.pendingIn })
    }
    return { items, mark: mark.toString(36) }
  }
}

export interface VersionStep {
  readonly version: string
  readonly item?: RosterItem
  readonly removed?: string
}

function keyOf(host: Host, local: string): string {
  return `${host.domain}\0${local}`
}

/** Whether clients see the change (RFC 6121 section 2.6.3: what would result in a push). */
function isSeen(before: RosterItem | undefined, change: Exclude<Change, { kind: 'keep' }>): boolean {
  const wasListed = before?.listed === true
  if (change.kind === 'remove') return wasListed
  const after = change.item
  if (!after.listed) return wasListed
  if (!wasListed || change.isTold === true) return true
  return (
    before.name !== after.name ||
    before.groups.join('\0') !== after.groups.join('\0') ||
    !isSame({ ...before, pendingIn: false }, { ...after, pendingIn: false })
  )
}

function hash(seed: number, text: string): number {
  let value = seed ^ 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
