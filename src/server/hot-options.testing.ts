/** What is seen of options that a reload takes over: one proof each, but for the limits, which `limits.test.ts` passes. */
import assert from 'node:assert/strict'
import { header, type Wire } from '../../plays/language/wire.ts'
import { jid } from '../jid/index.ts'
import { SymbolicServer } from '../listeners/symbolic.testing.ts'
import { authorityPem, symbolicCertificate, symbolicRevocations } from '../sim/index.ts'
import { ClientFailure, connectClient } from '../stream/client.ts'
import { NS_FAST, requestTokenElement } from '../stream/fast.ts'
import type { Element } from '../xml/index.ts'
import { type Ground, groundOf, listener, message, plain } from './limits.testing.ts'

export type Sections = Readonly<Record<string, unknown>>

export type Proof = () => Promise<void>

/** What is seen: it is called before the reload and after it, and must tell two things. */
export type Look = (ground: Ground) => Promise<string>

/** A server with the sections of `before` shows one thing, and after a reload with those of `after` the other. */
export function shows(before: Sections, after: Sections, look: Look, seen: readonly [string, string]): Proof {
  return () =>
    SymbolicServer.run({ listeners: [listener], ...before }, async (symbolic) => {
      const ground = groundOf(symbolic, 'none')
      await symbolic.simulation.world('server').disk.writeText('/tls/other.pem', other.certPem, 0o600)
      await symbolic.simulation.world('server').disk.writeText('/tls/other.key', other.keyPem, 0o600)
      await symbolic.simulation.world('server').disk.writeText('/tls/clients.crl', revoked, 0o600)
      for (const name of ['juliet', 'mallory']) await ground.account(name)
      assert.equal(await look(ground), seen[0])
      const { needsRestart } = await symbolic.reload({ listeners: [listener], ...after })
      assert.deepEqual(needsRestart, [])
      assert.equal(await look(ground), seen[1])
    })
}

const other = symbolicCertificate({ names: ['localhost'], issuer: 'other' })
const revoked = symbolicRevocations({ issuer: 'clients', revoked: ['romeo@localhost'] })
const otherFiles = [{ cert: '/tls/other.pem', key: '/tls/other.key' }]

/** The same for options of the listener. */
const listens = (before: Sections, after: Sections, look: Look, seen: readonly [string, string]): Proof =>
  shows({ listeners: [{ ...listener, ...before }] }, { listeners: [{ ...listener, ...after }] }, look, seen)

/** What comes back for some bytes from a host, at a port: what a regular expression finds in it, or how it ended. */
const says =
  (text: string, what: RegExp, { from = 'romeo', port = 5222 } = {}): Look =>
  async ({ symbolic }) => {
    let wire: Wire
    try {
      wire = await symbolic.wire(from, port)
    } catch {
      return 'refused'
    }
    try {
      wire.says(text)
      return (await wire.hears(new RegExp(`${what.source}|<stream:error>.*?</stream:error>`))).includes('stream:error')
        ? 'error'
        : 'good'
    } catch {
      return 'closed'
    } finally {
      wire.closes()
    }
  }

const greets = (from = 'romeo', port = 5222) => says(header('localhost'), /<\/stream:features>/, { from, port })

/** What bound clients may do. */
const answered = async (wire: Wire, stanza: string): Promise<string> => {
  wire.says(stanza)
  return wire.hears(/<iq [^>]*id='ask'.*?<\/iq>/)
}

/** What comes to a client that says nothing after it was spoken to. */
const asksSilent: Look = async (ground) => {
  const [romeo, juliet] = [await ground.bound('romeo', 'speaker'), await ground.bound('juliet', 'silent')]
  await ground.passes(6_000)
  romeo.says(message('juliet@localhost/silent', 'are you there?'))
  await juliet.hears(/<\/message>/)
  await ground.passes(20_000)
  romeo.says(message('juliet@localhost/silent', 'are you still there?'))
  return (await juliet.hears(/<\/message>/)).includes("<ping xmlns='urn:xmpp:ping'/>") ? 'asked' : 'said to'
}

const trusts =
  (tls: 'direct' | 'starttls', issuer: string): Look =>
  async ({ symbolic }) => {
    const wire = await symbolic.wire('romeo')
    if (tls === 'starttls') {
      wire.says(`${header('localhost')}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
      await wire.hears(/<proceed [^>]*\/>/)
    }
    const alpn = tls === 'direct' ? ['xmpp-client'] : []
    try {
      await wire.secures({ servername: 'localhost', alpn, verify: true, ca: authorityPem(issuer) })
      return 'trusted'
    } catch {
      return 'not trusted'
    } finally {
      wire.closes()
    }
  }

const offersTls: Look = async (ground) => {
  const wire = await ground.connected()
  wire.says(header('localhost'))
  const heard = await wire.hears(/<\/stream:features>/)
  wire.closes()
  return heard.includes('<starttls') ? 'TLS' : 'no TLS'
}

/** Speaks twice as fast as it can, and tells whether a shaper held it. */
const floods: Look = async (ground) => {
  const holds = () => ground.counter('ratatosk_shaper_holds_total')
  const before = holds()
  const wire = await ground.bound()
  const flood = async () => {
    wire.says(message('nobody@localhost', 'x'.repeat(900)).repeat(30))
    for (let n = 0; n < 30; n++) await wire.hears(/<\/message>/)
  }
  await flood()
  await ground.passes(100)
  await flood()
  wire.closes()
  await ground.passes(100)
  return holds() > before ? 'held' : 'free'
}

const binds =
  (first: string, second: string): Look =>
  async (ground) => {
    const old = await ground.bound('romeo', first)
    const wire = await ground.signedIn()
    wire.says(
      `<iq type='set' id='ask'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${second}</resource></bind></iq>`,
    )
    const answer = await wire.hears(/<iq [^>]*id='ask'.*?<\/iq>/)
    old.closes()
    wire.closes()
    await ground.passes(100)
    return /<(conflict|resource-constraint) /.exec(answer)?.[1] ?? 'bound'
  }

const signsIn: Look = async (ground) => {
  const wire = await ground.secured()
  wire.says(plain('romeo', 'secret'))
  const heard = await wire.hears(/<success [^>]*\/>|<failure .*?<\/failure>/)
  wire.closes()
  return /<failure [^>]*><([a-z-]+)/.exec(heard)?.[1] ?? 'in'
}

/** The features inside of TLS. */
const features: Look = async ({ symbolic, connected }) => {
  const wire = await connected()
  const heard = await wire.startsTls({ ca: symbolic.ca })
  wire.closes()
  return heard
}

const mechanisms: Look = async (ground) => {
  const list = /<mechanisms .*<\/mechanisms>/.exec(await features(ground))?.[0] ?? ''
  return [...list.matchAll(/<mechanism>([^<]*)</g)].map(([, name]) => name).join(' ')
}

/** Whether a client that shows its certificate may sign in by it. */
const showsCertificate: Look = async ({ symbolic, connected }) => {
  const wire = await connected()
  const shown = symbolicCertificate({ names: [], issuer: 'clients', addresses: ['romeo@localhost'] })
  const certificate = symbolic.simulation.world('romeo').net.tls.prepare(shown)
  const heard = await wire.startsTls({ ca: symbolic.ca, certificate })
  wire.closes()
  return heard.includes('<mechanism>EXTERNAL<') ? 'EXTERNAL' : 'no EXTERNAL'
}

const offersSasl2: Look = async (ground) =>
  (await features(ground)).includes('<authentication ') ? 'SASL2' : 'no SASL2'

/** What SCRAM tells of an account that is made now. */
async function challenge(ground: Ground): Promise<string> {
  const { symbolic } = ground
  const name = `new${symbolic.counter('ratatosk_connections_accepted_total')}`
  await ground.account(name)
  const wire = await ground.secured()
  wire.says(
    `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>${btoa(`n,,n=${name},r=abc`)}</auth>`,
  )
  const heard = await wire.hears(/<\/challenge>/)
  wire.closes()
  return atob(/<challenge [^>]*>([^<]*)/.exec(heard)?.[1] ?? '')
}

/** The iterations of a password that is set now, as its owner is told. */
const iterations: Look = async (ground) => /,i=(\d+)/.exec(await challenge(ground))?.[0].slice(1) ?? ''

const protects: Look = async (ground) => (/,h=[^,]+$/.test(await challenge(ground)) ? 'protected' : 'unprotected')

const agent = { id: 'd4565fa7-4d72-4749-b3d3-740edbf87770', software: '', device: '' }
const tokenMechanism = 'HT-SHA-256-NONE'

/** The `<token/>` of a sign-in, by a token or by password and a wish for one; undefined when it fails, or brings none. */
async function signInFor({ symbolic }: Ground, token?: string): Promise<Element | undefined> {
  const wish = token === undefined ? { inline: [requestTokenElement(tokenMechanism)] } : {}
  const client = await connectClient(symbolic.simulation.world('romeo'), {
    jid: jid('romeo@localhost'),
    password: token === undefined ? 'secret' : '',
    place: { kind: 'tcp', host: 'server', port: 5222 },
    tls: 'starttls',
    ca: symbolic.ca,
    sasl: { agent, ...wish, ...(token === undefined ? {} : { token: { mechanism: tokenMechanism, token } }) },
  })
  if (client instanceof ClientFailure) return undefined
  await client.close()
  return client.success?.child('token', NS_FAST) ?? client.success
}

const offersUpgrades: Look = async (ground) =>
  (await features(ground)).includes('<upgrade ') ? 'upgrades' : 'no upgrades'

const offersTokens: Look = async (ground) => ((await features(ground)).includes('<fast ') ? 'tokens' : 'no tokens')

const lifetime: Look = async (ground) => {
  const token = await signInFor(ground)
  const left = Date.parse(token?.attr('expiry') ?? '') - ground.symbolic.simulation.world('romeo').clock.wallMs()
  return `${Math.round(left / 86_400_000)} days`
}

const rotates: Look = async (ground) => {
  const token = await signInFor(ground)
  await ground.passes(2 * 3_600_000)
  const next = await signInFor(ground, token?.attr('token'))
  return next?.name === 'token' ? 'replaced' : String(next?.name)
}

const revokes: Look = async (ground) => {
  const token = await signInFor(ground)
  await ground.symbolic.server.accounts.setPassword(jid('romeo@localhost'), 'secret')
  return (await signInFor(ground, token?.attr('token'))) === undefined ? 'ended' : 'good'
}

/** Two bad guesses, and whether the address is let in a minute later. */
const guesses: Look = async (ground) => {
  const from = `192.0.2.${ground.counter('ratatosk_connections_accepted_total') + 1}`
  for (let n = 0; n < 2; n++) {
    const wire = await ground.secured(from)
    wire.says(plain('romeo', 'guess'))
    await wire.hears(/<failure .*?<\/failure>/)
    wire.closes()
  }
  await ground.passes(60_000)
  return greets(from)(ground)
}

const version: Look = async (ground) => {
  const wire = await ground.bound()
  const heard = await answered(wire, `<iq type='get' id='ask' to='localhost'><query xmlns='jabber:iq:version'/></iq>`)
  wire.closes()
  await ground.passes(100)
  return heard.includes('hidden') ? 'hidden' : 'told'
}

/** What a request of registration gets, from a user or from a stranger: a condition, or `done`. */
const registers =
  (content: string, isStranger = false): Look =>
  async (ground) => {
    const wire = await (isStranger ? ground.secured() : ground.bound())
    const query = `<query xmlns='jabber:iq:register'>${content}</query>`
    wire.says(`<iq type='set' id='ask'>${query}</iq>`)
    const heard = await wire.hears(/<iq [^>]*id='ask'[^>]*\/>|<iq [^>]*id='ask'.*?<\/iq>/)
    wire.closes()
    await ground.passes(100)
    return /<error [^>]*><([a-z-]+)/.exec(heard)?.[1] ?? 'done'
  }
const newPassword = '<username>romeo</username><password>secret</password>'

/** Changes a password twice, a minute between. */
const changesTwice: Look = async (ground) => {
  await ground.passes(120_000)
  await registers(newPassword)(ground)
  await ground.passes(60_000)
  return registers(newPassword)(ground)
}
/** What his other client hears of one that signed in and left (XEP-0494). */
const knows: Look = async (ground) => {
  const phone = await ground.secured()
  const first = `<initial-response>${btoa('\0romeo\0secret')}</initial-response>`
  const agent = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><device>phone</device></user-agent>"
  phone.says(`<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>${first}${agent}</authenticate>`)
  await phone.hears(/<\/success>/)
  phone.closes()
  const wire = await ground.bound()
  const heard = await answered(wire, "<iq type='get' id='ask'><list xmlns='urn:xmpp:cam:0'/></iq>")
  wire.closes()
  await ground.passes(100)
  return /<device>phone</.test(heard) ? 'by name' : heard.split('<client ').length > 2 ? 'without a name' : 'nothing'
}
/** Where disco says that the operator can be reached, in this role. */
const reached =
  (role: string): Look =>
  async (ground) => {
    const wire = await ground.bound()
    const info = `<iq type='get' id='ask' to='localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`
    const heard = await answered(wire, info)
    wire.closes()
    await ground.passes(100)
    return new RegExp(`<field var='${role}-addresses'><value>([^<]*)`).exec(heard)?.[1] ?? 'nowhere'
  }

const contactRoles = ['abuse', 'admin', 'feedback', 'sales', 'security', 'status', 'support']

/** A request of a stranger to a resource that is there. */
const asksResource: Look = async (ground) => {
  const [romeo, juliet] = [await ground.bound('romeo'), await ground.bound('juliet')]
  romeo.says(`<iq type='get' id='ask' to='juliet@localhost/here'><query xmlns='urn:x'/></iq>`)
  await ground.passes(100)
  juliet.says(`<iq type='get' id='mine' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`)
  const heard = await juliet.hears(/id='mine'/)
  romeo.closes()
  juliet.closes()
  await ground.passes(100)
  return heard.includes("id='ask'") ? 'asked' : 'not asked'
}

const places: Look = async ({ symbolic }) =>
  symbolic.server.listening.map(({ name, place }) => `${name} ${place.kind === 'tcp' ? place.host : place.path}`).join()

/** Room for one flood and a sign-in. */
const slowly = { rate: '1 KB/s', burst: '40 KB' }
const shaped = { listeners: [{ ...listener, shaper: 'one' }] }
const rule = (value: string) => ({ staff: [{ [value]: { user: 'romeo@localhost' } }, { allow: 'all' }] })
const balanced = (proxies: string) => ({ proxy_protocol: true, proxies: [proxies] })
const proxied = (from: string) =>
  says(`PROXY TCP4 198.51.100.9 192.0.2.1 5000 5222\r\n${header('localhost')}`, /<\/stream:features>/, { from })
const own = { certificates: otherFiles }
const clientTls = { certificates: [{ cert: '/tls/cert.pem', key: '/tls/key.pem' }], client_ca: '/tls/clients.pem' }
const unbound = { ...listener, address: undefined }

/** By the path of the option. */
export const hotProofs: Readonly<Record<string, Proof>> = {
  bind: shows({ bind: '127.0.0.1', listeners: [unbound] }, { bind: '0.0.0.0', listeners: [unbound] }, places, [
    'c2s 127.0.0.1',
    'c2s 0.0.0.0',
  ]),
  'listeners[].name': listens({ name: 'one' }, { name: 'two' }, places, ['one 0.0.0.0', 'two 0.0.0.0']),
  'listeners[].protocol': listens(
    {},
    { protocol: 'http' },
    says('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n', /HTTP\/1.1 200/),
    ['error', 'good'],
  ),
  'listeners[].tls': listens({}, { tls: 'direct' }, trusts('direct', 'test'), ['not trusted', 'trusted']),
  'listeners[].address': listens({ address: '127.0.0.1' }, {}, places, ['c2s 127.0.0.1', 'c2s 0.0.0.0']),
  'listeners[].port': listens({}, { port: 5333 }, greets('romeo', 5333), ['refused', 'good']),
  'listeners[].path': shows({}, { listeners: [{ protocol: 'c2s', name: 'c2s', path: '/run/c2s' }] }, places, [
    'c2s 0.0.0.0',
    'c2s /run/c2s',
  ]),
  'listeners[].proxy_protocol': listens({}, balanced('192.0.2.1'), proxied('192.0.2.1'), ['error', 'good']),
  'listeners[].proxies': listens(balanced('192.0.2.2'), balanced('192.0.2.1'), proxied('192.0.2.1'), [
    'closed',
    'good',
  ]),
  'listeners[].access': listens({ access: 'none' }, {}, greets(), ['error', 'good']),
  'listeners[].shaper': shows({ shapers: { one: slowly } }, { ...shaped, shapers: { one: slowly } }, floods, [
    'free',
    'held',
  ]),
  'listeners[].certificates': listens({}, own, trusts('starttls', 'other'), ['not trusted', 'trusted']),
  'tls.certificates': shows({}, { tls: { certificates: otherFiles } }, trusts('starttls', 'other'), [
    'not trusted',
    'trusted',
  ]),
  'tls.local_ca': shows({ tls: { local_ca: false } }, { tls: { local_ca: true } }, offersTls, ['no TLS', 'TLS']),
  'limits.sign_in_failure_window': shows(
    { limits: { sign_in_failures: 2 } },
    { limits: { sign_in_failures: 2, sign_in_failure_window: '59 seconds' } },
    guesses,
    ['error', 'good'],
  ),
  'shapers.NAME.rate': shows(
    { ...shaped, shapers: { one: { ...slowly, rate: '1 GB/s' } } },
    { ...shaped, shapers: { one: slowly } },
    floods,
    ['free', 'held'],
  ),
  'shapers.NAME.burst': shows(
    { ...shaped, shapers: { one: { ...slowly, burst: '1 GiB' } } },
    { ...shaped, shapers: { one: slowly } },
    floods,
    ['free', 'held'],
  ),
  'auth.mechanisms': shows(
    { auth: { mechanisms: ['PLAIN', 'SCRAM-SHA-1'] } },
    { auth: { mechanisms: ['PLAIN'] } },
    mechanisms,
    ['PLAIN SCRAM-SHA-1', 'PLAIN'],
  ),
  'auth.scram_iterations': shows({}, { auth: { scram_iterations: 5000 } }, iterations, ['i=4096', 'i=5000']),
  'auth.backends': shows({}, { auth: { backends: ['plugin'] } }, signsIn, ['in', 'temporary-auth-failure']),
  'auth.anonymous': shows(
    { auth: { mechanisms: ['PLAIN'] } },
    { auth: { mechanisms: ['PLAIN'], anonymous: true } },
    mechanisms,
    ['PLAIN', 'PLAIN ANONYMOUS'],
  ),
  'auth.certificates': shows({ tls: clientTls }, { tls: clientTls, auth: { certificates: false } }, showsCertificate, [
    'EXTERNAL',
    'no EXTERNAL',
  ]),
  'tls.client_crl': shows(
    { tls: clientTls },
    { tls: { ...clientTls, client_crl: ['/tls/clients.crl'] } },
    showsCertificate,
    ['EXTERNAL', 'no EXTERNAL'],
  ),
  'tls.client_ca': shows({}, { tls: clientTls }, showsCertificate, ['no EXTERNAL', 'EXTERNAL']),
  'auth.sasl2': shows({}, { auth: { sasl2: false } }, offersSasl2, ['SASL2', 'no SASL2']),
  'auth.upgrades': shows({}, { auth: { upgrades: true } }, offersUpgrades, ['no upgrades', 'upgrades']),
  'auth.tokens': shows({}, { auth: { tokens: false } }, offersTokens, ['tokens', 'no tokens']),
  'auth.token_lifetime': shows({}, { auth: { token_lifetime: '2 days' } }, lifetime, ['21 days', '2 days']),
  'auth.token_rotation': shows({}, { auth: { token_rotation: '1 hour' } }, rotates, ['success', 'replaced']),
  'auth.revoke_tokens': shows({}, { auth: { revoke_tokens: false } }, revokes, ['ended', 'good']),
  'auth.downgrade_protection': shows({}, { auth: { downgrade_protection: false } }, protects, [
    'protected',
    'unprotected',
  ]),
  'auth.access': shows({}, { access: rule('deny'), auth: { access: 'staff' } }, signsIn, ['in', 'account-disabled']),
  'session.conflict': shows({}, { session: { conflict: 'refuse' } }, binds('one', 'one'), ['bound', 'conflict']),
  'session.max_per_user_policy': shows(
    { session: { max_per_user: 1 } },
    { session: { max_per_user: 1, max_per_user_policy: 'refuse' } },
    binds('one', 'two'),
    ['bound', 'resource-constraint'],
  ),
  ...Object.fromEntries(
    contactRoles.map((role) => [
      `modules.contact.${role}`,
      shows({}, { modules: { contact: { [role]: 'xmpp:odin@localhost' } } }, reached(role), [
        'nowhere',
        'xmpp:odin@localhost',
      ]),
    ]),
  ),
  'modules.ping.ask_after': shows(
    { modules: { ping: { ask_after: 'never' } } },
    { modules: { ping: { ask_after: '5 seconds' } } },
    asksSilent,
    ['said to', 'asked'],
  ),
  'modules.presence.iq_needs_presence': shows(
    {},
    { modules: { presence: { iq_needs_presence: false } } },
    asksResource,
    ['not asked', 'asked'],
  ),
  'modules.access.remember': shows({ modules: { access: { remember: '0 seconds' } } }, {}, knows, [
    'nothing',
    'by name',
  ]),
  'modules.access.names': shows({ modules: { access: { names: false } } }, {}, knows, ['without a name', 'by name']),
  'modules.register.sign_up': shows(
    {},
    { modules: { register: { sign_up: 'open' } } },
    registers('<username>nurse</username><password>secret</password>', true),
    ['service-unavailable', 'done'],
  ),
  'modules.register.password_change': shows(
    { modules: { register: { password_change: false } } },
    {},
    registers(newPassword),
    ['not-allowed', 'done'],
  ),
  'modules.register.removal': shows({ modules: { register: { removal: false } } }, {}, registers('<remove/>'), [
    'not-allowed',
    'done',
  ]),
  'modules.register.window': shows(
    { modules: { register: { password_changes_max: 1, window: '2 minutes' } } },
    { modules: { register: { password_changes_max: 1, window: '59 seconds' } } },
    changesTwice,
    ['resource-constraint', 'done'],
  ),
  'modules.version.show_version': shows({}, { modules: { version: { show_version: false } } }, version, [
    'told',
    'hidden',
  ]),
  // Rules and modules are no options, and hot all the same.
  access: shows(
    { access: rule('allow'), auth: { access: 'staff' } },
    { access: rule('deny'), auth: { access: 'staff' } },
    signsIn,
    ['in', 'account-disabled'],
  ),
}
