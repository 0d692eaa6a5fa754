/** Real hashes; stretching takes virtual time and, unless `exact`, little of the real. */

import { RealHashing, stretchNow } from '../world/hashing.ts'
import type { Hashing, HashName } from '../world/hashing.types.ts'
import type { Life, Scheduler } from './scheduler.ts'

/** Virtual milliseconds that stretching a password takes. */
const STRETCHING_MS = 2
/** Iterations really done. The count asked for still changes the key, because it goes into the salt. */
const CHEAP_ITERATIONS = 4

const real = new RealHashing()

export class SimHashing implements Hashing {
  /** True: keys are those of RFC 8018, for test vectors and real clients. */
  exact = false
  readonly #scheduler: Scheduler
  readonly #life: Life

  constructor(scheduler: Scheduler, life: Life) {
    this.#scheduler = scheduler
    this.#life = life
  }

  hash(name: HashName, data: Uint8Array): Uint8Array {
    return real.hash(name, data)
  }

  hmac(name: HashName, key: Uint8Array, data: Uint8Array): Uint8Array {
    return real.hmac(name, key, data)
  }

  pbkdf2(name: HashName, password: string, salt: Uint8Array, iterations: number): Promise<Uint8Array> {
    return new Promise((resolve) => {
      const cheap = !this.exact && iterations > CHEAP_ITERATIONS
      const key = cheap
        ? stretchNow(name, password, Buffer.concat([salt, Buffer.from(` ${iterations}`)]), CHEAP_ITERATIONS)
        : stretchNow(name, password, salt, iterations)
      this.#scheduler.after(STRETCHING_MS, 'work', this.#life, resolve, key)
    })
  }

  equal(a: Uint8Array, b: Uint8Array): boolean {
    return real.equal(a, b)
  }
}
