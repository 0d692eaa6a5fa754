/** SASL on the server side of a client's stream: elements to steps of a mechanism and back (RFC 6120 sections 6.4 and 6.5). */
import { NS_SASL } from '../stanza/ns.ts'
import type { Hashing } from '../world/hashing.types.ts'
import type { Random } from '../world/random.types.ts'
import { type Element, x } from '../xml/index.ts'
import type { C2sDriver, Channel, StreamHost } from './c2s-server.types.ts'
import {
  MECHANISMS,
  readPayload,
  type SaslCondition,
  type SaslFailure,
  type ServerAnswer,
  type ServerLookup,
  type ServerMechanism,
  type ServerStep,
  type ServerVerify,
  serverMechanism,
  writePayload,
} from './sasl/index.ts'

/** What an element, or an answer, leads to. */
export type AuthOutcome =
  | { readonly kind: 'challenge'; readonly element: Element }
  | { readonly kind: 'ask'; readonly question: ServerLookup | ServerVerify }
  | { readonly kind: 'success'; readonly username: string; readonly element: Element }
  | SaslFailure

export interface SaslNeeds {
  readonly driver: C2sDriver
  readonly random: Random
  readonly hashing: Hashing
}

export function saslFailure(condition: SaslCondition, code: SaslFailure['code'], text: string): SaslFailure {
  return { kind: 'failure', condition, code, text }
}

const badEncoding = saslFailure('incorrect-encoding', 'RTK_SASL_ENCODING', 'not base64 as RFC 4648 section 4 has it')
const badContent = saslFailure('malformed-request', 'RTK_SASL_CONTENT', 'elements where only text may be')
const noMechanism = saslFailure('invalid-mechanism', 'RTK_SASL_MECHANISM_MISSING', 'no mechanism was named')
const unknownMechanism = saslFailure(
  'invalid-mechanism',
  'RTK_SASL_MECHANISM_UNKNOWN',
  'a mechanism that is not offered',
)
const weakMechanism = saslFailure(
  'mechanism-too-weak',
  'RTK_SASL_MECHANISM_WEAK',
  'a mechanism that this host does not allow',
)
const needsTls = saslFailure('encryption-required', 'RTK_SASL_ENCRYPTION_REQUIRED', 'a mechanism that needs TLS')
export const outOfOrder = saslFailure('malformed-request', 'RTK_SASL_OUT_OF_ORDER', 'a response without a challenge')
export const aborted = saslFailure('aborted', 'RTK_SASL_ABORTED', 'the client aborted')

/** One attempt to sign in, from `<auth/>` to its outcome. */
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

  /** Chooses the mechanism of an `<auth/>`, or says why not. */
  static choose(el: Element, host: StreamHost, channel: Channel, needs: SaslNeeds): Exchange | SaslFailure {
    const name = el.attr('mechanism')
    if (name === undefined || name === '') return noMechanism
    const offered = offeredMechanisms(host, channel, needs.driver)
    if (!offered.includes(name)) return refuse(name, host, channel, needs.driver)
    const machine = serverMechanism(name, {
      hashing: needs.hashing,
      domain: host.domain,
      offered,
      bindings: channel.bindings,
      nonce: needs.random.id(),
    })
    return machine === undefined ? unknownMechanism : new Exchange(name, machine)
  }

  /** An `<auth/>` or `<response/>`. */
  receive(el: Element): AuthOutcome {
    if (el.elements.length > 0) return badContent
    const data = readPayload(el.text)
    if (data === 'bad') return badEncoding
    // Without content a response is one of no bytes; only an `<auth/>` can be without one (section 6.4.2).
    return this.#outcome(this.#machine.step(data === undefined && el.name === 'response' ? noBytes : data))
  }

  answer(answer: ServerAnswer): AuthOutcome {
    return this.#outcome(this.#machine.resume(answer))
  }

  #outcome(step: ServerStep): AuthOutcome {
    switch (step.kind) {
      case 'challenge':
        return { kind: 'challenge', element: x('challenge', NS_SASL, writePayload(step.data)) }
      case 'success':
        return { kind: 'success', username: step.username, element: x('success', NS_SASL, writePayload(step.data)) }
      case 'lookup':
      case 'verify':
        return { kind: 'ask', question: step }
      case 'failure':
        return step
    }
  }
}

const noBytes = new Uint8Array(0)

/** What the features say to this connection; nothing while TLS is required and not there. */
export function offeredMechanisms(host: StreamHost, channel: Channel, driver: C2sDriver): readonly string[] {
  return host.tls === 'required' && !channel.isSecure ? [] : driver.mechanisms(host, channel)
}

/** Why a mechanism that is not offered is refused: sections 6.5.4, 6.5.7 and 6.5.9. */
function refuse(name: string, host: StreamHost, channel: Channel, driver: C2sDriver): SaslFailure {
  if (!channel.isSecure) {
    const secured = driver.mechanisms(host, { isSecure: true, bindings: new Map(), tls: undefined })
    if (secured.includes(name) || name.endsWith('-PLUS')) return isKnownMechanism(name) ? needsTls : unknownMechanism
  }
  // Without data to bind to, -PLUS cannot be done at all; otherwise this host's back ends decided against the mechanism.
  const isImpossible = name.endsWith('-PLUS') && channel.bindings.size === 0
  return isKnownMechanism(name) && !isImpossible ? weakMechanism : unknownMechanism
}

function isKnownMechanism(name: string): boolean {
  return (MECHANISMS as readonly string[]).includes(name)
}

export function failureElement(failure: SaslFailure): Element {
  return x('failure', NS_SASL, x(failure.condition, NS_SASL))
}
