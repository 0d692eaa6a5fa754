/** The real hashing door, on OpenSSL by way of Node. Passwords are stretched in the thread pool, a few at a time. */
import { createHmac, hash, pbkdf2, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import type { Hashing, HashName } from './hashing.types.ts'

const lengths: Readonly<Record<HashName, number>> = { sha1: 20, sha256: 32, sha512: 64 }

/**
 * Stretchings that run at once. The thread pool has four threads, and files and names want some of them; the others wait
 * in order (`hashing_waiting`).
 */
export const STRETCHING_AT_ONCE = 2

export class RealHashing implements Hashing {
  #running = 0
  readonly #waiting: (() => void)[] = []

  /** Stretchings that wait for a thread. */
  get waiting(): number {
    return this.#waiting.length
  }

  hash(name: HashName, data: Uint8Array): Uint8Array {
    return hash(name, data, 'buffer')
  }

  hmac(name: HashName, key: Uint8Array, data: Uint8Array): Uint8Array {
    return createHmac(name, key).update(data).digest()
  }

  pbkdf2(name: HashName, password: string, salt: Uint8Array, iterations: number): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
    const run = (): void => {
      this.#running++
      try {
        pbkdf2(password, salt, iterations, lengths[name], name, (error, key) => {
          this.#next()
          if (error === null) resolve(key)
          else reject(error)
        })
      } catch (error) {
        // A bad iteration count throws at once.
        this.#next()
        reject(error)
      }
    }
    if (this.#running < STRETCHING_AT_ONCE) run()
    else this.#waiting.push(run)
    return promise
  }

  equal(a: Uint8Array, b: Uint8Array): boolean {
    return a.length === b.length && timingSafeEqual(a, b)
  }

  #next(): void {
    this.#running--
    this.#waiting.shift()?.()
  }
}

/** PBKDF2 on the calling thread: for the simulator, where nothing may run beside it. */
export function stretchNow(name: HashName, password: string, salt: Uint8Array, iterations: number): Uint8Array {
  return pbkdf2Sync(password, salt, iterations, lengths[name], name)
}
