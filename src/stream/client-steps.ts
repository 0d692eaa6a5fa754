/** What the client's machine reads and writes while it negotiates: pure functions over elements. */

import { type Jid, parseJid } from '../jid/index.ts'
import type { StanzaCondition } from '../stanza/error.ts'
import { NS_BIND, NS_CLIENT, NS_SASL, NS_STANZA_ERRORS } from '../stanza/ns.ts'
import { NS_SM, smResume } from '../stanza/sm.ts'
import type { Hashing } from '../world/hashing.types.ts'
import type { Random } from '../world/random.types.ts'
import { type Element, x } from '../xml/index.ts'
import type { C2sClientConfig, ClientRefusal } from './c2s-client.types.ts'
import type { Channel } from './c2s-server.types.ts'
import { fastElement, NS_FAST } from './fast.ts'
import { NS_SASL_CB } from './features.ts'
import {
  BEARER,
  BearerClient,
  type ClientMechanism,
  chooseMechanism,
  clientMechanism,
  HtClient,
  offerText,
  type SaslCondition,
} from './sasl/index.ts'
import { NS_BIND2, NS_SASL2 } from './sasl2.ts'

export function refused(
  step: ClientRefusal['step'],
  code: ClientRefusal['code'],
  condition: ClientRefusal['condition'],
  text: string,
): ClientRefusal {
  return { kind: 'refused', step, code, condition, text }
}

export interface Begun {
  readonly mechanism: ClientMechanism
  /** For SASL2: what stands in `<authenticate/>` behind the initial response. Undefined: the profile of RFC 6120. */
  readonly inline: readonly Element[] | undefined
}

/** The mechanism to use, and the profile to use it in; or why there is none. */
export function beginSignIn(
  features: Element,
  channel: Channel,
  config: C2sClientConfig,
  needs: { readonly hashing: Hashing; readonly random: Random },
): Begun | ClientRefusal {
  // XEP-0388 section 3: only inside of TLS.
  const mayUse2 = channel.isSecure && config.profile !== 'rfc6120'
  const sasl2 = mayUse2 ? features.child('authentication', NS_SASL2) : undefined
  const fast = sasl2 === undefined ? undefined : beginByToken(sasl2, channel, config, needs.hashing)
  if (fast !== undefined) return fast
  const mechanisms = (sasl2 ?? features.child('mechanisms', NS_SASL))?.childrenNamed('mechanism').map(textOf) ?? []
  const { username, password, authzid, bearer } = config
  if (bearer !== undefined && channel.isSecure && mechanisms.includes(BEARER)) {
    const mechanism = new BearerClient({ token: bearer, ...(authzid === undefined ? {} : { authzid }) })
    return { mechanism, inline: sasl2 === undefined ? undefined : inlineOf(sasl2, config) }
  }
  const types = features.child('sasl-channel-binding', NS_SASL_CB)?.childrenNamed('channel-binding').map(typeOf)
  const offer = { mechanisms, bindingTypes: types ?? [], isSasl2: sasl2 !== undefined }
  const choice = chooseMechanism(offer, config.bindsChannel === false ? new Map() : channel.bindings, {
    allowPlain: channel.isSecure || config.allowPlainInClear === true,
    ...(config.atLeast === undefined ? {} : { atLeast: config.atLeast }),
  })
  if ('kind' in choice) return refused('sign-in', choice.code, choice.condition, choice.text)
  return {
    mechanism: clientMechanism(choice, {
      hashing: needs.hashing,
      username,
      password,
      nonce: needs.random.id(),
      offer: offerText(mechanisms, types),
      ...(authzid === undefined ? {} : { authzid }),
    }),
    inline: sasl2 === undefined ? undefined : inlineOf(sasl2, config),
  }
}

/** XEP-0484 section 3.4; undefined when there is no token, or the server does not take it. */
function beginByToken(
  offered: Element,
  { bindings }: Channel,
  config: C2sClientConfig,
  hashing: Hashing,
): Begun | undefined {
  const { token, username } = config
  const fast = offered.child('inline', NS_SASL2)?.child('fast', NS_FAST)
  const names = fast?.childrenNamed('mechanism').map(textOf) ?? []
  if (token === undefined || !names.includes(token.mechanism)) return undefined
  const mechanism = new HtClient({ hashing, bindings, username, mechanism: token.mechanism, token: token.token })
  const invalidate = token.invalidate === true
  return { mechanism, inline: [...inlineOf(offered, config), fastElement({ invalidate })] }
}

/** What is asked for together with the sign-in (XEP-0388 section 2.3, XEP-0386 section 3.2). */
function inlineOf(offered: Element, config: C2sClientConfig): readonly Element[] {
  const { agent, resource, resume, tag, session = [], inline = [] } = config
  const made: Element[] = []
  if (agent !== undefined) {
    const text = (name: string, value: string) => (value === '' ? undefined : x(name, NS_SASL2, value))
    const id = agent.id === '' ? undefined : agent.id
    made.push(x('user-agent', NS_SASL2, { id }, text('software', agent.software), text('device', agent.device)))
  }
  const offer = offered.child('inline', NS_SASL2)
  // XEP-0198 section 9.2
  if (resume !== undefined && offer?.hasChild('sm', NS_SM) === true) made.push(smResume(resume.previd, resume.h))
  const offersBind = offer?.hasChild('bind', NS_BIND2) === true
  if (offersBind && resource === '') {
    made.push(x('bind', NS_BIND2, tag === undefined ? undefined : x('tag', NS_BIND2, tag), ...session))
  }
  return [...made, ...inline]
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
  return refused('sign-in', 'RTK_CLIENT_SIGN_IN_REFUSED', condition, el.childText('text', el.ns) ?? '')
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
