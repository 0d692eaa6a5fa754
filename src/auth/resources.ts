/**
 * Resources that stay the same for a client (XEP-0386 section 3.2.1): made of what it is and of a secret of the server, so that
 * neither the installation can be read from them nor the next one be guessed.
 */
import type { Jid } from '../jid/jid.ts'
import type { Hashing } from '../world/hashing.types.ts'
import type { Random } from '../world/random.types.ts'

/** 66 bits: two clients of one account never meet, and a resource travels in every stanza. */
const length = 11

export class Resources {
  readonly #hashing: Hashing
  readonly #random: Random
  readonly #secret: Uint8Array

  /** `secret`: 32 random bytes that are kept. */
  constructor(hashing: Hashing, random: Random, secret: Uint8Array) {
    this.#hashing = hashing
    this.#random = random
    this.#secret = secret
  }

  /** Characters of [A-Za-z0-9_-]; `agent` is the UUID of the client, '' where it gave none: then they are new each time. */
  made(account: Jid, agent: string, tag: string): string {
    if (agent === '') return this.#random.id().slice(0, length)
    // Neither a JID nor a tag holds a NUL.
    const data = Buffer.from(`resource\0${account.toString()}\0${agent}\0${tag}`, 'utf8')
    const mac = this.#hashing.hmac('sha256', this.#secret, data)
    return Buffer.from(mac).toString('base64url').slice(0, length)
  }
}
