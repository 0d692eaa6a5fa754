/** By what a client has signed in, as far as it matters for ending its access. */
import { isTokenMechanism } from '../../stream/sasl/index.ts'

/**
 * `password`: whoever has it comes back by it, until it is another. `certificate`: as long as that is good. `token`: until it is
 * revoked. `none`: without an account (XEP-0175).
 */
export type Means = 'certificate' | 'none' | 'password' | 'token'

export function meansOf(mechanism: string): Means {
  if (mechanism === 'ANONYMOUS') return 'none'
  if (mechanism === 'EXTERNAL') return 'certificate'
  if (isTokenMechanism(mechanism)) return 'token'
  // What a back end of a module checks is a password too, as far as anybody can tell.
  return 'password'
}
