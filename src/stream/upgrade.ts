/** XEP-0480: SASL Upgrade Tasks, version 0.2.0, for SCRAM (section 3), as elements. */

import type { Hashing } from '../world/hashing.types.ts'
import { type Element, x } from '../xml/index.ts'
import {
  deriveKeys,
  HASH_OF,
  MECHANISMS,
  readBase64,
  readScramName,
  type ScramCredential,
  type ScramName,
  toBase64,
} from './sasl/index.ts'
import { NS_SASL2 } from './sasl2.ts'

export const NS_UPGRADE = 'urn:xmpp:sasl:upgrade:0'
export const NS_SCRAM_UPGRADE = 'urn:xmpp:scram-upgrade:0'

/** A hash that is to be made of the password. */
export interface UpgradeTask {
  readonly mechanism: ScramName
  readonly salt: Uint8Array
  readonly iterations: number
}

/** Section 2.1: names of tasks are those of the mechanisms without -PLUS. */
export function taskName(mechanism: ScramName): string {
  return `UPGR-${mechanism}`
}

/** Section 2.1, for `<authentication/>`. */
export function upgradeElements(mechanisms: readonly ScramName[]): readonly Element[] {
  return mechanisms.map((mechanism) => x('upgrade', NS_UPGRADE, taskName(mechanism)))
}

/** Section 2.2: what a client offers to do; names that nobody knows are passed over. */
export function wantedUpgrades(inline: readonly Element[]): readonly ScramName[] {
  const names = inline.filter((el) => el.name === 'upgrade' && el.ns === NS_UPGRADE).map((el) => el.text.trim())
  const all = MECHANISMS.flatMap((name) => {
    const scram = readScramName(name)
    return scram === undefined || scram.plus ? [] : [scram.mechanism]
  })
  return all.filter((mechanism) => names.includes(taskName(mechanism)))
}

/** XEP-0388 section 2.6.3. */
export function continueElement(data: Uint8Array | undefined, task: string): Element {
  const additional = data === undefined ? undefined : x('additional-data', NS_SASL2, toBase64(data))
  return x('continue', NS_SASL2, additional, x('tasks', NS_SASL2, x('task', NS_SASL2, task)))
}

/** Section 3: what the client makes the hash with. */
export function saltElement({ salt, iterations }: UpgradeTask): Element {
  const element = x('salt', NS_SCRAM_UPGRADE, { iterations: String(iterations) }, toBase64(salt))
  return x('task-data', NS_SASL2, element)
}

/** Section 3: the credential made of the SaltedPassword; undefined when the client has sent something else. */
export function readHash(el: Element, task: UpgradeTask, hashing: Hashing): ScramCredential | undefined {
  const salted = readBase64(el.childText('hash', NS_SCRAM_UPGRADE)?.trim() ?? '')
  if (salted === undefined || salted.length === 0) return undefined
  const { mechanism, salt, iterations } = task
  const hash = HASH_OF[mechanism]
  if (salted.length !== hashing.hash(hash, salted).length) return undefined
  const { storedKey, serverKey } = deriveKeys(hashing, hash, salted)
  return { hash, salt, iterations, storedKey, serverKey }
}
