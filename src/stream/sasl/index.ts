/** SASL mechanisms of both roles (RFC 4422, RFC 6120 section 6), without I/O. */
export { BEARER, BearerClient, BearerServer, MAX_TOKEN } from './bearer.ts'
export { offerHash, offerText } from './downgrade.ts'
export { readBase64, readPayload, toBase64, writePayload } from './encoding.ts'
export { HtClient, isTokenMechanism, type TokenMechanism, tokenMechanisms } from './ht.ts'
export {
  type CredentialRow,
  DEFAULT_ITERATIONS,
  Decoys,
  deriveScram,
  fromRow,
  HASH_OF,
  keysOf as deriveKeys,
  MIN_ITERATIONS,
  SALT_LENGTH,
  stretch,
  toRow,
  verifyPassword,
} from './keys.ts'
export {
  type Choice,
  type ChoiceLimits,
  chooseMechanism,
  clientMechanism,
  MECHANISMS,
  type Offer,
  readScramName,
  serverMechanism,
} from './mechanisms.ts'
export { PlainClient, PlainServer } from './plain.ts'
export type * from './sasl.types.ts'
export { type ClientBinding, ScramClient } from './scram-client.ts'
export { ScramServer } from './scram-server.ts'
export { VouchedClient } from './vouched.ts'
