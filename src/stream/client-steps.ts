/** What the client's machine reads and writes while it negotiates: pure functions over elements. */

import { type Jid, parseJid } from '../jid/index.ts'
import type { StanzaCondition } from '../stanza/error.ts'
import { NS_BIND, NS_CLIENT, NS_SASL, NS_STANZA_ERRORS } from '../stanza/ns.ts'
import type { Hashing } from '../world/hashing.types.ts'
import type { Random } from '../world/random.types.ts'
import { type Element, x } from '../xml/index.ts'
import type { C2sClientConfig, ClientRefusal } from './c2s-client.types.ts'
import type { Channel } from './c2s-server.types.ts'
import { NS_SASL_CB } from './features.ts'
import { type ClientMechanism, chooseMechanism, clientMechanism, type SaslCondition } from './sasl/index.ts'

export function refused(
  step: ClientRefusal['step'],
  code: ClientRefusal['code'],
  condition: ClientRefusal['condition'],
  text: string,
): ClientRefusal {
  return { kind: 'refused', step, code, condition, text }
}

/** The mechanism to use, or why there is none. */
export function beginSignIn(
  features: Element,
  channel: Channel,
  config: C2sClientConfig,
  needs: { readonly hashing: Hashing; readonly random: Random },
): { readonly mechanism: ClientMechanism } | ClientRefusal {
  const offer = {
    mechanisms: features.child('mechanisms', NS_SASL)?.childrenNamed('mechanism', NS_SASL).map(textOf) ?? [],
    bindingTypes:
      features.child('sasl-channel-binding', NS_SASL_CB)?.childrenNamed('channel-binding').map(typeOf) ?? [],
  }
  const choice = chooseMechanism(offer, config.bindsChannel === false ? new Map() : channel.bindings, {
    allowPlain: channel.isSecure || config.allowPlainInClear === true,
    ...(config.atLeast === undefined ? {} : { atLeast: config.atLeast }),
  })
  if ('kind' in choice) return refused('sign-in', choice.code, choice.condition, choice.text)
  const { username, password, authzid } = config
  return {
    mechanism: clientMechanism(choice, {
      hashing: needs.hashing,
      username,
      password,
      nonce: needs.random.id(),
      ...(authzid === undefined ? {} : { authzid }),
    }),
  }
}

function textOf(el: Element): string {
  return el.text.trim()
}

function typeOf(el: Element): string {
  return el.attr('type') ?? ''
}

const saslConditions: ReadonlySet<string> = new Set<SaslCondition>([
  'aborted',
  'account-disabled',
  'credentials-expired',
  'encryption-required',
  'incorrect-encoding',
  'invalid-authzid',
  'invalid-mechanism',
  'malformed-request',
  'mechanism-too-weak',
  'not-authorized',
  'temporary-auth-failure',
])

/** RFC 6120 section 6.5: a condition that we do not know is `not-authorized`. */
export function readFailure(el: Element): ClientRefusal {
  const name = el.elements.find((child) => child.name !== 'text' && child.ns === NS_SASL)?.name
  const condition = name !== undefined && saslConditions.has(name) ? (name as SaslCondition) : 'not-authorized'
  return refused('sign-in', 'RTK_CLIENT_SIGN_IN_REFUSED', condition, el.childText('text', NS_SASL) ?? '')
}

export function bindRequest(id: string, resource: string): Element {
  const wish = resource === '' ? undefined : x('resource', NS_BIND, resource)
  return x('iq', NS_CLIENT, { id, type: 'set' }, x('bind', NS_BIND, wish))
}

/** The full JID, or the refusal. */
export function readBound(el: Element): Jid | ClientRefusal {
  if (el.attr('type') === 'result') {
    const jid = parseJid(el.child('bind', NS_BIND)?.childText('jid', NS_BIND)?.trim() ?? '')
    if (jid !== undefined && !jid.isBare) return jid
    return refused('bind', 'RTK_CLIENT_JID', undefined, 'the server gave no full JID')
  }
  const error = el.child('error', NS_CLIENT)
  const condition = error?.elements.find((child) => child.ns === NS_STANZA_ERRORS && child.name !== 'text')?.name
  const text = error?.childText('text', NS_STANZA_ERRORS) ?? ''
  return refused('bind', 'RTK_CLIENT_BIND_REFUSED', (condition ?? 'undefined-condition') as StanzaCondition, text)
}

/** RFC 6120 section 4.9.3.23: something else is mandatory, and `known` is not even offered. */
export function unsupported(features: Element, known: string): boolean {
  if (features.elements.some((feature) => feature.ns === known)) return false
  return features.elements.some((feature) => feature.child('required') !== undefined)
}
