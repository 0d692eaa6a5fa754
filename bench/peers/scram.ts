/** SCRAM-SHA-1 credentials of many accounts (RFC 5802 section 3), for stores that are filled before their server starts. */

import { createHash, createHmac, pbkdf2, randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import type { Accounts } from './peer.ts'

export interface Credential {
  readonly user: string
  readonly salt: Buffer
  readonly iterations: number
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

const derive = promisify(pbkdf2)
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha1', key).update(text).digest()

export function userName(accounts: Accounts, index: number): string {
  return accounts.prefix + String(index).padStart(5, '0')
}

/** By prefix, password and iterations: a server of the run that is set up anew need not derive them again. */
const derived = new Map<string, Credential[]>()

/** Derives all of them on the thread pool; each account has its own salt, an ASCII string as Prosody wants it. */
export async function credentials(accounts: Accounts, iterations: number): Promise<Credential[]> {
  const { prefix, password, count } = accounts
  const key = `${prefix} ${iterations} ${password}`
  const all = derived.get(key) ?? []
  derived.set(key, all)
  for (let first = all.length; first < count; first += 64) {
    const indexes = Array.from({ length: Math.min(64, count - first) }, (_, i) => first + i)
    const some = indexes.map(async (index) => {
      const salt = Buffer.from(randomUUID())
      const salted = await derive(accounts.password, salt, iterations, 20, 'sha1')
      const storedKey = createHash('sha1').update(hmac(salted, 'Client Key')).digest()
      return { user: userName(accounts, index), salt, iterations, storedKey, serverKey: hmac(salted, 'Server Key') }
    })
    all.push(...(await Promise.all(some)))
  }
  return all.slice(0, count)
}
