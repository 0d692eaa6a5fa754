/**
 * What connections that are gone left unsent, on its way to other resources, into the store or back to its senders. A
 * turn settles a slice of it, so that one who was cut with a full queue costs the others nothing they notice.
 *
 * The order is kept: what comes for an account meanwhile waits until what was sent to it before is settled, and while a
 * stanza waits for the answer whether its account exists, none for that account is handled.
 */
import { type Jid, parseJid } from '../jid/jid.ts'
import type { StanzaKind } from '../stanza/stanza.ts'
import type { Clock } from '../world/clock.types.ts'
import type { Element } from '../xml/element.types.ts'
import type { Batch } from './hand-over.ts'
import type { LocalHost } from './local-host.ts'
import type { Counter } from './metrics.ts'
import { Packet } from './packet.ts'
import type { Router } from './router.ts'
import type { Session } from './session.ts'
import type { LinkRest } from './session-link.ts'
import type { Settling } from './settling.ts'
import { UnsentReader } from './unsent.ts'

/** Stanzas (`unsent_turn_stanzas`) and bytes (`unsent_turn_bytes`) that are settled in a turn; the rest comes in the next. */
export const unsentTurnStanzas = 64
export const unsentTurnBytes = 65_536

/**
 * Stanzas that may wait for the store at a time (`unsent_open`), two slices so that it never idles: the store's queue is for
 * others too, and its answers come in one turn.
 */
export const unsentOpenMax = 2 * unsentTurnStanzas

/** So often whoever waits for some accounts looks whether they are settled. */
const settledPollMs = 20

export interface UnsettledNeeds {
  readonly router: Router
  readonly clock: Pick<Clock, 'after' | 'soon'>
  /** Stanzas that were unsent. */
  readonly unsent: Counter
}

/** What one connection left. */
interface Rest {
  readonly host: LocalHost
  readonly reader: UnsentReader
  /** Of what went to the bare JID; asked when the connection went, for nobody who came since had it. */
  readonly hadCopy: boolean
  readonly session: Session
  readonly batch: Batch | undefined
  /** A store remembers how far it has come; undefined: none does. */
  readonly settling: Settling | undefined
  /** When each was sent; undefined where all of it was sent just now. */
  readonly times: SendingTimes | undefined
}

/** When stanzas were sent that are read one after the other. */
class SendingTimes {
  readonly #pairs: readonly number[]
  #at = 0
  #count = 0

  /** As `Unacknowledged.times`. */
  constructor(pairs: readonly number[]) {
    this.#pairs = pairs
  }

  /** Of the next stanza, in milliseconds since 1970. */
  next(): number {
    const number = this.#count++
    const pairs = this.#pairs
    while (this.#at + 2 < pairs.length && (pairs[this.#at + 2] as number) <= number) this.#at += 2
    return pairs[this.#at + 1] ?? 0
  }
}

interface Account {
  readonly key: string
  /** The last is settled first: what its connection left had come to it before what is left of the others. */
  readonly rests: Rest[]
  /** What came meanwhile. */
  readonly behind: (() => void)[]
  /** Of what connections left: stanzas that wait for the store. What came meanwhile could overtake them there. */
  open: number
  /** Stanzas that wait for the answer whether the account exists: somebody who comes meanwhile makes it known to the next. */
  asked: number
}

export class Unsettled {
  readonly #needs: UnsettledNeeds
  /** Each has a slice in its turn, those first whose connections went first. */
  readonly #accounts = new Map<string, Account>()
  /** What waits for the store, and what handlers sent. None rejects. */
  readonly #waiting = new Set<Promise<void>>()
  /** Stanzas of those that wait for the store. */
  #open = 0
  #isRunning = false
  /** Told when what handlers sent in this turn is routed. */
  readonly #ending: (() => void)[] = []
  #isArmed = false
  /** Of this turn. */
  #stanzas = 0
  #bytes = 0
  /** Callers of `settled`. */
  #hurried = 0

  constructor(needs: UnsettledNeeds) {
    this.#needs = needs
  }

  /** Accounts with something that is not settled. */
  get size(): number {
    return this.#accounts.size
  }

  /** Takes what a connection left. `batch` is told which of it the store keeps anyway, and ended when all was read. */
  add(host: LocalHost, session: Session, left: LinkRest, batch: Batch | undefined, settling?: Settling): void {
    const rest: Rest = {
      host,
      reader: new UnsentReader(left),
      hadCopy: host.hadCopy(session, left.since),
      session,
      batch,
      settling,
      times: left.times === undefined ? undefined : new SendingTimes(left.times),
    }
    this.#account(session.jid).rests.push(rest)
    this.#run()
  }

  /** A stanza for the account of this address waits for this answer, and is handled by who heard of it before. */
  asks(to: Jid, answer: Promise<unknown>): void {
    const account = this.#account(to)
    account.asked++
    this.#awaits(answer, () => {
      account.asked--
      this.#tidy(account)
      if (this.#accounts.size > 0) this.#later()
    })
  }

  #account(jid: Jid): Account {
    const key = keyOf(jid)
    let account = this.#accounts.get(key)
    if (account === undefined) {
      account = { key, rests: [], behind: [], open: 0, asked: 0 }
      this.#accounts.set(key, account)
    }
    return account
  }

  /** Whether something that was sent to the account of this address is not settled. */
  has(to: Jid): boolean {
    return this.#accounts.size > 0 && this.#accounts.has(keyOf(to))
  }

  /** Handles a stanza for such an account behind it. */
  behind(to: Jid, handle: () => Promise<void> | undefined): Promise<void> | undefined {
    const account = this.#accounts.get(keyOf(to))
    if (account === undefined) return handle()
    return new Promise((resolve, reject) => {
      account.behind.push(() => {
        try {
          const wait = handle()
          resolve(wait)
          if (wait !== undefined) this.#opens(wait)
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  /** Resolves when all of it is kept or refused. From now on nothing waits for the answers to what went before. */
  async settled(): Promise<void> {
    this.#hurried++
    this.#later()
    while (this.#accounts.size > 0 || this.#waiting.size > 0) {
      if ([...this.#accounts.values()].some((account) => !isWaiting(account)))
        await new Promise<void>((resolve) => this.#needs.clock.soon(resolve, undefined))
      else await Promise.all(this.#waiting)
    }
    this.#hurried--
  }

  /** Resolves when all that was left for accounts of these domains is kept or refused. */
  async settledOf(domains: ReadonlySet<string>): Promise<void> {
    const isOf = (key: string) => domains.has(key.slice(0, key.indexOf('\0')))
    while ([...this.#accounts.keys()].some(isOf)) {
      await new Promise<void>((resolve) => void this.#needs.clock.after(settledPollMs, resolve, undefined))
    }
    // The last of it may wait for the store.
    await Promise.all(this.#waiting)
  }

  #later(): void {
    if (this.#isArmed) return
    this.#isArmed = true
    this.#needs.clock.soon((self: Unsettled) => {
      self.#isArmed = false
      self.#stanzas = 0
      self.#bytes = 0
      self.#run()
    }, this)
  }

  get #mayGoOn(): boolean {
    return (
      this.#stanzas < unsentTurnStanzas &&
      this.#bytes < unsentTurnBytes &&
      (this.#open < unsentOpenMax || this.#hurried > 0)
    )
  }

  #run(): void {
    if (this.#isRunning || this.#accounts.size === 0) return
    this.#isRunning = true
    const { router } = this.#needs
    const isOwner = router.enter()
    for (const [key, account] of this.#accounts) {
      while (this.#mayGoOn && this.#step(account));
      const isOver = this.#mayGoOn
      if (isOver && isWaiting(account)) continue
      this.#accounts.delete(key)
      if (isOver) continue
      // Its turn comes again: an account that many write to without end must not keep the others waiting.
      this.#accounts.set(key, account)
      break
    }
    if (isOwner) {
      const sent = router.leave(undefined)
      if (sent !== undefined) this.#awaits(sent)
    }
    for (const end of this.#ending.splice(0)) end()
    this.#isRunning = false
    // Also that the next turn has its slice, when nothing is left now.
    if (this.#stanzas > 0 || this.#bytes > 0) this.#later()
  }

  /** Settles one stanza of an account. False when it has none, or none yet. */
  #step(account: Account): boolean {
    const { rests, behind } = account
    if (account.asked > 0) return false
    const rest = rests.at(-1)
    if (rest === undefined) {
      if (account.open > 0) return false
      const handle = behind.shift()
      if (handle === undefined) return false
      this.#stanzas++
      handle()
      return true
    }
    const before = rest.reader.read
    const el = rest.reader.next()
    this.#bytes += rest.reader.read - before
    if (el === undefined) {
      rests.pop()
      rest.batch?.ended()
      rest.settling?.isAtEnd()
      return true
    }
    this.#stanzas++
    const place = rest.settling?.begins() ?? 0
    const { queued } = this.#needs.router
    const wait = this.#settle(rest, el, place)
    if (wait !== undefined) this.#opens(wait, account)
    if (rest.settling !== undefined) this.#ends(rest.settling, place, wait, queued)
    return true
  }

  /** It is settled when its error is on its way too. */
  #ends(settling: Settling, place: number, wait: Promise<void> | undefined, queued: number): void {
    if (wait !== undefined) void wait.then(() => settling.ends(place))
    else if (this.#needs.router.queued > queued) this.#ending.push(() => settling.ends(place))
    else settling.ends(place)
  }

  /** A promise, which never rejects, where it takes time. */
  #settle(rest: Rest, el: Element, place: number): Promise<void> | undefined {
    const { host, session, settling } = rest
    const sentMs = rest.times?.next()
    if (rest.batch?.failed(rest.reader.written) === true || settling?.isPassed(place) === true) return undefined
    const from = parseJid(el.attr('from') ?? '')
    const to = parseJid(el.attr('to') ?? '')
    if (from === undefined || to === undefined) return undefined
    this.#needs.unsent.value++
    const { router } = this.#needs
    const hadCopy = sentMs === undefined ? rest.hadCopy : host.hadCopy(session, sentMs)
    const packet = new Packet(el.name as StanzaKind, el, from, to, router.serverOrigin)
    if (settling !== undefined) packet.whenKept = () => settling.ends(place, true)
    return router.guard(host, packet, () => host.unsent(packet, session, hadCopy, sentMs))
  }

  /** `account`: what came for it meanwhile waits for this too. */
  #opens(wait: Promise<void>, account?: Account): void {
    this.#open++
    if (account !== undefined) account.open++
    this.#awaits(wait, () => {
      this.#open--
      if (account !== undefined) {
        account.open--
        this.#tidy(account)
      }
      if (this.#accounts.size > 0) this.#later()
    })
  }

  /** Nothing is remembered of an account of which all is settled. */
  #tidy({ key, rests, behind, open, asked }: Account): void {
    if (rests.length === 0 && behind.length === 0 && open === 0 && asked === 0) this.#accounts.delete(key)
  }

  #awaits(wait: Promise<unknown>, ended?: () => void): void {
    const done = () => {
      this.#waiting.delete(known)
      ended?.()
    }
    const known = wait.then(done, done)
    this.#waiting.add(known)
  }
}

/** It can go on when the store has answered, and not before. */
function isWaiting({ rests, open, asked }: Account): boolean {
  return asked > 0 || (rests.length === 0 && open > 0)
}

function keyOf({ domain, local }: Jid): string {
  return `${domain}\0${local}`
}
