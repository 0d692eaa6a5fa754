/**
 * Every limit as a figure, by the path of its option, so that a graph can draw a queue and what it may grow to: one family a unit,
 * since figures of one name must be of one.
 */
import { MAX_RUNNING } from '../admin/control/server.ts'
import { clientsMax } from '../auth/tokens.ts'
import { ValueRule } from '../core/access.ts'
import { accountCacheMax } from '../core/account-service.ts'
import type { Config } from '../core/config/index.ts'
import { connectionLimits, limitOptions } from '../core/config/limits.ts'
import type { OptionKind, OptionSchema } from '../core/config/option.ts'
import { sessionOptions, shaperOptions, storeOptions } from '../core/config/sections.ts'
import { messageHoldBytes, messageHoldMs } from '../core/message-holds.ts'
import type { LabelledValue, Metrics } from '../core/metrics.ts'
import type { ModuleDefinition } from '../core/module.ts'
import { hopsMax } from '../core/packet.ts'
import { requestsOpenMax } from '../core/requests.ts'
import { keysMax } from '../listeners/failures.ts'
import { quotaKeysMax } from '../modules/register/quota.ts'
import { defaultTurnBytes, defaultTurnStanzas } from '../stream/connection.ts'
import { MAX_TOKEN } from '../stream/sasl/index.ts'
import { defaultHttpLimits } from '../world/http.ts'

export interface LimitSource {
  config(): Config
  readonly modules: ReadonlyMap<string, ModuleDefinition>
}

/** In base units: bytes and seconds. */
const families = {
  ratatosk_limit: 'Limits of a number, by the option that sets them',
  ratatosk_limit_bytes: 'Limits of a size, by the option that sets them',
  ratatosk_limit_seconds: 'Limits of a time, by the option that sets them',
  ratatosk_limit_bytes_per_second: 'Shapers, by name',
  ratatosk_limit_per_second: 'Limits of how often, by the option that sets them',
} as const

type Family = keyof typeof families

interface Limit extends LabelledValue {
  readonly family: Family
}

const familyOf: Readonly<Partial<Record<OptionKind, readonly [family: Family, unit: number]>>> = {
  int: ['ratatosk_limit', 1],
  number: ['ratatosk_limit', 1],
  bytes: ['ratatosk_limit_bytes', 1],
  duration: ['ratatosk_limit_seconds', 1_000],
  rate: ['ratatosk_limit_bytes_per_second', 1],
  frequency: ['ratatosk_limit_per_second', 1],
}

export function enterLimitFigures(metrics: Metrics, source: LimitSource): void {
  for (const [family, help] of Object.entries(families)) {
    metrics.labelled({ name: family, kind: 'gauge', help }, () =>
      [...limitsOf(source), ...fixed].filter((limit) => limit.family === family),
    )
  }
}

/** The others limit nobody. */
const { operation_timeout, queue_operations, queue_bytes } = storeOptions
const storeLimitOptions = { operation_timeout, queue_operations, queue_bytes }

type Values = Readonly<Record<string, unknown>>
type Labels = LabelledValue['labels']

function* limitsOf({ config, modules }: LimitSource): Generator<Limit> {
  const { limits, listeners, shapers, store, host_types: types } = config()
  yield* numbers(limitOptions, limits, 'limits')
  yield* numbers(storeLimitOptions, store, 'store')
  // One with several addresses is there several times.
  for (const { name: listener, accept_rate, limits: own } of new Map(
    listeners.map((one) => [one.name, one]),
  ).values()) {
    yield limit('frequency', 'listeners[].accept_rate', accept_rate, { listener })
    for (const each of numbers(connectionLimits, own, 'limits', { listener })) {
      const { limit: path = '' } = each.labels
      const option = path.slice('limits.'.length) as keyof typeof connectionLimits
      if (limits[option] !== own[option]) yield each
    }
  }
  for (const [shaper, shaping] of shapers) yield* numbers(shaperOptions, { ...shaping }, 'shapers.NAME', { shaper })
  for (const [host_type, { session, modules: loaded }] of types) {
    yield* numbers(sessionOptions, session, 'session', { host_type })
    for (const [name, options] of loaded) {
      yield* numbers(modules.get(name)?.options ?? {}, options, `modules.${name}`, { host_type })
    }
  }
}

/** The options of a schema that have a number, groups included. */
function* numbers(schema: OptionSchema, values: Values, path: string, more: Labels = {}): Generator<Limit> {
  for (const [name, { kind, of, fields }] of Object.entries(schema)) {
    const value = values[name]
    const at = `${path}.${name}`
    // What holds for whoever no line of the rule names.
    const plain = value instanceof ValueRule ? value.otherwise : value
    if (fields !== undefined && typeof value === 'object' && value !== null)
      yield* numbers(fields, value as Values, at, more)
    else if (typeof plain === 'number') yield limit(kind === 'value rule' ? (of?.kind ?? kind) : kind, at, plain, more)
  }
}

function limit(kind: OptionKind, path: string, value: number, more: Labels = {}): Limit {
  const [family, unit] = familyOf[kind] ?? ['ratatosk_limit', 1]
  return { family, labels: { limit: path, ...more }, value: value / unit }
}

/** Those that no option sets. */
const fixed: readonly Limit[] = [
  limit('int', 'turn_stanzas', defaultTurnStanzas),
  limit('bytes', 'turn_bytes', defaultTurnBytes),
  limit('int', 'account_cache_entries', accountCacheMax),
  limit('bytes', 'http_header_bytes', defaultHttpLimits.headerBytes),
  limit('bytes', 'http_body_bytes', 0),
  limit('duration', 'http_request_timeout', defaultHttpLimits.requestMs),
  limit('int', 'sign_in_failure_keys', keysMax),
  limit('bytes', 'bearer_token_bytes', MAX_TOKEN),
  limit('int', 'tokens_per_account', clientsMax),
  limit('int', 'register_quota_keys', quotaKeysMax),
  limit('int', 'requests_open', requestsOpenMax),
  limit('int', 'control_commands', MAX_RUNNING),
  limit('duration', 'message_hold_time', messageHoldMs),
  limit('bytes', 'message_hold_bytes', messageHoldBytes),
  limit('int', 'route_hops', hopsMax),
]
