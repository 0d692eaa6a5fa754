/**
 * Refusals. Every stanza error, stream error and drop of the house is made here, with a code, so that it can explain
 * itself: the peer gets the standard condition and a generic text, log and trace get code and cause.
 */

/** Codes are constants `RTK_…`; tests assert on them, never on text. */
export type Code = `RTK_${string}`

/** RFC 6120 section 8.3.3. */
export type StanzaCondition =
  | 'bad-request'
  | 'conflict'
  | 'feature-not-implemented'
  | 'forbidden'
  | 'gone'
  | 'internal-server-error'
  | 'item-not-found'
  | 'jid-malformed'
  | 'not-acceptable'
  | 'not-allowed'
  | 'not-authorized'
  | 'policy-violation'
  | 'recipient-unavailable'
  | 'redirect'
  | 'registration-required'
  | 'remote-server-not-found'
  | 'remote-server-timeout'
  | 'resource-constraint'
  | 'service-unavailable'
  | 'subscription-required'
  | 'undefined-condition'
  | 'unexpected-request'

/** RFC 6120 section 8.3.2. */
export type StanzaErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait'

/** The type that RFC 6120 section 8.3.3 recommends for each condition. */
const usualType: Readonly<Record<StanzaCondition, StanzaErrorType>> = {
  'bad-request': 'modify',
  conflict: 'cancel',
  'feature-not-implemented': 'cancel',
  forbidden: 'auth',
  gone: 'cancel',
  'internal-server-error': 'cancel',
  'item-not-found': 'cancel',
  'jid-malformed': 'modify',
  'not-acceptable': 'modify',
  'not-allowed': 'cancel',
  'not-authorized': 'auth',
  'policy-violation': 'modify',
  'recipient-unavailable': 'wait',
  redirect: 'modify',
  'registration-required': 'auth',
  'remote-server-not-found': 'cancel',
  'remote-server-timeout': 'wait',
  'resource-constraint': 'wait',
  'service-unavailable': 'cancel',
  'subscription-required': 'auth',
  'undefined-condition': 'cancel',
  'unexpected-request': 'wait',
}

/** The condition with this element name, undefined for a name that RFC 6120 does not know. */
export function stanzaCondition(name: string): StanzaCondition | undefined {
  return Object.hasOwn(usualType, name) ? (name as StanzaCondition) : undefined
}

export interface StanzaErrorDetail {
  /** Defaults to what RFC 6120 recommends for the condition. */
  readonly type?: StanzaErrorType
  /** For the peer: generic, no secrets. */
  readonly text?: string
  /** For log and trace only. */
  readonly cause?: unknown
  /** An application-specific condition, RFC 6120 section 8.3.4: name and namespace. */
  readonly application?: { readonly name: string; readonly ns: string }
  /** The address for `gone` and `redirect`. */
  readonly uri?: string
}

/**
 * A refusal of one stanza. Thrown or returned by handlers. No `Error`: a refusal is not a fault, and a stack trace a
 * stanza would be the dearest thing on its path.
 */
export class StanzaError {
  readonly code: Code
  readonly condition: StanzaCondition
  readonly type: StanzaErrorType
  readonly detail: StanzaErrorDetail

  constructor(code: Code, condition: StanzaCondition, detail: StanzaErrorDetail = {}) {
    this.code = code
    this.condition = condition
    this.type = detail.type ?? usualType[condition]
    this.detail = detail
  }

  toString(): string {
    return `${this.code} (${this.condition})`
  }
}

/** RFC 6120 section 4.9.3. */
export type StreamCondition =
  | 'bad-format'
  | 'bad-namespace-prefix'
  | 'conflict'
  | 'connection-timeout'
  | 'host-gone'
  | 'host-unknown'
  | 'improper-addressing'
  | 'internal-server-error'
  | 'invalid-from'
  | 'invalid-namespace'
  | 'invalid-xml'
  | 'not-authorized'
  | 'not-well-formed'
  | 'policy-violation'
  | 'remote-connection-failed'
  | 'reset'
  | 'resource-constraint'
  | 'restricted-xml'
  | 'see-other-host'
  | 'system-shutdown'
  | 'undefined-condition'
  | 'unsupported-encoding'
  | 'unsupported-feature'
  | 'unsupported-stanza-type'
  | 'unsupported-version'

/** What a stream error may carry besides its condition and text. */
export interface StreamErrorDetail {
  /** An application-specific condition, RFC 6120 section 4.9.4: name, namespace and attributes. */
  readonly application?: {
    readonly name: string
    readonly ns: string
    readonly attrs?: Readonly<Record<string, string>>
  }
  /** Where to go instead, RFC 6120 section 4.9.3.19: `host` or `host:port`, an IPv6 address in brackets. */
  readonly otherHost?: string
}

/** A refusal of a whole stream: it is closed after this. */
export class StreamError {
  readonly code: Code
  readonly condition: StreamCondition
  readonly text: string | undefined
  readonly cause: unknown
  readonly detail: StreamErrorDetail | undefined

  constructor(code: Code, condition: StreamCondition, text?: string, cause?: unknown, detail?: StreamErrorDetail) {
    this.code = code
    this.condition = condition
    this.text = text
    this.cause = cause
    this.detail = detail
  }

  toString(): string {
    return `${this.code} (${this.condition})`
  }
}
