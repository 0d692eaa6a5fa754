/** The door to cryptographic hashing. State machines are handed one; only `world/` knows whose code it is. */

export type HashName = 'sha1' | 'sha256' | 'sha512'

export interface Hashing {
  /** Synchronous: for small inputs (a few KB) only. */
  hash(name: HashName, data: Uint8Array): Uint8Array
  /** Synchronous: for small inputs (a few KB) only. */
  hmac(name: HashName, key: Uint8Array, data: Uint8Array): Uint8Array
  /** PBKDF2 (RFC 8018 section 5.2) with a key as long as the hash. Never runs on the event loop. */
  pbkdf2(name: HashName, password: string, salt: Uint8Array, iterations: number): Promise<Uint8Array>
  /** Takes the same time wherever the first difference is; arrays of different length are unequal. */
  equal(a: Uint8Array, b: Uint8Array): boolean
}
