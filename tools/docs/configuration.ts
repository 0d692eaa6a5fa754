/** The words of `docs/guide/configuration.md` around the tables that `npm run docs` makes. Every example is checked by a test. */

export interface Chapter {
  readonly title: string
  readonly text: string
  /** YAML, a configuration that is good as it stands. */
  readonly example?: string
  /** Which options belong here, by path; left out for chapters without a table. */
  readonly owns?: (path: string) => boolean
  /** Of these, which are in the table; default: all. */
  readonly isTold?: (path: string) => boolean
}

/** Published beside the guide, and in the package. */
export const SCHEMA = 'docs/guide/ratatosk.schema.json'

const section = (name: string) => (path: string) => path === name || path.startsWith(`${name}.`)
const under = (name: string) => (path: string) => path.startsWith(`${name}.`)

export const head = `# Configuration

<!-- Made by "npm run docs" from the descriptions in the sources: not to be edited by hand. -->

One YAML file: \`--config FILE\`, else \`$RATATOSK_CONFIG\`, else \`ratatosk.yaml\` in the working directory. Without one everything
has a default. \`ratatosk config check\` tells every mistake in it with its place, and \`ratatosk config options\` prints the tables
of this page, with the options of your plugins.

- Durations, sizes and rates have a unit: \`10 minutes\`, \`256 KiB\` (1,024 bytes each), \`3 KB/s\` (1,000), \`50/s\`. Ranges below are
  in the unit in which the server counts.
- A *value rule* is a value, or the name of a rule under \`access\` that gives one.
- *Change*: what is *hot* is taken over by \`ratatosk reload\`, what is *restart* when the server starts: a reload tells of it. What is
  given to a connection (limits down to \`close_timeout\`, its shaper, its TLS) counts for those that come from then on.

Editors complete the file, tell what an option means and mark mistakes while they are written, with the JSON Schema (draft-07)
[ratatosk.schema.json](ratatosk.schema.json). The editors that speak YAML by yaml-language-server (Visual Studio Code with its YAML
extension, Neovim, Emacs, Helix …) find it by a comment at the top; in a project with the package it is
\`node_modules/ratatosk/ratatosk.schema.json\`:

\`\`\`yaml
# yaml-language-server: $schema=ratatosk.schema.json
hosts: [example.org]
\`\`\`

\`ratatosk config schema > ratatosk.schema.json\` writes it anew, with the modules and options of your plugins. It knows neither files nor
the names of your rules and shapers, nor the ranges of durations and sizes: \`config check\` has the last word.`

export const chapters: readonly Chapter[] = [
  {
    title: 'Hosts: `hosts`',
    text: `The domains that are served; default \`[localhost]\`. A list, or a map from a domain to the name of its host type. Hosts
come and go by a reload ([operate.md](operate.md#hosts)); one that gets another type waits for a restart.`,
    example: `hosts:
  example.org: default
  guests.example.org: small
host_types:
  small:
    modules: { offline: false }`,
  },
  {
    title: 'Host types: `host_types`',
    text: `A named set of modules and options for any number of hosts. It has the sections \`modules\`, \`auth\` and \`session\`, which
stand over those at the top of the file; the type \`default\` is always there.`,
    example: `hosts:
  example.org: default
  staff.example.org: staff
host_types:
  staff:
    auth: { mechanisms: [SCRAM-SHA-256-PLUS, SCRAM-SHA-256] }
    session: { max_per_user: 5 }`,
  },
  {
    title: 'Listeners: `bind` and `listeners`',
    text: `Without \`listeners\` there are three: c2s with STARTTLS (5222) and with direct TLS (5223) at \`bind\`, and HTTP (5280) on
loopback. Whoever writes the section writes all of them. Each listener may have limits of its own, of those of a connection
(below, at *Limits*).`,
    example: `bind: '*'
listeners:
  - { protocol: c2s }
  - { protocol: c2s, tls: direct }
  - { protocol: c2s, port: 5322, address: localhost, proxy_protocol: true, limits: { stanza_bytes: 64 KiB } }
  - { protocol: http, address: localhost }`,
    owns: (path) => path === 'bind' || path.startsWith('listeners[]'),
    isTold: (path) => !path.startsWith('listeners[].limits.'),
  },
  {
    title: 'TLS: `tls`',
    text: `A host gets the certificate that names it. Hosts without one get one of the server's own authority.`,
    example: `tls:
  min_version: '1.3'`,
    owns: section('tls'),
  },
  {
    title: 'Limits: `limits`',
    text: 'Those down to `close_timeout` are of one connection and can be other for each listener.',
    example: `limits:
  stanza_bytes: 128 KiB
  connections_per_address: 50
  sign_in_timeout: 30 seconds`,
    owns: section('limits'),
  },
  {
    title: 'Access rules: `access`',
    text: `Named rules. The first line that matches decides; where none does, the answer is no. A line has \`allow\` or \`deny\` with
a matcher: the name of another rule, \`anonymous\`, \`unix\` (came by a Unix socket), or a map of \`user\`, \`host\`, \`domain\` (with \`*\`),
\`address\` and \`rule\`, of which all must match; a list matches when one of its members does. Rules with \`value\` and \`if\` give a
value instead. Built in are \`all\`, \`none\`, \`loopback\`, and \`admins\`, which is nobody until it is written.`,
    example: `access:
  admins: [{ allow: { user: [odin@localhost] } }]
  c2s:
    - deny: { address: [203.0.113.0/24] }
    - allow: all
  sessions:
    - { value: 100, if: admins }
    - { value: 10 }
auth: { access: c2s }
session: { max_per_user: sessions }`,
  },
  {
    title: 'Shapers: `shapers`',
    text: `Named speeds at which a connection is read; \`none\` is built in. Whoever sends faster waits: nothing is lost.
A rule may choose one: it is asked by address when somebody connects, and again with the user when he has signed in.`,
    example: `shapers:
  normal: { rate: 100 KB/s, burst: 256 KiB }
listeners:
  - { protocol: c2s, shaper: normal }`,
    owns: under('shapers.NAME'),
  },
  {
    title: 'Authentication: `auth`',
    text: `May be set for all host types, and for each. Tokens of an issuer, \`auth.jwt\`: [operate.md](operate.md#tokens-of-an-issuer).`,
    example: `auth:
  scram_iterations: 20000
  backends: [internal, jwt]
  jwt: { keys: keys.json, issuer: https://id.example.org, audience: xmpp }`,
    owns: section('auth'),
  },
  {
    title: 'Sessions: `session`',
    text: 'May be set for all host types, and for each.',
    example: `session:
  conflict: refuse
  max_per_user: 10`,
    owns: section('session'),
  },
  {
    title: 'Store: `data_dir` and `store`',
    text: 'What is in it, and how it is backed up: [operate.md](operate.md).',
    example: `data_dir: /var/lib/ratatosk
store:
  synchronous: normal`,
    owns: (path) => path === 'data_dir' || section('store')(path),
  },
  {
    title: 'Log: `log`',
    text: 'Its fields are told in [operate.md](operate.md).',
    example: `log:
  level: warn
  format: json`,
    owns: section('log'),
  },
  {
    title: 'Control socket: `control`',
    text: 'The way by which `ratatosk …` commands reach the server. Only its user may open it.',
    example: `control:
  socket: /run/ratatosk/control.sock`,
    owns: section('control'),
  },
  {
    title: 'Figures: `metrics`',
    text: `Every figure of the server, as OpenMetrics, at \`/metrics\` of the HTTP listeners: who asks from this machine gets them, others
need a rule, and \`none\` is for nobody. What there is, and how Prometheus is told: [metrics.md](metrics.md).`,
    example: `access:
  prometheus: [{ allow: { address: [192.0.2.7, 127.0.0.1] } }]
metrics: { access: prometheus }`,
    owns: section('metrics'),
  },
  {
    title: 'Plugins: `plugins`',
    text: `They are loaded with all their modules, whose options stand under \`modules\`. How they are written:
[write-a-plugin.md](write-a-plugin.md). For example \`plugins: [./greeter.ts, ratatosk-plugin-weather]\`.`,
    owns: section('plugins'),
  },
  {
    title: 'Modules: `modules`',
    text: `These modules are loaded by default. \`NAME: false\` leaves one out. A reload loads and unloads them.`,
    example: `modules:
  offline: { messages_max: 500 }
  time: false`,
    owns: under('modules'),
  },
]
