/** How a sign-in can fail outside of its mechanism, in both profiles (RFC 6120 section 6.5): codes for logs, conditions for the wire. */
import type { SaslCondition, SaslFailure } from './sasl/index.ts'

function failure(condition: SaslCondition, code: SaslFailure['code'], text: string): SaslFailure {
  return Object.freeze({ kind: 'failure', condition, code, text })
}

export const SASL_FAULT = {
  encoding: failure('incorrect-encoding', 'RTK_SASL_ENCODING', 'not base64 as RFC 4648 section 4 has it'),
  content: failure('malformed-request', 'RTK_SASL_CONTENT', 'elements where only text may be, or one too many'),
  noMechanism: failure('invalid-mechanism', 'RTK_SASL_MECHANISM_MISSING', 'no mechanism was named'),
  unknownMechanism: failure('invalid-mechanism', 'RTK_SASL_MECHANISM_UNKNOWN', 'a mechanism that is not offered'),
  weakMechanism: failure('mechanism-too-weak', 'RTK_SASL_MECHANISM_WEAK', 'a mechanism that this host does not allow'),
  needsTls: failure('encryption-required', 'RTK_SASL_ENCRYPTION_REQUIRED', 'a mechanism that needs TLS'),
  outOfOrder: failure('malformed-request', 'RTK_SASL_OUT_OF_ORDER', 'a response without a challenge'),
  /** XEP-0484 section 4.1. */
  noAgent: failure('malformed-request', 'RTK_SASL_AGENT', 'a token is used without the id of a user agent'),
  task: failure('malformed-request', 'RTK_SASL_TASK', 'the task was not done as it was set'),
  aborted: failure('aborted', 'RTK_SASL_ABORTED', 'the client aborted'),
  /** XEP-0388 section 2.3, for an authorization identity that was given or is implied. */
  otherIdentity: failure('invalid-authzid', 'RTK_SASL_FROM_OTHER', 'the from of the stream is another account'),
} as const
