/** The sections of the configuration that are plain options. Names here are the names in the file. */
import { jwtOptions } from './jwt-section.ts'
import { limitOptions } from './limits.ts'
import { opt } from './opt.ts'
import type { OptionsOf } from './option.ts'
import { parsePostgresUrl } from './postgres-url.ts'

const certificate = opt.object(
  {
    cert: opt.path({ description: 'Certificate with its chain, PEM.' }),
    key: opt.path({ description: 'Private key, PEM. Nobody but the server should be able to read it.' }),
  },
  { description: 'A certificate.' },
)

export const certificates = opt.list(certificate, {
  default: [],
  description: 'Certificates; the name a client asks for (SNI) chooses.',
})

export type CertificateFiles = { readonly cert: string; readonly key: string }

export const tlsOptions = {
  certificates,
  client_ca: opt.optional(
    opt.path({
      description: 'Roots of certificates that clients may sign in by, PEM. Left out: clients are asked for none.',
    }),
  ),
  local_ca: opt.bool({
    default: true,
    description: 'Hosts without a certificate get one from a certificate authority of our own in the data directory.',
  }),
  min_version: opt.oneOf(['1.2', '1.3'], { default: '1.2', description: 'Lowest version of TLS.' }),
}

/** SASL mechanisms in the order in which they are offered (RFC 5802, RFC 7677, XEP-0438). */
const mechanisms = [
  'SCRAM-SHA-512-PLUS',
  'SCRAM-SHA-256-PLUS',
  'SCRAM-SHA-1-PLUS',
  'SCRAM-SHA-512',
  'SCRAM-SHA-256',
  'SCRAM-SHA-1',
  'PLAIN',
] as const

/** May be set for all host types, and for each. */
export const authOptions = {
  mechanisms: opt.list(opt.oneOf(mechanisms, { description: 'A mechanism.' }), {
    default: mechanisms,
    minItems: 1,
    description: 'SASL mechanisms. PLAIN is offered on TLS only.',
  }),
  scram_iterations: opt.int({
    default: 10_000,
    min: 4_096,
    max: 10_000_000,
    description: 'Iterations of SCRAM for new passwords (RFC 7677 section 4 wants 4,096 at least).',
  }),
  access: opt.access({ default: 'all', description: 'Who may sign in.' }),
  backends: opt.list(opt.oneOf(['internal', 'jwt', 'plugin'], { description: 'A back end.' }), {
    default: ['internal'],
    minItems: 1,
    description:
      'Who knows accounts, in order: the first success wins, and one that fails is no refusal (`temporary-auth-failure`). `jwt` takes signed tokens, and needs `jwt`; `plugin` is what a module brings.',
  }),
  jwt: opt.optional(
    opt.object(jwtOptions, {
      description: 'Tokens of an issuer (RFC 7519): OAUTHBEARER (RFC 7628) or, as the password, PLAIN; on TLS only.',
    }),
  ),
  anonymous: opt.bool({
    default: false,
    description: 'Anybody may sign in without an account (ANONYMOUS, XEP-0175), under a name that the server makes.',
  }),
  certificates: opt.bool({
    default: true,
    description: 'Clients may sign in by a certificate (EXTERNAL, XEP-0178), where `tls.client_ca` says whose count.',
  }),
  sasl2: opt.bool({
    default: true,
    description: 'Offer sign-in and binding in one go (XEP-0388, XEP-0386), on TLS only.',
  }),
  upgrades: opt.bool({
    default: false,
    description:
      'With SASL2, take hashes of passwords that an account lacks from its clients (XEP-0480), as after an import.',
  }),
  tokens: opt.bool({
    default: true,
    description: 'With SASL2, give clients that ask for it a token for their next sign-ins (FAST, XEP-0484).',
  }),
  token_lifetime: opt.duration({
    default: '21 days',
    min: '1 minute',
    max: '366 days',
    description: 'How long a token is good.',
  }),
  token_rotation: opt.duration({
    default: '1 day',
    min: '1 minute',
    max: '366 days',
    description: 'Age at which a token that is used is replaced by a new one.',
  }),
  revoke_tokens: opt.bool({ default: true, description: 'A new password ends all tokens of its account.' }),
  downgrade_protection: opt.bool({
    default: true,
    description: 'SCRAM signs the offer of mechanisms and channel bindings (XEP-0474), for clients that compare it.',
  }),
}

/** May be set for all host types, and for each. */
export const sessionOptions = {
  conflict: opt.oneOf(['replace', 'refuse', 'rename'], {
    default: 'replace',
    description:
      'When a resource is bound that is in use: the old session is replaced, the new one refused, or given another name (RFC 6120 section 7.7.2.2).',
  }),
  max_per_user: opt.ruled(opt.int({ min: 1, max: 10_000, description: 'Sessions.' }), {
    default: 20,
    description: 'Sessions of one account at one time.',
  }),
  max_per_user_policy: opt.oneOf(['replace-oldest', 'refuse'], {
    default: 'replace-oldest',
    description: 'What happens to one session too many.',
  }),
}

export const storeOptions = {
  engine: opt.oneOf(['sqlite', 'postgres', 'memory'], {
    default: 'sqlite',
    reload: 'restart',
    description: 'Where data is kept. `memory` forgets all at the end: for tests.',
  }),
  path: opt.path({
    default: 'ratatosk.db',
    reload: 'restart',
    description: 'SQLite: file of the database; a relative name is taken from `data_dir`.',
  }),
  synchronous: opt.oneOf(['normal', 'full'], {
    default: 'full',
    reload: 'restart',
    description:
      'SQLite: what is acknowledged as kept survives the end of the process (normal), or a power cut too (full).',
  }),
  operation_timeout: opt.duration({
    default: '8 seconds',
    min: '100 ms',
    max: '5 minutes',
    reload: 'restart',
    description:
      'How long the database may take for an operation; after it, until it answers again, all that needs it is refused at once. Less than `limits.hook_timeout`, so that the refusal is the right one.',
  }),
  queue_operations: opt.int({
    default: 65_536,
    min: 100,
    max: 10_000_000,
    reload: 'restart',
    description: 'Operations that may wait for the database.',
  }),
  queue_bytes: opt.bytes({
    default: '64 MiB',
    min: '1 MiB',
    max: '16 GiB',
    reload: 'restart',
    description: 'Bytes of the operations that may wait for the database, estimated.',
  }),
  url: opt.list(
    opt.string({
      maxLength: 1000,
      check: (text) => {
        const place = parsePostgresUrl(text)
        return typeof place === 'string' ? place : undefined
      },
      description: 'postgres://USER@HOST:PORT/DATABASE.',
    }),
    {
      default: [],
      maxItems: 16,
      reload: 'restart',
      description:
        'PostgreSQL: where the database is, `postgres://USER@HOST:PORT/DATABASE`. Of several the first that takes writes is used. A host that begins with `%2F` is the folder of a Unix socket.',
    },
  ),
  password: opt.optional(opt.secret({ reload: 'restart', description: 'PostgreSQL: password of the user.' })),
  tls: opt.oneOf(['auto', 'verify', 'trust', 'off'], {
    default: 'auto',
    reload: 'restart',
    description:
      'PostgreSQL: encrypt and check the certificate (verify), encrypt only (trust), or neither (off). `auto` is `off` on this machine, else `verify`.',
  }),
  tls_ca: opt.optional(
    opt.path({
      reload: 'restart',
      description: "PostgreSQL: authorities that sign the server's certificate, PEM. Left out: those known to Node.",
    }),
  ),
  silence_timeout: opt.duration({
    default: '30 seconds',
    min: '1 second',
    max: '10 minutes',
    reload: 'restart',
    description:
      'PostgreSQL: a server that has work to do and says nothing for so long is gone: its connection is made anew, with the first of `url` that takes writes.',
  }),
}

export const logOptions = {
  level: opt.oneOf(['debug', 'info', 'warn', 'error'], {
    default: 'info',
    description: 'Lowest level that is written.',
  }),
  format: opt.oneOf(['auto', 'json', 'text'], {
    default: 'auto',
    description: 'One JSON object a line, or text for people; `auto` is text on a terminal.',
  }),
}

export const controlOptions = {
  enabled: opt.bool({
    default: true,
    reload: 'restart',
    description: 'Open the control socket of `ratatosk …` commands.',
  }),
  socket: opt.optional(
    opt.path({
      reload: 'restart',
      description: 'File of the control socket, at most 107 bytes. Left out: `control.sock` in the data directory.',
    }),
  ),
}

export const metricsOptions = {
  access: opt.access({
    default: 'loopback',
    description:
      'Who may ask for `/metrics` on the HTTP listeners, by address. Who asks by way of a proxy that says so counts as unknown.',
  }),
}

export const shaperOptions = {
  rate: opt.rate({ min: '1 B/s', description: 'Bytes a second in the long run; a stanza counts as 128 at least.' }),
  burst: opt.bytes({ default: '64 KiB', description: 'Bytes that may pass at once after silence.' }),
}

/** Sections with nothing but options in them. */
export const plainSections = {
  tls: opt.object(tlsOptions, { description: 'Certificates and versions.' }),
  limits: opt.object(limitOptions, { description: 'Limits of the core.' }),
  store: opt.object(storeOptions, { description: 'Where data is kept.' }),
  log: opt.object(logOptions, { description: 'The log, on standard output.' }),
  control: opt.object(controlOptions, { description: 'The control socket.' }),
  metrics: opt.object(metricsOptions, { description: 'Figures over HTTP, as OpenMetrics.' }),
  data_dir: opt.path({
    default: 'data',
    reload: 'restart',
    description: 'Folder of the database, the local certificate authority and the control socket.',
  }),
  plugins: opt.list(opt.string({ minLength: 1, description: 'A package or a path.' }), {
    default: [],
    reload: 'restart',
    description: 'Plugins: packages, or paths of files relative to this one.',
  }),
}

export type TlsConfig = OptionsOf<typeof tlsOptions>
export type AuthConfig = OptionsOf<typeof authOptions>
export type SessionConfig = OptionsOf<typeof sessionOptions>
export type StoreConfig = OptionsOf<typeof storeOptions>
export type LogConfig = OptionsOf<typeof logOptions>
export type MetricsConfig = OptionsOf<typeof metricsOptions>
export type ControlConfig = OptionsOf<typeof controlOptions>
