/**
 * The rosters in memory: a bounded cache over the store, changes with the edition they expect, versions over the union
 * of all sources (RFC 6121 section 2.6).
 */
import type { Host } from '../../core/host.ts'
import type { RosterItem, RosterItems, RosterSource, Subscription } from '../../core/services/roster.ts'
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
  | { readonly kind: 'put'; readonly item: RosterItem; readonly request?: Octets }
  | { readonly kind: 'remove' }

/** A change is tried again this often when another one of the same item came in between. */
const triesMax = 8

/** Removals that an account remembers for versions; a client that missed more gets the whole roster. */
const removalsKept = 500

const errorBusy = new StanzaError('RTK_ROSTER_BUSY', 'resource-constraint', { text: 'the item is being changed' })
const errorFull = new StanzaError('RTK_ROSTER_ITEMS_MAX', 'not-allowed', { text: 'the roster is full' })

const noRoster: Roster = { items: new Map(), own: new Map(), number: 0, mark: '' }

export function newItem(jid: Jid): RosterItem {
  return { jid, name: '', ...noSubscription, listed: false, groups: [] }
}

export class RosterBook {
  readonly #store: Store<typeof rosterStore>
  readonly #cache: BoundedCache<Roster>
  readonly #epoch: string
  readonly #itemsMax: () => number
  readonly #sources: RosterSource[] = []

  constructor(
    store: Store<typeof rosterStore>,
    clock: Pick<Clock, 'monoMs'>,
    cacheMax: number,
    epoch: string,
    itemsMax: () => number,
  ) {
    this.#store = store
    this.#cache = new BoundedCache(clock, { maxEntries: cacheMax, load: (key) => this.#load(key) })
    this.#epoch = epoch
    this.#itemsMax = itemsMax
  }

  /** A plain value when it is in the cache. */
  roster(host: Host, local: string): Roster | Promise<Roster> {
    const key = keyOf(host, local)
    return this.#cache.get(key) ?? this.#cache.fetch(key).then((roster) => roster ?? noRoster)
  }

  version(roster: Roster): string {
    return `${this.#epoch}.${roster.number}${roster.mark === '' ? '' : `.${roster.mark}`}`
  }

  /**
   * What changed since a version, in order of modification: undefined when that cannot be told and the whole roster
   * must be sent.
   */
  async changesSince(
    host: Host,
    local: string,
    roster: Roster,
    version: string,
  ): Promise<readonly VersionStep[] | undefined> {
    const [epoch, number, mark = ''] = version.split('.')
    const since = Number(number)
    if (epoch !== this.#epoch || mark !== roster.mark || !Number.isSafeInteger(since)) return undefined
    if (since > roster.number || since < roster.number - removalsKept) return undefined
    const steps: VersionStep[] = []
    for (const item of roster.own.values()) {
      if (item.listed && item.version > since) steps.push({ version: this.#stepVersion(item.version, roster), item })
    }
    for (const removed of await this.#store.removedSince({ host: host.domain, local, since })) {
      steps.push({ version: this.#stepVersion(removed.version, roster), removed: removed.contact })
    }
    return steps.sort((a, b) => numberOf(a.version) - numberOf(b.version))
  }

  #stepVersion(number: number, roster: Roster): string {
    return this.version({ ...roster, number })
  }

  /**
   * Changes one item: `decide` gets it as it is (undefined: no record) and may be called again when another change came
   * in between. Resolves once the change is kept. Rejects with `StanzaError` at a limit, with `WorldError` from the store.
   */
  async change(
    host: Host,
    local: string,
    contact: Jid,
    decide: (item: RosterItem | undefined) => Change,
  ): Promise<Changed> {
    const key = keyOf(host, local)
    for (let tries = 0; tries < triesMax; tries++) {
      const roster = await this.roster(host, local)
      const own = roster.own.get(contact.toString())
      const change = decide(own)
      if (change.kind === 'keep' || (change.kind === 'remove' && own === undefined)) {
        return { before: own, after: own, isVisible: false, version: this.version(roster) }
      }
      if (change.kind === 'put' && own === undefined && roster.own.size >= this.#itemsMax()) throw errorFull
      const isVisible = seen(own, change)
      const done = await this.#write(host, local, contact, own?.edition ?? 0, change, isVisible)
      this.#cache.invalidate(key)
      if (done === undefined) continue
      const after = change.kind === 'put' ? change.item : undefined
      return { before: own, after, isVisible, version: this.version({ ...roster, number: done }) }
    }
    throw errorBusy
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
    const result =
      change.kind === 'remove'
        ? await this.#store.drop({ ...account, keep: removalsKept })
        : await this.#store.put({
            ...account,
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

  forget(host: Host, local: string): void {
    this.#cache.invalidate(keyOf(host, local))
  }

  async #load(key: string): Promise<Roster> {
    const [domain = '', local = ''] = key.split('\0')
    const account = { host: domain, local }
    const [rows, version] = await Promise.all([this.#store.items(account), this.#store.version(account)])
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
    return { items, own, number: version?.version ?? 0, mark }
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
    for (const [contact, item] of own) if (item.listed || !items.has(contact)) items.set(contact, item)
    return { items, mark: mark.toString(36) }
  }
}

export interface VersionStep {
  readonly version: string
  readonly item?: RosterItem
  readonly removed?: string
}

function numberOf(version: string): number {
  return Number(version.split('.')[1])
}

function keyOf(host: Host, local: string): string {
  return `${host.domain}\0${local}`
}

/** Whether clients see the change (RFC 6121 section 2.6.3: what would result in a push). */
function seen(before: RosterItem | undefined, change: Exclude<Change, { kind: 'keep' }>): boolean {
  const wasListed = before?.listed === true
  if (change.kind === 'remove') return wasListed
  const after = change.item
  if (!after.listed) return wasListed
  if (!wasListed) return true
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
