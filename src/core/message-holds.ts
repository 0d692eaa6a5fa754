/**
 * Messages for an account that no session may take now and one may in the next moment: it has had all that a store kept but for
 * the last of it. Were they kept too, there would always be more to hand over while others write without pause. So they wait here,
 * and their senders with them, as for a store; then they are handled in order, as if they came now.
 */
import type { Jid } from '../jid/jid.ts'
import type { Clock, Timer } from '../world/clock.types.ts'
import type { Counter } from './metrics.ts'
import type { Packet } from './packet.ts'
import type { Router } from './router.ts'

/** Milliseconds that they may wait (`message_hold_time`): nobody's reading may slow others for long. */
export const messageHoldMs = 1_000
/** Bytes of messages that may wait for one account (`message_hold_bytes`). */
export const messageHoldBytes = 4_194_304
/** Messages and bytes that are handled in a turn; the rest comes in the next. */
const turnStanzas = 64
const turnBytes = 65_536

/** Of one account, from `ModuleContext.holdMessages`. */
export interface MessageHold {
  /** It was released, or came to its limit: messages wait no more. */
  readonly isOver: boolean
  /** What waited is handled now, before what comes next. Harmless when it is over. */
  release(): void
}

/** For who comes while others wait already, or when nobody waits any more. */
const never: MessageHold = { isOver: true, release: () => undefined }

interface Waiting {
  readonly bytes: number
  readonly go: () => Promise<void> | undefined
  readonly resolve: (wait: Promise<void> | undefined) => void
  readonly reject: (error: unknown) => void
}

interface Account {
  readonly domain: string
  readonly waiting: Waiting[]
  bytes: number
  isOver: boolean
  limit: Timer | undefined
}

export interface MessageHoldNeeds {
  readonly router: Router
  readonly clock: Pick<Clock, 'after' | 'soon'>
  /** Times that one came to its limit. */
  readonly expired: Counter
}

export class MessageHolds {
  readonly #needs: MessageHoldNeeds
  readonly #accounts = new Map<string, Account>()
  #isClosed = false

  constructor(needs: MessageHoldNeeds) {
    this.#needs = needs
  }

  /** Accounts that messages wait for. */
  get size(): number {
    return this.#accounts.size
  }

  /** Messages that wait. */
  get count(): number {
    let count = 0
    for (const { waiting } of this.#accounts.values()) count += waiting.length
    return count
  }

  /** From now on messages for the account wait, until it is over. One at a time: others are over from the beginning. */
  hold(to: Jid): MessageHold {
    const key = keyOf(to)
    if (this.#isClosed || this.#accounts.has(key)) return never
    const account: Account = { domain: to.domain, waiting: [], bytes: 0, isOver: false, limit: undefined }
    this.#accounts.set(key, account)
    account.limit = this.#needs.clock.after(messageHoldMs, (one: Account) => this.#expire(key, one), account)
    return {
      get isOver() {
        return account.isOver
      },
      release: () => this.#end(key, account),
    }
  }

  /** Whether a message waits that no session may take. What was taken before is older than all that wait; nothing waits twice. */
  mayWait(packet: Packet): boolean {
    return !packet.wasTaken && !packet.hasWaited && this.#accounts.get(keyOf(packet.to))?.isOver === false
  }

  /** Whether what its source sent before may wait still. A session's waits with it. */
  isBehind(packet: Packet): boolean {
    if (packet.origin.kind === 'session' || packet.wasTaken || packet.hasWaited) return false
    return (this.#accounts.get(keyOf(packet.to))?.waiting.length ?? 0) > 0
  }

  /** Lets a message wait; `go` handles it. Only when one of the two above says so. */
  wait(packet: Packet, go: () => Promise<void> | undefined): Promise<void> | undefined {
    const key = keyOf(packet.to)
    const account = this.#accounts.get(key)
    if (account === undefined) return go()
    packet.hasWaited = true
    const bytes = packet.el.size
    const handled = new Promise<void>((resolve, reject) =>
      account.waiting.push({ bytes, go, resolve: (wait) => resolve(wait), reject }),
    )
    account.bytes += bytes
    if (!account.isOver && account.bytes > messageHoldBytes) this.#expire(key, account)
    return handled
  }

  /** Ends those of these domains, or for good: resolves when nothing waits any more and what waited is kept or refused. */
  async settled(domains?: ReadonlySet<string>): Promise<void> {
    if (domains === undefined) this.#isClosed = true
    const all: (Promise<void> | undefined)[] = []
    for (const [key, account] of this.#accounts) {
      if (domains?.has(account.domain) === false) continue
      account.isOver = true
      account.limit?.cancel()
      this.#goOn(key, account, all)
    }
    // Each is told to its sender, who minds its failure.
    await Promise.allSettled(all)
  }

  #expire(key: string, account: Account): void {
    this.#needs.expired.value++
    this.#end(key, account)
  }

  #end(key: string, account: Account): void {
    if (account.isOver) return
    account.isOver = true
    account.limit?.cancel()
    this.#goOn(key, account)
  }

  /** Handles a slice of what waits; with `all`, everything, and what it waits for is added to that. */
  #goOn(key: string, account: Account, all?: (Promise<void> | undefined)[]): void {
    const { router, clock } = this.#needs
    const isOwner = router.enter()
    let bytes = 0
    for (let count = 0; all !== undefined || (count < turnStanzas && bytes < turnBytes); count++) {
      const next = account.waiting.shift()
      if (next === undefined) break
      bytes += next.bytes
      const wait = handle(next)
      all?.push(wait)
    }
    if (isOwner) void router.leave(undefined)
    if (account.waiting.length > 0) clock.soon((one: Account) => this.#goOn(key, one), account)
    else if (this.#accounts.get(key) === account) this.#accounts.delete(key)
  }
}

function handle({ go, resolve, reject }: Waiting): Promise<void> | undefined {
  try {
    const wait = go()
    resolve(wait)
    return wait
  } catch (error) {
    reject(error)
    return undefined
  }
}

function keyOf({ domain, local }: Jid): string {
  return `${domain}\0${local}`
}
