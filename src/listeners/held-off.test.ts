/** AUTH-10: an account whose password is guessed from many addresses. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { header, type Wire } from '../../plays/language/wire.ts'
import { Metrics } from '../core/metrics.ts'
import { Failures } from './failures.ts'
import { SymbolicServer } from './symbolic.testing.ts'

const config = {
  limits: { sign_in_failures_per_account: 4, sign_in_failure_window: '1 minute' },
  listeners: [{ name: 'c2s', protocol: 'c2s', address: '0.0.0.0', port: 5222 }],
}
const tls = { servername: 'localhost', alpn: [], verify: true }
const NS = 'urn:ietf:params:xml:ns:xmpp-sasl'

const plain = (name: string, password: string) =>
  `<auth xmlns='${NS}' mechanism='PLAIN'>${btoa(`\0${name}\0${password}`)}</auth>`
const scram = (name: string) => `<auth xmlns='${NS}' mechanism='SCRAM-SHA-256'>${btoa(`n,,n=${name},r=abc`)}</auth>`

async function secured(server: SymbolicServer, from: string): Promise<Wire> {
  const wire = await server.wire(from)
  wire.says(`${header('localhost')}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  await wire.hears(/<proceed [^>]*\/>/)
  await wire.secures({ ...tls, ca: server.ca })
  wire.says(header('localhost'))
  await wire.hears(/<\/stream:features>/)
  return wire
}

/** What the client is told, in whole. */
async function attempt(server: SymbolicServer, from: string, auth: string): Promise<string> {
  const wire = await secured(server, from)
  wire.says(auth)
  const answer = await wire.hears(/<(failure|challenge|success).*?(<\/\1>|\/>)/)
  wire.closes()
  return String(answer)
}

test('AUTH-10: guesses from many addresses hold an account off, one that does not exist just the same', () =>
  SymbolicServer.run(config, async (server) => {
    for (const name of ['romeo', 'nobody']) {
      for (let n = 0; n < 4; n++)
        assert.match(await attempt(server, `192.0.2.${n}`, plain(name, 'guess')), /<not-authorized\/>/)
    }
    const told: string[] = []
    for (const [n, auth] of [
      plain('romeo', 'secret'),
      plain('nobody', 'secret'),
      scram('romeo'),
      scram('nobody'),
    ].entries())
      told.push(await attempt(server, `198.51.100.${n}`, auth))
    assert.match(told[0] ?? '', /<temporary-auth-failure\/>/)
    assert.equal(new Set(told).size, 1, 'the right password, known and unknown, PLAIN and SCRAM: all the same')
    assert.equal(server.counter('ratatosk_sign_ins_held_off_total'), 4)
    assert.equal(server.counter('ratatosk_refusals_total{code="RTK_SIGN_IN_FAILURES_PER_ACCOUNT"}'), 4)
    // Attempts while it is held off do not make it longer; nobody else is concerned.
    await server.simulation.advance(61_000)
    assert.match(await attempt(server, '203.0.113.1', plain('romeo', 'secret')), /<success/)
    assert.equal(server.counter('ratatosk_sign_ins_total'), 1)
  }))

test('AUTH-10: each failure is an event with what fail2ban needs: the true address, the name, the mechanism, no password', () =>
  SymbolicServer.run(
    { listeners: [{ ...config.listeners[0], tls: 'none', proxy_protocol: true, proxies: ['192.0.2.1'] }] },
    async (server) => {
      for (const name of ['romeo', 'nobody']) {
        const wire = await server.wire('192.0.2.1')
        wire.says(`PROXY TCP4 203.0.113.9 192.0.2.1 40000 5222\r\n${header('localhost')}`)
        await wire.hears(/<\/stream:features>/)
        wire.says(scram(name))
        const challenge = /<challenge [^>]*>([^<]*)/.exec(await wire.hears(/<challenge [^>]*>[^<]*<\/challenge>/))
        const nonce = /^r=([^,]+)/.exec(atob(challenge?.[1] ?? ''))?.[1]
        wire.says(`<response xmlns='${NS}'>${btoa(`c=biws,r=${nonce},p=${btoa('\0'.repeat(32))}`)}</response>`)
        await wire.hears(/<not-authorized\/>/)
        wire.closes()
      }
      const event = (username: string) => ({
        address: '203.0.113.9',
        host: 'localhost',
        username,
        mechanism: 'SCRAM-SHA-256',
        condition: 'not-authorized',
      })
      assert.deepEqual(server.told('RTK_SASL_CREDENTIALS', 'info'), [event('romeo'), event('nobody')])
    },
  ))

test('failures are remembered for so many keys; the one that failed longest ago is forgotten', () => {
  const forgotten = new Metrics().counter('forgotten', '')
  let now = 0
  const failures = new Failures({ monoMs: () => now }, forgotten, 3)
  for (const key of ['a', 'b', 'a', 'c', 'd']) failures.add(key, 1_000)
  assert.equal(failures.size, 3)
  assert.equal(forgotten.value, 1)
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => failures.count(key)),
    [2, 0, 1],
  )
  now = 1_000
  assert.equal(failures.count('a'), 0)
  assert.equal(failures.add('c', 1_000), 1)
})
