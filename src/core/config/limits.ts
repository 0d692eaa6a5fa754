/**
 * Limits of the core: every one has its name, default and unit here (DESIGN.md section 1, sentence 4). `null`-free: a
 * limit that may be lifted says 'unlimited'. Modules declare theirs among their own options.
 */
import { opt } from './opt.ts'
import type { OptionsOf } from './option.ts'

/** Of one connection: a listener may have its own (`listeners[].limits`). */
export const connectionLimits = {
  stanza_bytes: opt.bytes({
    default: '256 KiB',
    min: '10 KB',
    max: '64 MiB',
    description: 'Size of one stanza of a signed-in client. RFC 6120 section 13.12 wants 10,000 bytes at least.',
  }),
  header_bytes: opt.bytes({ default: '8 KiB', min: '1 KiB', max: '1 MiB', description: 'Size of a stream header.' }),
  depth: opt.int({ default: 64, min: 8, max: 1024, description: 'Levels of elements in a stanza.' }),
  elements: opt.int({ default: 16_384, min: 64, max: 1_000_000, description: 'Elements in a stanza.' }),
  attributes: opt.int({ default: 32, min: 8, max: 1024, description: 'Attributes of one element.' }),
  name_bytes: opt.bytes({ default: '256 B', min: '64 B', max: '4 KiB', description: 'Size of a name in XML.' }),
  prefixes: opt.int({ default: 16, min: 4, max: 256, description: 'Namespace prefixes in force at one time.' }),
  sign_in_timeout: opt.duration({
    default: '60 seconds',
    min: '1 second',
    max: '1 hour',
    description: 'Time from the connection to the bound resource.',
  }),
  sign_in_bytes: opt.bytes({ default: '64 KiB', min: '10 KB', max: '16 MiB', description: 'Bytes before sign-in.' }),
  sign_in_stanza_bytes: opt.bytes({
    default: '16 KiB',
    min: '10 KB',
    max: '1 MiB',
    description: 'Size of one element before sign-in.',
  }),
  sign_in_elements: opt.int({ default: 50, min: 8, max: 1000, description: 'First-level elements before sign-in.' }),
  sign_in_attempts: opt.int({
    default: 3,
    min: 1,
    max: 100,
    description: 'Failed authentications on one connection. RFC 6120 section 6.4.5 wants 2 to 5.',
  }),
  connections_per_address: opt.int({
    default: 256,
    min: 1,
    max: 10_000_000,
    description: 'Connections of one client address at one time, over all listeners with this limit.',
  }),
  bind_attempts: opt.int({
    default: 6,
    min: 1,
    max: 100,
    description: 'Failed binds of a resource on one connection. RFC 6120 section 7.7.3 wants 5 to 10 retries.',
  }),
  proxy_header_timeout: opt.duration({
    default: '5 seconds',
    min: '100 ms',
    max: '1 minute',
    description: 'Time for the PROXY header of a connection that comes by a balancer.',
  }),
  close_timeout: opt.duration({
    default: '5 seconds',
    min: '100 ms',
    max: '1 minute',
    description: 'Time for the closing handshake before the connection is dropped.',
  }),
} as const

/** Of the whole server. */
export const serverLimits = {
  connections: opt.int({
    default: 100_000,
    min: 1,
    max: 10_000_000,
    description: 'Connections at one time over all listeners.',
  }),
  sign_in_failures: opt.int({
    default: 30,
    min: 1,
    max: 100_000,
    description:
      'Failed authentications of one client address within `sign_in_failure_window`; more wait or are refused.',
  }),
  sign_in_failures_per_account: opt.int({
    default: 100,
    min: 1,
    max: 100_000,
    description:
      'Failed authentications of one account, from all addresses, within `sign_in_failure_window`; more get temporary-auth-failure.',
  }),
  sign_in_failure_window: opt.duration({
    default: '5 minutes',
    min: '1 second',
    max: '1 day',
    description: 'Time in which failures are counted.',
  }),
  session_queue_bytes: opt.bytes({
    default: '4 MiB',
    min: '64 KiB',
    max: '1 GiB',
    description: 'Bytes that wait for a slow reader before he is cut with policy-violation.',
  }),
  session_pending_stanzas: opt.int({
    default: 64,
    min: 1,
    max: 10_000,
    description: "Stanzas behind one that waits for a store, before the client's reading is held.",
  }),
  hook_timeout: opt.duration({
    default: '10 seconds',
    min: '100 ms',
    max: '5 minutes',
    description:
      "A handler's promise; after it the stanza is answered with internal-server-error. Also what modules have under way when the last host of their type is gone.",
  }),
  jid_cache_entries: opt.int({
    default: 50_000,
    min: 100,
    max: 10_000_000,
    description: 'Prepared addresses kept.',
  }),
  control_line_bytes: opt.bytes({
    default: '1 MiB',
    min: '4 KiB',
    max: '64 MiB',
    description: 'One line of a request on the control socket.',
  }),
  control_connections: opt.int({
    default: 32,
    min: 1,
    max: 10_000,
    description: 'Connections to the control socket at one time.',
  }),
} as const

export const limitOptions = { ...connectionLimits, ...serverLimits } as const

export type ConnectionLimits = OptionsOf<typeof connectionLimits>
export type Limits = OptionsOf<typeof limitOptions>
