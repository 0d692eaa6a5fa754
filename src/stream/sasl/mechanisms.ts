/** Which mechanism: the server makes the one that a client names, a client chooses among those that a server offers. */
import type { Jid } from '../../jid/index.ts'
import type { Hashing } from '../../world/hashing.types.ts'
import { BEARER, BearerServer } from './bearer.ts'
import { HtServer, isTokenMechanism } from './ht.ts'
import { isScramName } from './keys.ts'
import { PlainClient, PlainServer } from './plain.ts'
import type { ChannelBindings, ClientMechanism, SaslFailure, ScramName, ServerMechanism } from './sasl.types.ts'
import { type ClientBinding, ScramClient } from './scram-client.ts'
import { ScramServer } from './scram-server.ts'
import { AnonymousServer, ExternalServer } from './vouched.ts'

/** All that are spoken, the strongest first (XEP-0438 section 5.1). */
export const MECHANISMS = [
  'SCRAM-SHA-512-PLUS',
  'SCRAM-SHA-256-PLUS',
  'SCRAM-SHA-1-PLUS',
  'SCRAM-SHA-512',
  'SCRAM-SHA-256',
  'SCRAM-SHA-1',
  'PLAIN',
] as const

/** SCRAM-SHA-256-PLUS is SCRAM-SHA-256 with channel binding. Undefined for what is no SCRAM. */
export function readScramName(name: string): { readonly mechanism: ScramName; readonly plus: boolean } | undefined {
  const plus = name.endsWith('-PLUS')
  const mechanism = plus ? name.slice(0, -5) : name
  return isScramName(mechanism) ? { mechanism, plus } : undefined
}

export interface ServerMechanismNeeds {
  readonly hashing: Hashing
  /** Prepared. */
  readonly domain: string
  /** What was offered to this client; nothing else is made. */
  readonly offered: readonly string[]
  readonly bindings: ChannelBindings
  /** At least 18 random printable characters without a comma (`Random.id`). */
  readonly nonce: string
  /** For ANONYMOUS: the localpart that whoever signs in gets. */
  readonly anonymousName?: string
  /** For EXTERNAL: all addresses of the client's certificate, which has verified. */
  readonly addresses?: readonly Jid[]
  /** For XEP-0474: see `offerText`. Left out: the offer is not protected. */
  readonly offer?: string | undefined
}

/** Undefined (`invalid-mechanism`) when it was not offered, or is not spoken. */
export function serverMechanism(name: string, needs: ServerMechanismNeeds): ServerMechanism | undefined {
  if (!needs.offered.includes(name)) return undefined
  const { hashing, domain, bindings, nonce, offer } = needs
  if (name === 'PLAIN') return new PlainServer(domain)
  if (name === BEARER) return new BearerServer(domain)
  const { anonymousName, addresses } = needs
  if (name === 'ANONYMOUS' && anonymousName !== undefined) return new AnonymousServer(anonymousName)
  if (name === 'EXTERNAL' && addresses !== undefined) return new ExternalServer(addresses, domain)
  if (isTokenMechanism(name)) return new HtServer({ hashing, domain, bindings, mechanism: name })
  const scram = readScramName(name)
  if (scram === undefined) return undefined
  const plusOffered = needs.offered.some((offer) => offer.endsWith('-PLUS'))
  return new ScramServer({ hashing, domain, bindings, nonce, offer, plusOffered, ...scram })
}

export interface Offer {
  /** Of `<mechanisms/>`. */
  readonly mechanisms: readonly string[]
  /** Of `<sasl-channel-binding/>` (XEP-0440), empty without. */
  readonly bindingTypes: readonly string[]
  /** By XEP-0388, where the rules are stricter. */
  readonly isSasl2?: boolean
}

export interface Choice {
  readonly mechanism: string
  /** For SCRAM. */
  readonly binding: ClientBinding
}

export interface ChoiceLimits {
  /** Only where nobody listens (TLS), or in a test. */
  readonly allowPlain: boolean
  /** XEP-0438 section 5.1, mechanism pinning: nothing weaker than this. */
  readonly atLeast?: (typeof MECHANISMS)[number]
}

function cannot(code: SaslFailure['code'], condition: SaslFailure['condition'], text: string): SaslFailure {
  return Object.freeze({ kind: 'failure', code, condition, text })
}

const STRIPPED = cannot('RTK_SASL_BINDING_STRIPPED', 'aborted', 'somebody took channel bindings out of the offer')
const NONE = cannot('RTK_SASL_NO_MECHANISM', 'mechanism-too-weak', 'the server offers no mechanism that is good enough')
const END_POINT = 'tls-server-end-point'

/**
 * How to bind the channel: XEP-0440 section 3, rules 2 to 7, by number. `ours` is what this connection has, the strongest first;
 * empty when we cannot bind.
 */
function chooseBinding(offer: Offer, ours: ChannelBindings): ClientBinding | SaslFailure {
  const isPlusOffered = offer.mechanisms.some((name) => name.endsWith('-PLUS'))
  const isTypeOffered = offer.bindingTypes.length > 0
  if (ours.size === 0) return 'n' // 2
  if (!isPlusOffered) return isTypeOffered ? STRIPPED : 'y' // 5, 3
  if (!isTypeOffered && offer.isSasl2 === true) return STRIPPED // 4
  for (const [type, data] of ours) {
    // 4: without the feature in SASL1, the type that every server must have (rule 1); 7: else the strongest that both have.
    if (isTypeOffered ? offer.bindingTypes.includes(type) : type === END_POINT) return { type, data }
  }
  if (!isTypeOffered) return 'n' // 4 leaves it open for SASL1; we lack the type that can be guessed
  return offer.bindingTypes.includes(END_POINT) ? 'n' : STRIPPED // 6
}

/** The strongest mechanism that both have, or why there is none. Any hash with channel binding goes before any without. */
export function chooseMechanism(offer: Offer, ours: ChannelBindings, limits: ChoiceLimits): Choice | SaslFailure {
  const binding = chooseBinding(offer, ours)
  if (typeof binding !== 'string' && 'code' in binding) return binding
  const weakest = limits.atLeast === undefined ? MECHANISMS.length : MECHANISMS.indexOf(limits.atLeast) + 1
  for (const mechanism of MECHANISMS.slice(0, weakest)) {
    if (!offer.mechanisms.includes(mechanism)) continue
    const scram = readScramName(mechanism)
    if (scram === undefined ? !limits.allowPlain : scram.plus !== (typeof binding !== 'string')) continue
    return { mechanism, binding }
  }
  return NONE
}

export interface ClientMechanismNeeds {
  readonly hashing: Hashing
  readonly username: string
  readonly password: string
  readonly authzid?: string
  readonly nonce: string
  /** What the server showed us, for XEP-0474: see `offerText`. Left out: it is not compared. */
  readonly offer?: string
}

/** The machine for a choice. The password of SCRAM is not needed before `stretch`. */
export function clientMechanism(choice: Choice, needs: ClientMechanismNeeds): ClientMechanism {
  const scram = readScramName(choice.mechanism)
  if (scram === undefined) return new PlainClient(needs)
  return new ScramClient({ ...needs, mechanism: scram.mechanism, binding: choice.binding })
}
