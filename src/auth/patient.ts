/**
 * Hashing for work that nobody waits for at a terminal: accounts by the thousand. World-wide, stretchings are done in the
 * order in which they were asked for; here they are asked for a few at a time, so that a sign-in which has to stretch a
 * password (PLAIN) stands behind a few of them, and not behind all.
 */
import type { Hashing, HashName } from '../world/hashing.types.ts'

/** As many as run at one time (`STRETCHING_AT_ONCE`): enough for full speed when nobody else wants any. */
export const PATIENT_AT_ONCE = 2

export class PatientHashing implements Hashing {
  readonly #hashing: Hashing
  #asked = 0
  readonly #waiting: (() => void)[] = []

  constructor(hashing: Hashing) {
    this.#hashing = hashing
  }

  hash(name: HashName, data: Uint8Array): Uint8Array {
    return this.#hashing.hash(name, data)
  }

  hmac(name: HashName, key: Uint8Array, data: Uint8Array): Uint8Array {
    return this.#hashing.hmac(name, key, data)
  }

  equal(a: Uint8Array, b: Uint8Array): boolean {
    return this.#hashing.equal(a, b)
  }

  async pbkdf2(name: HashName, password: string, salt: Uint8Array, iterations: number): Promise<Uint8Array> {
    if (this.#asked < PATIENT_AT_ONCE) this.#asked++
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await this.#hashing.pbkdf2(name, password, salt, iterations)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#asked--
      else next()
    }
  }
}
