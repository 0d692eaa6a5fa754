/** The dice. Real: a CSPRNG with a pool. Simulated: a seeded generator. */
export interface Random {
  bytes(count: number): Uint8Array
  /** An unguessable name of 22 characters of [A-Za-z0-9_-] (132 bits): stream ids, resources, nonces. */
  id(): string
  uuid(): string
  /** An integer, 0 to `limit` - 1. */
  below(limit: number): number
}
