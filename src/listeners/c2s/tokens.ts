/** What becomes of tokens at a sign-in (XEP-0484 sections 3.3, 3.5 and 3.6): the one that was used, and one that is given. */
import type { TokenOwner, Tokens } from '../../auth/tokens.ts'
import type { AuthConfig } from '../../core/config/sections.ts'
import { isInvalidation, requestedToken, tokenElement } from '../../stream/fast.ts'
import { isTokenMechanism, type TokenMechanism, type TokenUse } from '../../stream/sasl/index.ts'
import type { Authenticate } from '../../stream/sasl2.ts'
import type { Log } from '../../world/log.types.ts'
import type { Element } from '../../xml/element.types.ts'

export interface TokenNeeds {
  readonly tokens: Tokens
  readonly log: Log
  readonly auth: Pick<AuthConfig, 'token_lifetime' | 'token_rotation'>
  readonly owner: TokenOwner
  /** The token that was used to sign in. */
  readonly use: TokenUse | undefined
  readonly asked: Authenticate
  /** Mechanisms of tokens on this connection. */
  readonly offered: readonly string[]
  /** True when what was proven at the sign-in counts no more: the account was removed, its password changed, its tokens revoked. */
  hasEnded(): boolean
}

/** A `<token/>` for `<success/>`. Rejects with `WorldError` when a token that was to be ended may still be good. */
export async function settleTokens(needs: TokenNeeds): Promise<Element | undefined> {
  const { tokens, owner, use, asked } = needs
  const isEnded = use !== undefined && asked.inline.some(isInvalidation)
  if (use !== undefined) await (isEnded ? tokens.invalidate(owner, use) : tokens.used(owner, use))
  const mechanism = wishedFor(needs, isEnded)
  // Just before the store is asked: what ends tokens asks it behind that.
  if (mechanism === undefined || owner.agent === '' || needs.hasEnded()) return undefined
  const { software = '', device = '' } = asked.agent ?? {}
  try {
    const wish = { mechanism, software, device, lifetimeMs: needs.auth.token_lifetime }
    const { token, expires } = await tokens.issue(owner, wish)
    return tokenElement(token, expires)
  } catch (error) {
    // He is signed in; the next time he asks again.
    needs.log.warn('a token could not be kept', { code: 'RTK_TOKEN_UNAVAILABLE', error })
    return undefined
  }
}

/** The mechanism of a token that is to be given: one that was asked for, or that of the one it takes the place of. */
function wishedFor({ tokens, auth, use, asked, offered }: TokenNeeds, isEnded: boolean): TokenMechanism | undefined {
  const requested = requestedToken(asked.inline)
  if (requested !== undefined) return offered.includes(requested) ? requested : undefined
  if (use === undefined || isEnded || !tokens.isDue(use, auth.token_rotation)) return undefined
  return isTokenMechanism(use.mechanism) && offered.includes(use.mechanism) ? use.mechanism : undefined
}
