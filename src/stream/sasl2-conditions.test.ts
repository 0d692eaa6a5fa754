/** Every SASL error condition in the profile of XEP-0388: the bytes that cause it. A row is a test; a condition without a row fails. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authenticate, header, makeAccount, plain, type RawClient, rawPair, type Server } from './kit.testing.ts'
import { fakeTls } from './memory.testing.ts'
import type { SaslCondition } from './sasl/index.ts'

const account = await makeAccount('r0m30')
const disabled = await makeAccount('r0m30', 'account-disabled')
const expired = await makeAccount('r0m30', 'credentials-expired')

type Pair = Server & { readonly client: RawClient }

interface Row {
  readonly condition: SaslCondition
  readonly title: string
  readonly code: string
  readonly cause: (pair: Pair) => string
  readonly pair?: () => Pair
  readonly header?: string
}

const NS = "xmlns='urn:xmpp:sasl:2'"
const right = plain('juliet', 'r0m30')

const rows: readonly Row[] = [
  {
    condition: 'aborted',
    title: '<abort/> in the middle, with a reason (section 4.5)',
    code: 'RTK_SASL_ABORTED',
    cause: ({ client }) => {
      assert.equal(client.ask(authenticate('PLAIN')), `<challenge ${NS}/>`)
      return client.ask(`<abort ${NS}><text>never mind</text><why xmlns='urn:example'/></abort>`)
    },
  },
  {
    condition: 'aborted',
    title: '<abort/> of nothing',
    code: 'RTK_SASL_ABORTED',
    cause: ({ client }) => client.ask(`<abort ${NS}/>`),
  },
  {
    condition: 'account-disabled',
    title: 'the right password of a disabled account',
    code: 'RTK_SASL_ACCOUNT_DISABLED',
    pair: () => rawPair(disabled, { tls: fakeTls() }),
    cause: ({ client }) => client.ask(authenticate('PLAIN', right)),
  },
  {
    condition: 'credentials-expired',
    title: 'the right password, which has expired',
    code: 'RTK_SASL_CREDENTIALS_EXPIRED',
    pair: () => rawPair(expired, { tls: fakeTls() }),
    cause: ({ client }) => client.ask(authenticate('PLAIN', right)),
  },
  {
    condition: 'encryption-required',
    title: 'before TLS (section 3)',
    code: 'RTK_SASL_ENCRYPTION_REQUIRED',
    pair: () => rawPair(account),
    cause: ({ client }) => client.ask(authenticate('SCRAM-SHA-256')),
  },
  {
    condition: 'encryption-required',
    title: 'without TLS where the host has none, whose mechanisms are offered by RFC 6120 only',
    code: 'RTK_SASL_ENCRYPTION_REQUIRED',
    pair: () => {
      const pair = rawPair(account)
      pair.driver.hosts.set('localhost', { domain: 'localhost', tls: 'none', hasSasl2: true })
      return pair
    },
    cause: ({ client }) => client.ask(authenticate('SCRAM-SHA-256')),
  },
  {
    condition: 'incorrect-encoding',
    title: 'base64 with white space in it (section 2.2)',
    code: 'RTK_SASL_ENCODING',
    cause: ({ client }) => client.ask(authenticate('PLAIN', `\n${right}\n`)),
  },
  {
    condition: 'incorrect-encoding',
    title: "'=', which has no meaning here",
    code: 'RTK_SASL_ENCODING',
    cause: ({ client }) => client.ask(authenticate('PLAIN', '=')),
  },
  {
    condition: 'incorrect-encoding',
    title: 'no base64 in a response',
    code: 'RTK_SASL_ENCODING',
    cause: ({ client }) => {
      client.ask(authenticate('PLAIN'))
      return client.ask(`<response ${NS}>?</response>`)
    },
  },
  {
    condition: 'invalid-authzid',
    title: 'to act for another (AUTH-01)',
    code: 'RTK_SASL_AUTHZID',
    cause: ({ client }) => client.ask(authenticate('PLAIN', plain('juliet', 'r0m30', 'romeo@localhost'))),
  },
  {
    condition: 'invalid-authzid',
    title: 'as oneself on a stream from another (sections 2.3, 4.4)',
    code: 'RTK_SASL_FROM_OTHER',
    header: header.replace(' to=', " from='romeo@localhost' to="),
    cause: ({ client }) => client.ask(authenticate('PLAIN', plain('juliet', 'r0m30', 'juliet@localhost'))),
  },
  {
    condition: 'invalid-authzid',
    title: 'without authzid on a stream from another',
    code: 'RTK_SASL_FROM_OTHER',
    header: header.replace(' to=', " from='romeo@localhost' to="),
    cause: ({ client }) => client.ask(authenticate('PLAIN', right)),
  },
  {
    condition: 'invalid-mechanism',
    title: 'a mechanism that nobody speaks here (section 2.3)',
    code: 'RTK_SASL_MECHANISM_UNKNOWN',
    cause: ({ client }) => client.ask(authenticate('CRAM-MD5')),
  },
  {
    condition: 'invalid-mechanism',
    title: 'no mechanism',
    code: 'RTK_SASL_MECHANISM_MISSING',
    cause: ({ client }) => client.ask(`<authenticate ${NS}/>`),
  },
  {
    condition: 'malformed-request',
    title: 'PLAIN without NUL',
    code: 'RTK_SASL_MALFORMED',
    cause: ({ client }) => client.ask(authenticate('PLAIN', Buffer.from('juliet').toString('base64'))),
  },
  {
    condition: 'malformed-request',
    title: 'an initial response of no bytes, which differs from none',
    code: 'RTK_SASL_MALFORMED',
    cause: ({ client }) => client.ask(authenticate('PLAIN', '')),
  },
  {
    condition: 'malformed-request',
    title: 'a response without a challenge',
    code: 'RTK_SASL_OUT_OF_ORDER',
    cause: ({ client }) => client.ask(`<response ${NS}>AA==</response>`),
  },
  {
    condition: 'malformed-request',
    title: 'elements in <initial-response/>',
    code: 'RTK_SASL_CONTENT',
    cause: ({ client }) => client.ask(authenticate('PLAIN', '<a/>')),
  },
  ...[
    `<initial-response>${right}</initial-response>`,
    '<user-agent/><user-agent/>',
    "<bind xmlns='urn:xmpp:bind:0'/><bind xmlns='urn:xmpp:bind:0'/>",
  ].map(
    (more): Row => ({
      condition: 'malformed-request',
      title: `twice: ${/<([a-z-]+)/.exec(more)?.[1]}`,
      code: 'RTK_SASL_CONTENT',
      cause: ({ client }) => client.ask(authenticate('PLAIN', right, more)),
    }),
  ),
  {
    condition: 'mechanism-too-weak',
    title: 'a mechanism that this host does not allow',
    code: 'RTK_SASL_MECHANISM_WEAK',
    cause: ({ client, driver }) => {
      driver.offered = ['SCRAM-SHA-256']
      return client.ask(authenticate('SCRAM-SHA-1'))
    },
  },
  {
    condition: 'not-authorized',
    title: 'a wrong password',
    code: 'RTK_SASL_CREDENTIALS',
    cause: ({ client }) => client.ask(authenticate('PLAIN', plain('juliet', 'wrong'))),
  },
  {
    condition: 'not-authorized',
    title: 'an unknown name, the same to the byte',
    code: 'RTK_SASL_CREDENTIALS',
    cause: ({ client }) => client.ask(authenticate('PLAIN', plain('nobody', 'wrong'))),
  },
  {
    condition: 'temporary-auth-failure',
    title: 'the store does not answer',
    code: 'RTK_SASL_UNAVAILABLE',
    cause: ({ client, driver }) => {
      driver.isUnavailable = true
      return client.ask(authenticate('PLAIN', right))
    },
  },
]

for (const row of rows) {
  test(`SASL2 ${row.condition}: ${row.title}`, () => {
    const pair = row.pair?.() ?? rawPair(account, { tls: fakeTls() })
    pair.client.ask(row.header ?? header)
    const answer = row.cause(pair)
    const condition = `<${row.condition} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`
    assert.equal(answer, `<failure ${NS}>${condition}</failure>`)
    assert.equal(pair.driver.failures.at(-1)?.code, row.code)
    assert.equal(pair.machine.state, 'features', 'the client may try again')
    assert.deepEqual(pair.driver.requests, [], 'section 2.6.2: nothing is done in one go with a failure')
    assert.deepEqual(pair.driver.signIns, [])
  })
}

test('all 11 conditions of RFC 6120 section 6.5 have a row', () => {
  const all: Record<SaslCondition, true> = {
    aborted: true,
    'account-disabled': true,
    'credentials-expired': true,
    'encryption-required': true,
    'incorrect-encoding': true,
    'invalid-authzid': true,
    'invalid-mechanism': true,
    'malformed-request': true,
    'mechanism-too-weak': true,
    'not-authorized': true,
    'temporary-auth-failure': true,
  }
  assert.deepEqual([...new Set(rows.map((row) => row.condition))].sort(), Object.keys(all).sort())
})
