/**
 * Decoys that outlive a restart and a change of `auth.scram_iterations`: the secret for their salts and the iterations
 * that accounts have had are kept, so that neither tells which names exist (requirements AUTH-10).
 */
import type { Store } from '../store/define.ts'
import { Decoys } from '../stream/sasl/index.ts'
import type { Hashing } from '../world/hashing.types.ts'
import type { Random } from '../world/random.types.ts'
import type { secretStore } from './secrets.store.ts'
import { keptSecret } from './secrets.ts'

export interface DecoyNeeds {
  readonly store: Store<typeof secretStore>
  readonly hashing: Hashing
  readonly random: Random
}

/** Iteration counts that are remembered of a host type; the first of them is forgotten first. */
const countsMax = 16

/** The decoys of a host type whose new passwords are stretched this often. */
export async function openDecoys(needs: DecoyNeeds, hostType: string, iterations: number): Promise<Decoys> {
  const { store, hashing, random } = needs
  const secret = await keptSecret(store, 'decoy', random.bytes(32))
  const name = `decoy iterations ${hostType}`
  const known = readCounts(await keptSecret(store, name, Buffer.from(String(iterations))))
  if (known.includes(iterations)) return new Decoys(hashing, secret, ...known)
  const counts = [...known, iterations].slice(-countsMax)
  await store.replace({ name, value: Buffer.from(counts.join(' ')) })
  return new Decoys(hashing, secret, ...counts)
}

function readCounts(value: Uint8Array): readonly number[] {
  return Buffer.from(value).toString().split(' ').map(Number)
}
