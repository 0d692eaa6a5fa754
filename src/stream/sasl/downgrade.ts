/**
 * XEP-0474 (version 0.5.0): the offer of mechanisms and channel bindings is hashed into SCRAM's server-first-message, so that
 * nobody in the middle can make it poorer without knowing the password.
 */
import type { Hashing, HashName } from '../../world/hashing.types.ts'
import { toBase64, toUtf8 } from './encoding.ts'

/** Section 6.1, steps 1 to 4. `bindingTypes` is undefined where none were advertised (XEP-0440). */
export function offerText(mechanisms: readonly string[], bindingTypes: readonly string[] | undefined): string {
  const names = sorted(mechanisms)
  return bindingTypes === undefined ? names : `${names}\x1f${sorted(bindingTypes)}`
}

/** Section 6.1, step 5: what stands behind "h=". */
export function offerHash(hashing: Hashing, hash: HashName, offer: string): string {
  return toBase64(hashing.hash(hash, toUtf8(offer)))
}

/** By octets (RFC 4790 section 9.3). */
function sorted(names: readonly string[]): string {
  return names
    .map((name) => Buffer.from(name, 'utf8'))
    .sort(Buffer.compare)
    .join('\x1e')
}
