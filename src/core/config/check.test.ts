import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jid } from '../../jid/index.ts'
import { type CheckOptions, checkConfig, checkDocument, parseConfigText, parseConfigValue } from './check.ts'
import { describeConfig } from './describe-config.ts'
import { formatMistake } from './mistake.ts'
import { opt } from './opt.ts'

const options: CheckOptions = {
  modules: new Map([
    ['ping', { interval: opt.duration({ default: '5 minutes', description: 'Between pings.' }) }],
    ['roster', { max_items: opt.int({ default: 1_000, min: 1, description: 'Items.' }) }],
    ['offline', {}],
    [
      'lamp',
      {
        wish: opt.string({ description: 'What is wished.' }),
        who: opt.access({ default: 'all', description: 'Who.' }),
      },
    ],
  ]),
  defaultModules: ['ping', 'roster', 'offline'],
}

const check = (text: string) => checkConfig(text, 'r.yaml', options)
const told = (text: string) => check(text).mistakes.map(formatMistake)

function good(text: string) {
  const { config, mistakes } = check(text)
  assert.deepEqual(mistakes.map(formatMistake), [])
  assert(config !== undefined)
  return config
}

test('an empty file is a server for localhost on loopback', () => {
  const config = good('')
  assert.deepEqual([...config.hosts.keys()], ['localhost'])
  assert.deepEqual([...(config.host_types.get('default')?.modules.keys() ?? [])], ['ping', 'roster', 'offline'])
  assert.deepEqual(
    config.listeners.map((l) => [l.name, l.protocol, l.tls, l.place, l.unavailable]),
    [
      ['c2s', 'c2s', 'starttls', { kind: 'tcp', host: '127.0.0.1', port: 5222 }, 'fail'],
      ['c2s', 'c2s', 'starttls', { kind: 'tcp', host: '::1', port: 5222 }, 'skip'],
      ['c2s-5223', 'c2s', 'direct', { kind: 'tcp', host: '127.0.0.1', port: 5223 }, 'fail'],
      ['c2s-5223', 'c2s', 'direct', { kind: 'tcp', host: '::1', port: 5223 }, 'skip'],
      ['http', 'http', 'none', { kind: 'tcp', host: '127.0.0.1', port: 5280 }, 'fail'],
      ['http', 'http', 'none', { kind: 'tcp', host: '::1', port: 5280 }, 'skip'],
    ],
  )
  assert.equal(config.limits.stanza_bytes, 262_144)
  assert.equal(config.tls.local_ca, true)
  assert.equal(config.store.engine, 'sqlite')
  assert.equal(checkDocument(parseConfigValue({}), options).config?.data_dir, 'data')
})

const full = `
hosts:
  example.org:
  Shop.example.net: { type: shop }
  münchen.example: shop
host_types:
  shop:
    modules:
      ping: { interval: 1 minute }
      offline: false
      lamp: { wish: gold, who: staff }
    session: { conflict: refuse }
modules:
  roster: { max_items: 50 }
  ping: { interval: 10 minutes }
session:
  max_per_user: sessions
access:
  staff:
    - deny: { user: loki@example.org }
    - allow: { host: [shop.example.net], domain: ['*.example.org', example.org] }
  sessions:
    - { value: 100, if: staff }
    - value: 5
  speed:
    - { value: none, if: staff }
    - { value: normal }
shapers:
  normal: { rate: 3 KB/s, burst: 20000 B }
bind: '*'
limits: { stanza_bytes: 128 KiB }
listeners:
  - protocol: c2s
    shaper: speed
    accept_rate: 50/s
    limits: { stanza_bytes: 64 KiB }
  - { name: inside, protocol: c2s, tls: direct, path: /run/r.sock, mode: '0600' }
  - { protocol: c2s, address: [192.0.2.1, '2001:db8::1'], port: 15222, proxy_protocol: true, proxies: 192.0.2.0/24 }
`

test('a full configuration is read', () => {
  const config = good(full)
  assert.deepEqual(
    [...config.hosts.values()].map((host) => `${host.domain} ${host.type}`),
    ['example.org default', 'shop.example.net shop', 'münchen.example shop'],
  )
  const shop = config.host_types.get('shop')
  assert.deepEqual([...(shop?.modules.keys() ?? [])], ['ping', 'roster', 'lamp'])
  assert.deepEqual(shop?.modules.get('ping'), { interval: 60_000 })
  assert.deepEqual(shop?.modules.get('roster'), { max_items: 50 })
  assert.equal(shop?.session.conflict, 'refuse')
  assert.equal(config.host_types.get('default')?.session.conflict, 'replace')
  assert.deepEqual(config.host_types.get('default')?.modules.get('ping'), { interval: 600_000 })

  const [c2s, inside, proxied, proxied6] = config.listeners
  assert.deepEqual(c2s?.place, { kind: 'tcp', host: '::', port: 5222 })
  assert.equal(c2s?.unavailable, 'ipv4')
  assert.equal(c2s?.limits.stanza_bytes, 65_536)
  assert.equal(c2s?.limits.depth, 64)
  assert.equal(c2s?.accept_rate, 50)
  assert.equal(inside?.limits.stanza_bytes, 131_072)
  assert.deepEqual(inside?.place, { kind: 'unix', path: '/run/r.sock' })
  assert.equal(inside?.mode, 0o600)
  assert.equal(proxied?.name, 'c2s-15222')
  assert.equal(proxied?.proxy_protocol, true)
  assert.deepEqual(proxied6?.place, { kind: 'tcp', host: '2001:db8::1', port: 15222 })
})

test('LST-11, SM-03: rules decide by their first matching line and name it', () => {
  const config = good(full)
  const staff = config.access.get('staff')
  const thor = { jid: jid('thor@asgard.example.org/hammer'), host: 'shop.example.net' }
  assert.deepEqual(staff?.check(thor), { allowed: true, because: 'access.staff[1] (r.yaml:21)' })
  const loki = { jid: jid('loki@example.org/x'), host: 'shop.example.net' }
  assert.deepEqual(staff?.check(loki), { allowed: false, because: 'access.staff[0] (r.yaml:20)' })
  assert.deepEqual(staff?.check({ ...thor, host: 'example.org' }), {
    allowed: false,
    because: "no line of 'staff' matches",
  })
  const max = config.host_types.get('default')?.session.max_per_user
  assert.deepEqual(max?.explain(thor), { value: 100, because: 'access.sessions[0] (r.yaml:23)' })
  assert.equal(max?.valueFor(loki), 5)
  const shaper = config.listeners[0]?.shaper
  assert.equal(shaper?.valueFor(thor).rate, Number.POSITIVE_INFINITY)
  assert.deepEqual(shaper?.valueFor({ address: '192.0.2.1' }), { name: 'normal', rate: 3_000, burst: 20_000 })
})

test('a file with twelve mistakes yields twelve reports', () => {
  const text = `hosts:
  - exa mple.org
hosts_types: {}
access:
  staff: [{ allow: { user: not a jid } }]
  a: [{ allow: b }]
  b: [{ allow: { rule: a } }]
modules:
  pign: {}
  roster: { max_items: lots }
limits: { hook_timeout: 10 }
listeners:
  - { protocol: c2s, port: 70000 }
  - { protocol: c2s, port: 6000, access: staf }
  - { protocol: c2s, tls: direct, port: 6000 }
log: { level: verbose }
log: { level: info }
`
  assert.deepEqual(told(text), [
    "r.yaml:2:5: 'exa mple.org' is no domain (a domain has no blanks)",
    "r.yaml:3:1: there is no section 'hosts_types' (did you mean 'host_types'?)",
    "r.yaml:5:28: 'not a jid' is no JID: the domainpart contains a character that is not allowed there (as in user@example.org)",
    'r.yaml:7:24: the rule refers to itself: a → b → a (take out one of these references)',
    "r.yaml:9:3: there is no module 'pign' (did you mean 'ping'?)",
    "r.yaml:10:24: expected a whole number, found 'lots'",
    "r.yaml:11:25: 10 has no unit (for example '10 seconds')",
    'r.yaml:13:28: the number 70000 is out of range (0 to 65535)',
    "r.yaml:14:42: there is no access rule 'staf' (did you mean 'staff'?)",
    'r.yaml:15:5: another listener has 127.0.0.1, port 6000 already (in line 14)',
    "r.yaml:16:15: 'verbose' is not one of debug, info, warn, error",
    "r.yaml:17:1: 'log' is there twice (first in line 16)",
  ])
})

const rows: [string, string, string][] = [
  [
    'unknown host type',
    'hosts: { a.example: shpo }\nhost_types: { shop: {} }',
    "1:21: there is no host type 'shpo' (did you mean 'shop'?)",
  ],
  [
    'unknown shaper',
    'shapers: { slow: { rate: 1 KB/s } }\nlisteners: [{ protocol: c2s, shaper: slwo }]',
    "2:38: there is no shaper 'slwo' (did you mean 'slow'?)",
  ],
  [
    'unknown rule in a rule',
    'access: { x: [{ allow: { rule: adminz } }] }',
    "1:32: there is no access rule 'adminz' (did you mean 'admins'?)",
  ],
  [
    'unknown option of a module',
    'modules: { roster: { max_item: 3 } }',
    "1:22: there is no option 'max_item' in modules.roster (did you mean 'max_items'?)",
  ],
  ['missing option of a module', 'modules: { lamp: {} }', "1:18: 'wish' is missing (it is a text)"],
  [
    'option of a plugin that names a rule',
    'modules: { lamp: { wish: x, who: staff } }',
    "1:34: there is no access rule 'staff' (known: all, none, admins, loopback)",
  ],
  ['unknown protocol', 'listeners: [{ protocol: c2c }]', "1:25: there is no protocol 'c2c' (did you mean 'c2s'?)"],
  [
    'TLS the protocol cannot',
    'listeners: [{ protocol: http, tls: starttls, port: 80 }]',
    '1:36: this protocol cannot be had with tls: starttls (known: none, direct)',
  ],
  [
    'path and port',
    'listeners: [{ protocol: c2s, path: /x, port: 1 }]',
    "1:40: a listener with 'path' has no 'port' (write two listeners)",
  ],
  [
    'shaper of what is not shaped',
    'listeners: [{ protocol: http, shaper: none }]',
    "1:31: a listener of 'http' is not shaped (only those of c2s are)",
  ],
  [
    'no address',
    'listeners: [{ protocol: c2s, address: my.host }]',
    "1:39: 'my.host' is no IP address (write an IP address, 'localhost', or '*' for all)",
  ],
  [
    'wildcard and address',
    'listeners: [{ protocol: c2s }, { protocol: c2s, address: "*" }]',
    '1:32: another listener has ::, port 5222 already (in line 1)',
  ],
  [
    'bad network',
    'access: { x: [{ allow: { address: 10.0.0.0/99 } }] }',
    "1:35: expected an address or a network, found '10.0.0.0/99' (as in 192.0.2.0/24 or 2001:db8::/32)",
  ],
  [
    'value rule where allow is meant',
    'access: { n: [{ value: 3 }] }\nmodules: { lamp: { wish: x, who: n } }',
    "2:34: 'n' gives values, it does not allow or deny (write its lines with 'allow' and 'deny')",
  ],
  [
    'wrong value in a value rule',
    'access: { n: [{ value: many }] }\nsession: { max_per_user: n }',
    "1:24: expected a whole number, found 'many'",
  ],
  [
    'misspelt rule where a value may stand',
    'access: { sessions: [{ value: 3 }] }\nsession: { max_per_user: sesions }',
    "2:26: expected a whole number, found 'sesions' (did you mean 'sessions'?)",
  ],
  [
    'certificate without key',
    'tls: { certificates: [{ cert: a.pem }] }',
    "1:23: 'key' is missing (it is the name of a file)",
  ],
  ['host twice', 'hosts: [a.example, A.example]', "1:20: the host 'a.example' is there twice (take one out)"],
  [
    'host with options in a list',
    'hosts: [{ a.example: { type: default } }]',
    "1:9: expected a domain such as example.org, found a map (with a type: 'hosts: { example.org: { type: NAME } }')",
  ],
  ['section of the wrong kind', 'access: [1]', '1:9: expected a map of names, found a list'],
  ['a file that is a word', 'hosts', "1:1: expected sections such as 'hosts:', found a string (did you mean 'hosts'?)"],
  ['built-in rule', 'access: { all: [] }', "1:11: 'all' is built in and cannot be replaced (choose another name)"],
  [
    'options of the wrong kind',
    'shapers: { slow: fast }',
    "1:18: expected a map of options, found 'fast' (known: rate, burst)",
  ],
  [
    'module off',
    'modules: { ping: off }',
    "1:18: expected a map of options, true or false, found 'off' (write 'false' to leave the module out)",
  ],
  [
    'unknown matcher',
    'access: { x: [{ allow: { users: a@b } }] }',
    "1:26: there is no 'users' in an access rule (did you mean 'user'?)",
  ],
  [
    'unknown section with nothing near',
    'federation: {}',
    "1:1: there is no section 'federation' (known: tls, limits, store, log, control, metrics, data_dir, plugins, access, auth, bind, host_types, hosts, listeners, modules, session, shapers)",
  ],
  ['listener without protocol', 'listeners: [{ port: 5222 }]', "1:13: 'protocol' is missing (it is c2s or http)"],
  [
    'domain with a label too many',
    'hosts: [a..example]',
    "1:9: 'a..example' is no domain (a domain such as example.org)",
  ],
  ['domain with a port', 'hosts: ["a.example:5222"]', "1:9: 'a.example:5222' is no domain (without a port)"],
  [
    'unknown module with nothing near',
    'modules: { federation: {} }',
    "1:12: there is no module 'federation' (is its plugin in 'plugins'?)",
  ],
  ['less than nothing', 'limits: { stanza_bytes: -1 }', "1:25: -1 has no unit (for example '10 KiB')"],
  [
    'a limit that is none',
    'limits: { hook_timeout: unlimited }',
    "1:25: 'unlimited': this has to have a limit (at most 5 minutes)",
  ],
  [
    'anchor',
    'bind: *here',
    "1:7: YAML: there is no anchor '&here' before this (write '&here' at the value that is meant)",
  ],
  ['bracket', 'hosts: [a.example', '(a bracket or quote is not closed, or what it holds is not indented)'],
  ['tab', 'hosts:\n\t- a.example', '2:1: YAML: Tabs are not allowed as indentation (indent with spaces)'],
]

for (const [name, text, expected] of rows) {
  test(`mistake: ${name}`, () => {
    const found = told(text)
    const isWhole = expected.startsWith('(') === false
    assert(
      isWhole ? found.includes(`r.yaml:${expected}`) : found.some((line) => line.endsWith(expected)),
      found.join('\n'),
    )
  })
}

test('each mistake above says what to do: by its suggestion, or by what was expected', () => {
  for (const [name, text] of rows) {
    for (const { hint, text: said } of check(text).mistakes)
      assert(hint !== '' || /^expected /.test(said), `${name}: ${said}`)
  }
})

test('each of the mistakes above is told once and keeps the server from starting', () => {
  for (const [name, text] of rows) {
    const { config, mistakes } = check(text)
    assert.equal(config, undefined, name)
    if (name !== 'tab' && name !== 'anchor')
      assert.equal(mistakes.length, 1, `${name}: ${mistakes.map(formatMistake).join('; ')}`)
  }
})

test('a syntax error brings no false reports of what stands behind it', () => {
  const found = told('hosts: [a.example]\nlimits: { dpeth: 3 }\nlog: {level: info\nhost_types: {}\nmodules: {}\n')
  assert.match(found[0] ?? '', /^r.yaml:2:11: there is no option 'dpeth'/)
  assert(
    found.slice(1).every((line) => /YAML/.test(line)),
    found.join('\n'),
  )
})

test('a line that is never reached is a warning only', () => {
  const { config, mistakes } = check('access: { x: [{ allow: all }, { deny: loopback }] }')
  assert(config !== undefined)
  assert.equal(mistakes[0]?.code, 'RTK_CONFIG_UNREACHABLE')
  assert.equal(mistakes[0]?.severity, 'warning')
})

test('aliases that blow up are refused quickly', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
  for (let i = 1; i < 12; i++)
    lines.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    )
  const { mistakes } = check(lines.join('\n'))
  assert(mistakes.some((mistake) => mistake.code === 'RTK_CONFIG_SIZE'))
})

test('aliases may be used', () => {
  const config = good(
    'limits: { stanza_bytes: &s 64 KiB }\nlisteners: [{ protocol: c2s, limits: { stanza_bytes: *s } }]',
  )
  assert.equal(config.listeners[0]?.limits.stanza_bytes, 65_536)
})

test('plugins are known before anything is checked', () => {
  assert.deepEqual(parseConfigText('plugins: [./lamp.ts, lantern]\nmodules: { lantern: {} }', 'r.yaml').plugins, [
    './lamp.ts',
    'lantern',
  ])
  assert.deepEqual(parseConfigText('plugins: 3', 'r.yaml').plugins, [])
})

test('hosts by the thousand are cheap to check', () => {
  const text = `hosts:\n${Array.from({ length: 2_000 }, (_, i) => `  - h${i}.example`).join('\n')}`
  assert.equal(good(text).hosts.size, 2_000)
})

test('every option has a sentence in the table, and no path is there twice', () => {
  const rows = describeConfig(options.modules)
  for (const row of rows) assert.match(row.description, /\w.*\.$/s, row.path)
  assert.equal(new Set(rows.map((row) => row.path)).size, rows.length)
  for (const path of [
    'listeners[].limits.depth',
    'modules.ping.interval',
    'limits.hook_timeout',
    'shapers.NAME.rate',
  ]) {
    assert(
      rows.some((row) => row.path === path),
      path,
    )
  }
})
