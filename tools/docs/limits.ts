/**
 * Every limit with what whoever passes it is told, and the figure that counts it: the table of the guide. Names, defaults
 * and units come from the options themselves. `src/server/limits.test.ts` passes each of these limits once.
 */
import { clientsMax } from '../../src/auth/tokens.ts'
import { accountCacheMax } from '../../src/core/account-service.ts'
import { messageHoldBytes, messageHoldMs } from '../../src/core/message-holds.ts'
import { hopsMax } from '../../src/core/packet.ts'
import { requestsOpenMax } from '../../src/core/requests.ts'
import { quotaKeysMax } from '../../src/modules/register/quota.ts'
import type { StanzaCondition, StreamCondition } from '../../src/stanza/error.ts'
import { MAX_TOKEN } from '../../src/stream/sasl/index.ts'
import { defaultHttpLimits } from '../../src/world/http.ts'

/** What goes over the wire when the limit is passed. */
export type Answer =
  | { readonly stream: StreamCondition }
  | { readonly stanza: StanzaCondition }
  | { readonly sasl: string }
  /** The status of the response. */
  | { readonly http: number }
  /** On the control socket, by its code. */
  | { readonly control: string }
  /** Nothing; and what happens instead. */
  | { readonly nothing: string }

export interface Limit {
  readonly answer: Answer
  /** As `ratatosk metrics list` names it. */
  readonly metric: string
  /** What else there is to say of the answer. */
  readonly note?: string
}

/** One that no option sets. */
export interface FixedLimit extends Limit {
  readonly value: string
}

const refused = (code: string) => `ratatosk_refusals_total{code="${code}"}`
const policy = (metric: string, note?: string): Limit => ({
  answer: { stream: 'policy-violation' },
  metric,
  ...(note === undefined ? {} : { note }),
})
const stanza = (condition: StanzaCondition, metric: string): Limit => ({ answer: { stanza: condition }, metric })
const nothing = (text: string, metric: string): Limit => ({ answer: { nothing: text }, metric })

/** What goes through the database; chat between those who are there does not. */
const away = (metric: string, more = ''): Limit => ({
  ...stanza('resource-constraint', metric),
  note: `of type \`wait\` (\`service-unavailable\` to a message that was to be kept); to who signs in the SASL failure \`temporary-auth-failure\`${more}`,
})

const dropped = 'the connection is dropped'
const waits = 'the client waits'
const heldTooLong = 'messages that wait for the end of a hand-over of what was kept are kept themselves'
const unacknowledged = 'what is not acknowledged is undeliverable: offline store, or error to the sender'

/** By the option's path in the configuration. */
export const limits: Readonly<Record<string, Limit>> = {
  'listeners[].accept_rate': nothing('it waits, unread', 'ratatosk_accept_throttled_total'),
  'limits.stanza_bytes': policy(refused('RTK_XML_STANZA_BYTES'), 'while the stanza is still on its way'),
  'limits.header_bytes': policy(refused('RTK_XML_HEADER_BYTES')),
  'limits.depth': policy(refused('RTK_XML_DEPTH')),
  'limits.elements': policy(refused('RTK_XML_ELEMENTS')),
  'limits.attributes': policy(refused('RTK_XML_ATTRIBUTES')),
  'limits.name_bytes': policy(refused('RTK_XML_NAME_BYTES')),
  'limits.prefixes': policy(refused('RTK_XML_PREFIXES')),
  'limits.sign_in_timeout': policy(refused('RTK_STREAM_NEGOTIATION_TIMEOUT')),
  'limits.sign_in_bytes': policy(refused('RTK_STREAM_NEGOTIATION_BYTES')),
  'limits.sign_in_stanza_bytes': policy(refused('RTK_XML_STANZA_BYTES')),
  'limits.sign_in_elements': policy(refused('RTK_STREAM_NEGOTIATION_ELEMENTS')),
  'limits.sign_in_attempts': policy(refused('RTK_STREAM_SASL_RETRIES'), 'behind the last SASL failure'),
  'limits.connections_per_address': policy('ratatosk_connections_refused_per_address_total'),
  'limits.bind_attempts': policy(refused('RTK_STREAM_BIND_RETRIES'), 'behind the last stanza error'),
  'limits.proxy_header_timeout': nothing(dropped, 'ratatosk_proxy_header_faults_total'),
  'limits.close_timeout': nothing(dropped, 'ratatosk_close_timeouts_total'),
  'limits.connections': {
    answer: { stream: 'resource-constraint' },
    metric: 'ratatosk_connections_refused_max_total',
  },
  'limits.sign_in_failures': policy('ratatosk_connections_refused_failures_total'),
  'limits.sign_in_failures_per_account': {
    answer: { sasl: 'temporary-auth-failure' },
    metric: 'ratatosk_sign_ins_held_off_total',
    note: 'whether the account exists or not',
  },
  'limits.session_queue_bytes': policy(
    'ratatosk_sessions_queue_full_total',
    'what has not left for him, and what he is sent from then on, is undeliverable: offline store, or error to the sender',
  ),
  'limits.session_pending_stanzas': nothing(waits, 'ratatosk_session_holds_total'),
  'limits.hook_timeout': stanza('internal-server-error', 'ratatosk_hook_timeouts_total'),
  'limits.jid_cache_entries': nothing('an address is prepared again', 'ratatosk_jid_cache_evictions_total'),
  'limits.control_line_bytes': {
    answer: { control: 'RTK_CONTROL_LINE_TOO_LONG' },
    metric: refused('RTK_CONTROL_LINE_TOO_LONG'),
  },
  'limits.control_connections': {
    answer: { control: 'RTK_CONTROL_CONNECTIONS' },
    metric: refused('RTK_CONTROL_CONNECTIONS'),
  },
  'shapers.NAME.rate': nothing(waits, 'ratatosk_shaper_holds_total'),
  'shapers.NAME.burst': nothing(waits, 'ratatosk_shaper_holds_total'),
  'session.max_per_user': {
    answer: { stream: 'conflict' },
    metric: 'ratatosk_bind_sessions_max_total',
    note: 'to his oldest session; with `max_per_user_policy: refuse` the stanza error `resource-constraint` to the new one',
  },
  'store.operation_timeout': away(
    'ratatosk_store_timeouts_total',
    ', and from then on at once until the database answers',
  ),
  'store.queue_operations': away('ratatosk_store_queue_full_total'),
  'store.queue_bytes': away('ratatosk_store_queue_full_total'),
  'modules.caps.hashes_max': nothing('somebody is asked again', 'ratatosk_caps_hashes_max_total'),
  'modules.caps.elsewhere_max': nothing(
    'what the one can do who was not heard of for longest is forgotten',
    'ratatosk_caps_elsewhere_max_total',
  ),
  'modules.caps.queries_per_peer': nothing('the question waits', 'ratatosk_caps_queries_per_peer_total'),
  'modules.caps.size_max': nothing('what he can do stays unknown', 'ratatosk_caps_size_max_total'),
  'modules.last.status_size': nothing('the time is kept without the status', 'ratatosk_last_status_size_total'),
  'modules.csi.held_bytes': nothing('all that waits for the client is sent', 'ratatosk_csi_held_bytes_total'),
  'modules.offline.messages_max': stanza('service-unavailable', 'ratatosk_offline_messages_max_total'),
  'modules.offline.bytes_max': stanza('service-unavailable', 'ratatosk_offline_bytes_max_total'),
  'modules.offline.hand_over_timeout': policy(
    'ratatosk_offline_hand_over_timeout_total',
    'what he did not take waits on in the store',
  ),
  'modules.ping.ask_after': nothing('it is asked whether it is there', 'ratatosk_ping_asked_total'),
  'modules.ping.answer_timeout': {
    answer: { stream: 'connection-timeout' },
    metric: 'ratatosk_ping_unanswered_total',
    note: 'and what has not left for him is undeliverable',
  },
  'modules.presence.directed_max': stanza('resource-constraint', 'ratatosk_presence_directed_max_total'),
  'modules.presence.size_max': stanza('policy-violation', 'ratatosk_presence_size_max_total'),
  'modules.privacy.items_max': stanza('not-allowed', 'ratatosk_privacy_items_max_total'),
  'modules.privacy.lists_max': stanza('not-allowed', 'ratatosk_privacy_lists_max_total'),
  'modules.privacy.bytes_max': stanza('not-allowed', 'ratatosk_privacy_bytes_max_total'),
  'modules.privacy.cache_accounts': nothing('the lists are read again', 'ratatosk_privacy_cache_accounts_total'),
  'modules.register.sign_ups_per_address': stanza('not-acceptable', 'ratatosk_register_sign_ups_per_address_total'),
  'modules.register.sign_ups_max': stanza('not-acceptable', 'ratatosk_register_sign_ups_max_total'),
  'modules.register.password_changes_max': stanza(
    'resource-constraint',
    'ratatosk_register_password_changes_max_total',
  ),
  'modules.private.bytes_max': stanza('policy-violation', 'ratatosk_private_bytes_max_total'),
  'modules.private.namespace_max': stanza('policy-violation', 'ratatosk_private_namespace_max_total'),
  'modules.roster.items_max': stanza('not-allowed', 'ratatosk_roster_items_max_total'),
  'modules.roster.requests_max': nothing(
    'silence, as for an account that does not exist',
    'ratatosk_roster_requests_max_total',
  ),
  'modules.roster.name_max': stanza('not-acceptable', 'ratatosk_roster_name_max_total'),
  'modules.roster.groups_max': stanza('not-acceptable', 'ratatosk_roster_groups_max_total'),
  'modules.roster.request_size': nothing(
    'the request is kept without its extensions',
    'ratatosk_roster_request_size_total',
  ),
  'modules.roster.cache_accounts': nothing('a roster is read again', 'ratatosk_roster_cache_accounts_total'),
  'modules.sm.resume_timeout': nothing(
    'the session ends, and what its client has not acknowledged is undeliverable: offline store, or error to the sender',
    'ratatosk_sessions_expired_total',
  ),
  'modules.sm.queue_stanzas': policy('ratatosk_sessions_unacknowledged_total', unacknowledged),
  'modules.sm.queue_bytes': policy('ratatosk_sessions_unacknowledged_total', unacknowledged),
  'modules.sm.ack_timeout': nothing(
    'its connection is dropped, and its session waits for the client',
    'ratatosk_sessions_silent_total',
  ),
  'modules.vcard.bytes_max': stanza('policy-violation', 'ratatosk_vcard_bytes_max_total'),
}

/** Options with a number that limit nobody, and why. */
export const noLimits: Readonly<Record<string, string>> = {
  'listeners[].port': 'a place',
  'listeners[].backlog': "the kernel's: what it drops a client's kernel tries again, and no program is told",
  'listeners[].shaper': 'a choice of shapers',
  'listeners[].tcp_keepalive': "a question to the client's kernel, which costs no client that is there anything",
  'limits.sign_in_failure_window': 'the time of two limits',
  'store.silence_timeout': 'of a connection to the database: whoever needs it has `store.operation_timeout`',
  'auth.scram_iterations': 'work for new passwords',
  'auth.jwt.leeway': 'what clocks are wrong by',
  'auth.token_lifetime': 'the time of a token',
  'auth.token_rotation': 'the time of a token',
  'modules.register.window': 'the time of three limits',
}

export const fixedLimits: Readonly<Record<string, FixedLimit>> = {
  turn_stanzas: { value: '64', ...nothing('the others come first', 'ratatosk_turns_full_total') },
  turn_bytes: { value: '64 KiB', ...nothing('the others come first', 'ratatosk_turns_full_total') },
  account_cache_entries: {
    value: String(accountCacheMax),
    ...nothing('an account is looked up again', 'ratatosk_account_cache_evictions_total'),
  },
  http_header_bytes: {
    value: `${defaultHttpLimits.headerBytes / 2 ** 10} KiB`,
    answer: { http: 431 },
    metric: refused('RTK_HTTP_HEADER_BYTES'),
  },
  http_body_bytes: {
    value: '0',
    answer: { http: 413 },
    metric: refused('RTK_HTTP_BODY_BYTES'),
    note: 'each route has its own',
  },
  http_request_timeout: {
    value: `${defaultHttpLimits.requestMs / 1_000} seconds`,
    answer: { http: 408 },
    metric: refused('RTK_HTTP_REQUEST_TIMEOUT'),
    note: 'also for who connects and asks nothing',
  },
  sign_in_failure_keys: {
    value: '100000',
    ...nothing(
      'the address or account that failed longest ago is forgotten',
      'ratatosk_sign_in_failures_forgotten_total',
    ),
  },
  bearer_token_bytes: {
    value: `${MAX_TOKEN / 2 ** 10} KiB`,
    answer: { sasl: 'malformed-request' },
    metric: refused('RTK_SASL_BEARER_BYTES'),
    note: 'by PLAIN 4 KiB with the names',
  },
  tokens_per_account: {
    value: String(clientsMax),
    ...nothing('the client that came longest ago has to sign in by password', 'ratatosk_tokens_evicted_total'),
  },
  register_quota_keys: {
    value: String(quotaKeysMax),
    ...nothing('whoever began longest ago is forgotten', 'ratatosk_register_quota_keys_total'),
  },
  requests_open: {
    value: String(requestsOpenMax),
    ...nothing('a request of a module is not sent', refused('RTK_REQUESTS_OPEN_MAX')),
  },
  control_commands: {
    value: '16',
    answer: { control: 'RTK_CONTROL_BUSY' },
    metric: refused('RTK_CONTROL_BUSY'),
  },
  message_hold_time: {
    value: `${messageHoldMs / 1_000} second`,
    ...nothing(heldTooLong, 'ratatosk_message_holds_expired_total'),
  },
  message_hold_bytes: {
    value: `${messageHoldBytes / 2 ** 20} MiB`,
    ...nothing(heldTooLong, 'ratatosk_message_holds_expired_total'),
  },
  route_hops: {
    value: String(hopsMax),
    ...nothing('a stanza that goes in circles is dropped', refused('RTK_ROUTE_LOOP')),
  },
}

/** A row of the configuration, as far as the table needs it. */
export interface LimitOption {
  readonly path: string
  readonly default: string
}

/** The chapter of the guide. Throws when a limit has no option. */
export function limitsChapter(options: readonly LimitOption[]): string {
  const byPath = new Map(options.map((option) => [option.path, option]))
  const own = Object.entries(limits).map(([path, limit]) => {
    const option = byPath.get(path)
    if (option === undefined) throw new Error(`no option ${path} for the limit in tools/docs/limits.ts`)
    return [path, option.default, limit] as const
  })
  const fixed = Object.entries(fixedLimits).map(([name, limit]) => [name, limit.value, limit] as const)
  return [title, text, table(own), fixedText, table(fixed)].join('\n\n')
}

const title = '## What a limit does when it is passed'

const text = `Whoever passes a limit is told so in the words of the protocol, or waits, and \`ratatosk metrics list\` counts it. Every refusal, stream error and drop also counts under its own code, in \`ratatosk_refusals_total\`. \`npm test\` passes
each of these limits once, hears the error, and sees the figure move.`

const fixedText = 'And these, which no option sets:'

function table(rows: readonly (readonly [name: string, value: string, limit: Limit])[]): string {
  const lines = rows.map(([name, value, limit]) => {
    const shown = value === '' ? '(needed)' : `\`${value}\``
    return `| \`${name}\` | ${shown} | ${answerText(limit)} | \`${limit.metric}\` |`
  })
  return ['| limit | default | on the wire | metric |', '|---|---|---|---|', ...lines].join('\n')
}

function answerText({ answer, note }: Limit): string {
  const more = note === undefined ? '' : `, ${note}`
  if ('stream' in answer) return `stream error \`${answer.stream}\`${more}`
  if ('stanza' in answer) return `stanza error \`${answer.stanza}\`${more}`
  if ('sasl' in answer) return `SASL failure \`${answer.sasl}\`${more}`
  if ('http' in answer) return `HTTP ${answer.http}${more}`
  if ('control' in answer) return `error \`${answer.control}\` on the control socket${more}`
  return `nothing: ${answer.nothing}${more}`
}
