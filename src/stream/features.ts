/** Stream features (RFC 6120 section 4.3.2, XEP-0440), in the order of XEP-0170. */
import { NS_SASL, NS_STREAM, NS_TLS } from '../stanza/ns.ts'
import type { ChannelBindingType, TlsInfo } from '../world/net.types.ts'
import { type Element, x } from '../xml/index.ts'
import { bindFeature, sessionFeature } from './c2s-bind.ts'
import { advertisedBindings, offeredMechanisms } from './c2s-sasl.ts'
import type { C2sDriver, Channel, StreamHost } from './c2s-server.types.ts'
import { authenticationFeature } from './sasl2.ts'

/** XEP-0440. */
export const NS_SASL_CB = 'urn:xmpp:sasl-cb:0'

export const startTlsOptional = x('starttls', NS_TLS)
export const startTlsRequired = x('starttls', NS_TLS, x('required', NS_TLS))
export const tlsRequest = x('starttls', NS_TLS)
export const tlsProceed = x('proceed', NS_TLS)
export const tlsFailure = x('failure', NS_TLS)

/** The strongest first (XEP-0440 section 3, rule 7). */
const bindingTypes: readonly ChannelBindingType[] = ['tls-exporter', 'tls-server-end-point']

/** What a connection offers to bind to: only types that it really has data for. */
export function channelOf(tls: TlsInfo | undefined): Channel {
  const bindings = new Map<string, Uint8Array>()
  for (const type of bindingTypes) {
    const data = tls?.channelBinding(type)
    if (data !== undefined) bindings.set(type, data)
  }
  return { isSecure: tls !== undefined, bindings, tls }
}

function mechanismsFeature(mechanisms: readonly string[]): Element | undefined {
  // The element needs at least one child (section 6.4.1).
  if (mechanisms.length === 0) return undefined
  return x('mechanisms', NS_SASL, ...mechanisms.map((name) => x('mechanism', NS_SASL, name)))
}

function bindingsFeature(channel: Channel, mechanisms: readonly string[]): Element | undefined {
  const types = advertisedBindings(channel, mechanisms)
  if (types === undefined) return undefined
  return x('sasl-channel-binding', NS_SASL_CB, ...types.map((type) => x('channel-binding', NS_SASL_CB, { type })))
}

/** XEP-0388 section 3: only inside of TLS. */
export function speaksSasl2(host: StreamHost, channel: Channel): boolean {
  return host.hasSasl2 === true && channel.isSecure
}

/** Before sign-in. While TLS is required and not there, STARTTLS stands alone (section 5.3.1). */
export function signInFeatures(host: StreamHost, channel: Channel, driver: C2sDriver): Element {
  if (!channel.isSecure && host.tls === 'required') return x('features', NS_STREAM, startTlsRequired)
  const mechanisms = offeredMechanisms(host, channel, driver)
  return x(
    'features',
    NS_STREAM,
    !channel.isSecure && host.tls === 'optional' ? startTlsOptional : undefined,
    bindingsFeature(channel, mechanisms),
    mechanismsFeature(mechanisms),
    speaksSasl2(host, channel) ? authenticationFeature(mechanisms, driver.sasl2(host, channel)) : undefined,
    ...driver.features(host, 'sasl'),
  )
}

/** After sign-in. */
export function bindFeatures(others: readonly Element[]): Element {
  return x('features', NS_STREAM, bindFeature, sessionFeature, ...others)
}

/** After sign-in and binding in one go (XEP-0388 section 2.6.1): nothing of it is for negotiation. */
export function boundFeatures(others: readonly Element[]): Element {
  return x('features', NS_STREAM, ...others)
}
