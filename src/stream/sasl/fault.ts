/** Every way an exchange can fail, with the condition that goes on the wire and the code that goes to logs and metrics. */
import type { SaslCondition, SaslFailure } from './sasl.types.ts'

function failure(code: SaslFailure['code'], condition: SaslCondition, text: string): SaslFailure {
  return Object.freeze({ kind: 'failure', condition, code, text })
}

/** Longest message of a client or server, in bytes: room for a name and an authzid at their limits, not for much more. */
export const MAX_MESSAGE = 4096

export const FAILURE = {
  tooLong: failure('RTK_SASL_TOO_LONG', 'malformed-request', 'the message is longer than 4096 bytes'),
  utf8: failure('RTK_SASL_UTF8', 'malformed-request', 'the message is not UTF-8'),
  malformed: failure('RTK_SASL_MALFORMED', 'malformed-request', 'the message breaks the grammar of the mechanism'),
  extension: failure('RTK_SASL_EXTENSION', 'malformed-request', 'the message demands an extension of SCRAM'),
  outOfOrder: failure('RTK_SASL_OUT_OF_ORDER', 'malformed-request', 'nothing was expected at this point'),
  username: failure('RTK_SASL_USERNAME', 'malformed-request', 'the name is no localpart'),
  authzid: failure('RTK_SASL_AUTHZID', 'invalid-authzid', 'one account cannot act for another'),
  authzidMissing: failure(
    'RTK_SASL_AUTHZID_MISSING',
    'invalid-authzid',
    'the certificate is for more than one address',
  ),
  downgrade: failure('RTK_SASL_DOWNGRADE', 'not-authorized', 'the client was not shown the channel bindings on offer'),
  bindingMissing: failure('RTK_SASL_BINDING_MISSING', 'malformed-request', '-PLUS and channel binding go together'),
  bindingType: failure('RTK_SASL_BINDING_TYPE', 'not-authorized', 'this type of channel binding was not offered'),
  bindingMismatch: failure('RTK_SASL_BINDING_MISMATCH', 'not-authorized', 'the channels are not the same'),
  nonce: failure('RTK_SASL_NONCE', 'not-authorized', 'the nonce is not the one of this exchange'),
  /** For a wrong password and an unknown name alike. */
  credentials: failure('RTK_SASL_CREDENTIALS', 'not-authorized', 'wrong name or password'),
  token: failure('RTK_SASL_TOKEN', 'not-authorized', 'wrong name or token'),
  /** OAUTHBEARER: not of an issuer that counts here, not for this host, or of an account that does not exist. */
  bearer: failure('RTK_SASL_BEARER', 'not-authorized', 'the bearer token is not good here'),
  bearerMissing: failure('RTK_SASL_BEARER_MISSING', 'not-authorized', 'the client asked what token it needs'),
  bearerScope: failure('RTK_SASL_BEARER_SCOPE', 'not-authorized', 'the bearer token is for something else'),
  bearerExpired: failure('RTK_SASL_BEARER_EXPIRED', 'credentials-expired', 'the bearer token has expired'),
  bearerTooLong: failure('RTK_SASL_BEARER_BYTES', 'malformed-request', 'the bearer token is longer than 8 KiB'),
  tokenExpired: failure('RTK_SASL_TOKEN_EXPIRED', 'credentials-expired', 'the token has expired'),
  disabled: failure('RTK_SASL_ACCOUNT_DISABLED', 'account-disabled', 'the account is disabled'),
  expired: failure('RTK_SASL_CREDENTIALS_EXPIRED', 'credentials-expired', 'the password has expired'),
  heldOff: failure(
    'RTK_SIGN_IN_FAILURES_PER_ACCOUNT',
    'temporary-auth-failure',
    'too many failed attempts to sign in to this account; try again later',
  ),
  unavailable: failure('RTK_SASL_UNAVAILABLE', 'temporary-auth-failure', 'passwords cannot be checked at the moment'),

  // The client's side: what a server can do wrong. The conditions are for symmetry; a client just goes away.
  iterations: failure('RTK_SASL_ITERATIONS', 'aborted', 'the iteration count of the server is out of bounds'),
  offerChanged: failure('RTK_SASL_OFFER_CHANGED', 'aborted', 'somebody changed what the server offered'),
  serverNonce: failure('RTK_SASL_SERVER_NONCE', 'aborted', 'the nonce of the server does not continue ours'),
  serverProof: failure('RTK_SASL_SERVER_PROOF', 'aborted', 'the server has not proved that it knows the password'),
  serverError: failure('RTK_SASL_SERVER_ERROR', 'not-authorized', 'the server reports an error of SCRAM'),
} as const
