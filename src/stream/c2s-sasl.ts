/**
 * SASL on the server side of a client's stream: from a named mechanism to its outcome (RFC 6120 sections 6.4 and 6.5), the same in
 * both profiles, that of RFC 6120 and XEP-0388.
 */
import { type Jid, parseJid } from '../jid/index.ts'
import { NS_SASL } from '../stanza/ns.ts'
import type { Hashing } from '../world/hashing.types.ts'
import type { Random } from '../world/random.types.ts'
import { xmppAddresses } from '../world/xmpp-addresses.ts'
import { type Element, x } from '../xml/index.ts'
import type { C2sDriver, Channel, StreamHost } from './c2s-server.types.ts'
import {
  BEARER,
  MECHANISMS,
  offerText,
  type SaslFailure,
  type ServerAnswer,
  type ServerBearer,
  type ServerLookup,
  type ServerMechanism,
  type ServerStep,
  type ServerTokens,
  type ServerVerify,
  type ServerVouch,
  serverMechanism,
  type TokenUse,
  writePayload,
} from './sasl/index.ts'
import { SASL_FAULT } from './sasl-faults.ts'

/** What data of the client, or an answer, leads to. */
export type AuthOutcome =
  /** `failure`: as of `ServerStep`. */
  | { readonly kind: 'challenge'; readonly data: Uint8Array; readonly failure?: SaslFailure }
  | { readonly kind: 'ask'; readonly question: ServerBearer | ServerLookup | ServerTokens | ServerVerify | ServerVouch }
  | {
      readonly kind: 'success'
      readonly username: string
      readonly data: Uint8Array | undefined
      /** The token that was used. */
      readonly token: TokenUse | undefined
    }
  | SaslFailure

export interface SaslNeeds {
  readonly driver: C2sDriver
  readonly random: Random
  readonly hashing: Hashing
}

/** One attempt to sign in, from the chosen mechanism to its outcome. */
export class Exchange {
  readonly mechanism: string
  readonly #machine: ServerMechanism

  private constructor(mechanism: string, machine: ServerMechanism) {
    this.mechanism = mechanism
    this.#machine = machine
  }

  /** Prepared; '' until the client has given it. */
  get username(): string {
    return this.#machine.username
  }

  /** Takes the mechanism that the client named, or says why not. `usesToken`: by XEP-0484, which has mechanisms of its own. */
  static choose(
    name: string,
    host: StreamHost,
    channel: Channel,
    needs: SaslNeeds,
    usesToken = false,
  ): Exchange | SaslFailure {
    const { driver } = needs
    const offered = usesToken ? driver.tokenMechanisms(host, channel) : offeredMechanisms(host, channel, driver)
    if (!offered.includes(name)) return refuse(name, host, channel, driver)
    const machine = serverMechanism(name, {
      hashing: needs.hashing,
      domain: host.domain,
      offered,
      bindings: channel.bindings,
      nonce: needs.random.id(),
      ...(name === 'ANONYMOUS' ? { anonymousName: needs.random.uuid().toLowerCase() } : {}),
      ...(name === 'EXTERNAL' ? { addresses: certificateAddresses(channel) } : {}),
      // The profile makes no difference: both offer the same.
      offer: host.protectsOffer === true ? offerText(offered, advertisedBindings(channel, offered)) : undefined,
    })
    return machine === undefined ? SASL_FAULT.unknownMechanism : new Exchange(name, machine)
  }

  /** What the client sent; undefined when it began without an initial response. */
  receive(data: Uint8Array | undefined): AuthOutcome {
    return this.#outcome(this.#machine.step(data))
  }

  answer(answer: ServerAnswer): AuthOutcome {
    return this.#outcome(this.#machine.resume(answer))
  }

  #outcome(step: ServerStep): AuthOutcome {
    switch (step.kind) {
      case 'challenge':
      case 'failure':
        return step
      case 'success':
        return { kind: 'success', username: step.username, data: step.data, token: step.token }
      case 'bearer':
      case 'lookup':
      case 'tokens':
      case 'verify':
      case 'vouch':
        return { kind: 'ask', question: step }
    }
  }
}

/** The types of channel binding that the features name (XEP-0440); undefined where they name none. */
export function advertisedBindings(channel: Channel, mechanisms: readonly string[]): readonly string[] | undefined {
  if (channel.bindings.size === 0 || !mechanisms.some((name) => name.endsWith('-PLUS'))) return undefined
  return [...channel.bindings.keys()]
}

/** What the features say to this connection; nothing while TLS is required and not there. */
export function offeredMechanisms(host: StreamHost, channel: Channel, driver: C2sDriver): readonly string[] {
  return host.tls === 'required' && !channel.isSecure ? [] : driver.mechanisms(host, channel)
}

/** Why a mechanism that is not offered is refused: sections 6.5.4, 6.5.7 and 6.5.9. */
function refuse(name: string, host: StreamHost, channel: Channel, driver: C2sDriver): SaslFailure {
  if (!channel.isSecure) {
    const secured = driver.mechanisms(host, { isSecure: true, bindings: new Map(), tls: undefined })
    if (secured.includes(name) || name.endsWith('-PLUS'))
      return isKnownMechanism(name) ? SASL_FAULT.needsTls : SASL_FAULT.unknownMechanism
  }
  // Without data to bind to, -PLUS cannot be done at all; otherwise this host's back ends decided against the mechanism.
  const isImpossible = name.endsWith('-PLUS') && channel.bindings.size === 0
  return isKnownMechanism(name) && !isImpossible ? SASL_FAULT.weakMechanism : SASL_FAULT.unknownMechanism
}

/** EXTERNAL is none to those who have shown no certificate. */
function isKnownMechanism(name: string): boolean {
  return (MECHANISMS as readonly string[]).includes(name) || name === 'ANONYMOUS' || name === BEARER
}

/** XEP-0178 section 2: all addresses of the client's certificate, if its chain has verified; those that are no accounts are left out. */
export function certificateAddresses({ tls }: Channel): readonly Jid[] {
  const certificate = tls?.peerCertificate
  if (certificate?.verified !== true) return []
  return xmppAddresses(certificate.der).flatMap((text) => {
    const jid = parseJid(text)
    return jid?.isBare === true && jid.local !== '' ? [jid] : []
  })
}

// The profile of RFC 6120 section 6.4; that of XEP-0388 is in sasl2.ts.

export function challengeElement(data: Uint8Array): Element {
  return x('challenge', NS_SASL, writePayload(data))
}

export function successElement(data: Uint8Array | undefined): Element {
  return x('success', NS_SASL, writePayload(data))
}

export function failureElement(failure: SaslFailure): Element {
  return x('failure', NS_SASL, x(failure.condition, NS_SASL))
}
