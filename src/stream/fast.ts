/** XEP-0484: Fast Authentication Streamlining Tokens, version 0.2.0, as elements. Both roles. */
import { type Element, x } from '../xml/index.ts'
import { isTokenMechanism, type TokenMechanism } from './sasl/index.ts'

export const NS_FAST = 'urn:xmpp:fast:0'

/** Section 3.1, for `<inline/>`: undefined where no token would serve. */
export function fastFeature(mechanisms: readonly string[]): Element | undefined {
  if (mechanisms.length === 0) return undefined
  return x('fast', NS_FAST, ...mechanisms.map((name) => x('mechanism', NS_FAST, name)))
}

/** Section 3.4: the client says that it uses a token. */
export function isFast(el: Element): boolean {
  return el.ns === NS_FAST && el.name === 'fast'
}

/** Section 3.6: the token is to serve no more. */
export function isInvalidation(el: Element): boolean {
  const value = el.attr('invalidate')
  return isFast(el) && (value === '1' || value === 'true')
}

/** Section 3.2: the mechanism that a new token is asked for; undefined for none, and for one that nobody speaks. */
export function requestedToken(inline: readonly Element[]): TokenMechanism | undefined {
  const name = inline.find((el) => el.ns === NS_FAST && el.name === 'request-token')?.attr('mechanism') ?? ''
  return isTokenMechanism(name) ? name : undefined
}

/** Section 3.3. */
export function tokenElement(token: string, expires: Date): Element {
  // XEP-0082 DateTime; fractions of a second are left out, as in the example.
  return x('token', NS_FAST, { token, expiry: expires.toISOString().replace(/\.\d+Z$/, 'Z') })
}

export function fastElement(options: { readonly invalidate: boolean }): Element {
  return x('fast', NS_FAST, { invalidate: options.invalidate ? 'true' : undefined })
}

export function requestTokenElement(mechanism: TokenMechanism): Element {
  return x('request-token', NS_FAST, { mechanism })
}
