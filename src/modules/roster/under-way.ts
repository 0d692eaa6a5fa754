/**
 * Changes of subscriptions under way, by account: from its roster being written to everybody having been told. Who asks in
 * between whom an account sees, or who sees it, gets the answer of a moment that nobody else has seen.
 */
import type { Host } from '../../core/host.ts'

interface Account {
  open: number
  /** Made for the first who waits. */
  calm: Promise<void> | undefined
  wake: () => void
}

export class UnderWay {
  readonly #accounts = new Map<string, Account>()

  /** Accounts with a change under way. */
  get size(): number {
    return this.#accounts.size
  }

  /** Carries a change out. */
  async run<T>(host: Host, local: string, change: () => Promise<T>): Promise<T> {
    const key = keyOf(host, local)
    const account = this.#accounts.get(key) ?? { open: 0, calm: undefined, wake: () => undefined }
    this.#accounts.set(key, account)
    account.open++
    try {
      return await change()
    } finally {
      if (--account.open === 0) {
        this.#accounts.delete(key)
        account.wake()
      }
    }
  }

  /** Resolves when none is under way any more; undefined: none is. */
  settled(host: Host, local: string): Promise<void> | undefined {
    const account = this.#accounts.get(keyOf(host, local))
    if (account === undefined) return undefined
    account.calm ??= new Promise((resolve) => {
      account.wake = resolve
    })
    return account.calm
  }
}

function keyOf(host: Host, local: string): string {
  return `${host.domain}\0${local}`
}
