/**
 * Tokens for quick sign-in (XEP-0484): handed out after a full sign-in, rotated, revoked. A client has two at most: the one it uses
 * and a new one that it has not used yet (section 5.1), so that one that never arrived locks nobody out.
 */
import type { ClientToken } from '../core/accounts.ts'
import type { TokenKeeper } from '../core/auth.ts'
import type { Host } from '../core/host.ts'
import type { Store } from '../store/define.ts'
import type { TokenCandidate, TokenMechanism, TokenUse } from '../stream/sasl/index.ts'
import type { Clock } from '../world/clock.types.ts'
import type { Random } from '../world/random.types.ts'
import type { tokenStore } from './tokens.store.ts'

/** Clients of one account that may have tokens (`tokens_per_account`); of more, the one that came longest ago loses its own. */
export const clientsMax = 50

/** Until then after its end a token is told to have expired (section 4.2), and then it is unknown. */
const rememberedMs = 30 * 24 * 3_600_000

/** The use of a token is written down no more often than this: a sign-in is to cost no commit. */
const noteUseMs = 3_600_000

/** As long as a token, so that a comparison takes as long. */
const decoy: TokenCandidate = { token: '-'.repeat(44), use: undefined }

export interface TokenOwner {
  readonly host: Host
  readonly local: string
  /** UUID of the client. */
  readonly agent: string
}

export interface TokenWish {
  readonly mechanism: TokenMechanism
  readonly software: string
  readonly device: string
  /** From now on, in milliseconds. */
  readonly lifetimeMs: number
}

export interface TokensNeeds {
  readonly store: Store<typeof tokenStore>
  readonly clock: Pick<Clock, 'wallMs'>
  readonly random: Random
  /** Counts the clients that lost their tokens by the limit. */
  readonly evicted: { value: number }
}

export class Tokens implements TokenKeeper {
  readonly #needs: TokensNeeds

  constructor(needs: TokensNeeds) {
    this.#needs = needs
  }

  /** What a proof is compared with: two, whether there are any or not. Rejects with `WorldError`. */
  async candidates(owner: TokenOwner, mechanism: string): Promise<readonly TokenCandidate[]> {
    const now = this.#needs.clock.wallMs()
    const rows = await this.#needs.store.ofClient(keyOf(owner))
    const found = rows.map((row): TokenCandidate => {
      // Section 3.4: a token serves no other mechanism.
      if (row.mechanism !== mechanism) return decoy
      const { id, token, created, used } = row
      const use = { id, isNew: row.slot === 'new', mechanism, createdMs: created, usedMs: used }
      return row.expires > now ? { token, use } : { token, use, refusal: 'credentials-expired' }
    })
    return [...found, decoy, decoy].slice(0, 2)
  }

  /** A sign-in by this token succeeded: section 3.5, what was issued before it is no longer good. */
  async used(owner: TokenOwner, use: TokenUse): Promise<void> {
    const now = this.#needs.clock.wallMs()
    if (use.isNew || now - use.usedMs >= noteUseMs) {
      await this.#needs.store.use({ ...keyOf(owner), id: use.id, used: now })
    }
  }

  /** Section 3.6. */
  async invalidate(owner: TokenOwner, use: TokenUse): Promise<void> {
    await this.#needs.store.invalidate({ ...keyOf(owner), id: use.id })
  }

  /** Whether a token that was used is to be replaced by another (section 3.5). */
  isDue(use: TokenUse, rotationMs: number): boolean {
    return this.#needs.clock.wallMs() - use.createdMs >= rotationMs
  }

  /** A new token, kept when this resolves. Rejects with `WorldError`. */
  async issue(owner: TokenOwner, wish: TokenWish): Promise<{ readonly token: string; readonly expires: Date }> {
    const { clock, random, store, evicted } = this.#needs
    const now = clock.wallMs()
    // 256 bits; the draft wants 128 at least (section 5).
    const token = Buffer.from(random.bytes(32)).toString('base64')
    const { mechanism, software, device, lifetimeMs } = wish
    const expires = now + lifetimeMs
    const { rows } = await store.issue({
      ...keyOf(owner),
      id: random.id(),
      mechanism,
      token,
      software,
      device,
      created: now,
      expires,
      expired: now - rememberedMs,
      max: clientsMax,
    })
    evicted.value += new Set(rows.map(({ agent }) => agent)).size
    return { token, expires: new Date(expires) }
  }

  async list(host: Host, local: string, after: string, limit: number): Promise<readonly ClientToken[]> {
    const rows = await this.#needs.store.clients({ host: host.domain, local, after, limit })
    return rows.map(({ created, expires, used, ...rest }) => ({
      ...rest,
      created: new Date(created),
      expires: new Date(expires),
      used: new Date(used),
    }))
  }

  async revoke(host: Host, local: string, agent: string): Promise<boolean> {
    return (await this.#needs.store.revoke({ host: host.domain, local, agent })).changed > 0
  }

  async revokeAll(host: Host, local: string): Promise<number> {
    return (await this.#needs.store.revokeAll({ host: host.domain, local })).changed
  }
}

function keyOf({ host, local, agent }: TokenOwner) {
  return { host: host.domain, local, agent }
}
