/** By what a client has signed in, as far as it matters for ending its access. */
import { BEARER, isTokenMechanism } from '../../stream/sasl/index.ts'

/**
 * `password`: whoever has it comes back by it, until it is another. `certificate`: as long as that is good. `grant`: as long as its issuer
 * gives it tokens (RFC 7628). `token`: until it is revoked. `none`: without an account (XEP-0175).
 */
export type Means = 'certificate' | 'grant' | 'none' | 'password' | 'token'

export function meansOf(mechanism: string): Means {
  if (mechanism === 'ANONYMOUS') return 'none'
  if (mechanism === 'EXTERNAL') return 'certificate'
  if (mechanism === BEARER) return 'grant'
  if (isTokenMechanism(mechanism)) return 'token'
  // What a back end of a module checks is a password too, as far as anybody can tell.
  return 'password'
}
