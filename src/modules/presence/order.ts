/**
 * The order of presence within one account: what waits for the store keeps its place before what comes later, so that
 * nobody sees a session leave after its successor has come.
 */
import type { Jid } from '../../jid/jid.ts'

export class AccountOrder {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Something of this account is under way until the promise is settled. */
  add(account: Jid, work: Promise<unknown>): void {
    const key = account.toString()
    const before = this.#last.get(key)
    const all: Promise<unknown> = Promise.allSettled(before === undefined ? [work] : [before, work]).then(() => {
      if (this.#last.get(key) === all) this.#last.delete(key)
    })
    this.#last.set(key, all)
  }

  /** Resolves when nothing of this account is under way. */
  async turn(account: Jid): Promise<void> {
    await this.#last.get(account.toString())
  }
}
