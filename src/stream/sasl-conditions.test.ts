/** Every SASL error condition (RFC 6120 section 6.5): the bytes that cause it, or why this house never sends it. A row is a test; a condition without a row fails. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auth, header, makeAccount, plain, type RawClient, rawPair, type Server } from './kit.testing.ts'
import { fakeTls } from './memory.testing.ts'
import type { SaslCondition } from './sasl/index.ts'

const account = await makeAccount('r0m30')
const disabled = await makeAccount('r0m30', 'account-disabled')
const expired = await makeAccount('r0m30', 'credentials-expired')

type Pair = Server & { readonly client: RawClient }

interface SaslRow {
  readonly condition: SaslCondition
  readonly title: string
  readonly code: string
  readonly cause: (pair: Pair) => string
  readonly pair?: () => Pair
}

interface Never {
  readonly condition: SaslCondition
  readonly never: string
}

const saslRows: readonly (SaslRow | Never)[] = [
  {
    condition: 'aborted',
    title: '<abort/> in the middle',
    code: 'RTK_SASL_ABORTED',
    cause: ({ client }) => {
      assert.match(client.ask(auth('PLAIN')), /^<challenge/)
      return client.ask("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
    },
  },
  {
    condition: 'account-disabled',
    title: 'the right password of a disabled account',
    code: 'RTK_SASL_ACCOUNT_DISABLED',
    pair: () => rawPair(disabled, { tls: fakeTls() }),
    cause: ({ client }) => client.ask(auth('PLAIN', plain('juliet', 'r0m30'))),
  },
  {
    condition: 'credentials-expired',
    never: 'passwords of the internal back end do not expire; others may say it (see the last test)',
  },
  {
    condition: 'encryption-required',
    title: 'PLAIN before TLS (LST-01)',
    code: 'RTK_SASL_ENCRYPTION_REQUIRED',
    pair: () => rawPair(account),
    cause: ({ client }) => client.ask(auth('PLAIN', plain('juliet', 'r0m30'))),
  },
  {
    condition: 'incorrect-encoding',
    title: 'base64 with white space in it',
    code: 'RTK_SASL_ENCODING',
    cause: ({ client }) => client.ask(auth('PLAIN', `\n${plain('juliet', 'r0m30')}\n`)),
  },
  {
    condition: 'incorrect-encoding',
    title: 'base64 whose unused bits are not zero',
    code: 'RTK_SASL_ENCODING',
    cause: ({ client }) => client.ask(auth('PLAIN', 'AGp1bGlldAByMG0zMH==')),
  },
  {
    condition: 'invalid-authzid',
    title: 'to act for another (AUTH-01)',
    code: 'RTK_SASL_AUTHZID',
    cause: ({ client }) => client.ask(auth('PLAIN', plain('juliet', 'r0m30', 'romeo@localhost'))),
  },
  {
    condition: 'invalid-mechanism',
    title: 'a mechanism that nobody speaks here',
    code: 'RTK_SASL_MECHANISM_UNKNOWN',
    cause: ({ client }) => client.ask(auth('CRAM-MD5')),
  },
  {
    condition: 'invalid-mechanism',
    title: 'no mechanism',
    code: 'RTK_SASL_MECHANISM_MISSING',
    cause: ({ client }) => client.ask("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"),
  },
  {
    condition: 'malformed-request',
    title: 'PLAIN without NUL',
    code: 'RTK_SASL_MALFORMED',
    cause: ({ client }) => client.ask(auth('PLAIN', Buffer.from('juliet').toString('base64'))),
  },
  {
    condition: 'malformed-request',
    title: 'a response without a challenge',
    code: 'RTK_SASL_OUT_OF_ORDER',
    cause: ({ client }) => client.ask("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AA==</response>"),
  },
  {
    condition: 'malformed-request',
    title: 'elements in <auth/>',
    code: 'RTK_SASL_CONTENT',
    cause: ({ client }) => client.ask(auth('PLAIN', '<a/>')),
  },
  {
    condition: 'mechanism-too-weak',
    title: 'a mechanism that this host does not allow',
    code: 'RTK_SASL_MECHANISM_WEAK',
    cause: ({ client, driver }) => {
      driver.offered = ['SCRAM-SHA-256']
      return client.ask(auth('SCRAM-SHA-1'))
    },
  },
  {
    condition: 'not-authorized',
    title: 'a wrong password',
    code: 'RTK_SASL_CREDENTIALS',
    cause: ({ client }) => client.ask(auth('PLAIN', plain('juliet', 'wrong'))),
  },
  {
    condition: 'not-authorized',
    title: 'an unknown name, the same to the byte',
    code: 'RTK_SASL_CREDENTIALS',
    cause: ({ client }) => client.ask(auth('PLAIN', plain('nobody', 'wrong'))),
  },
  {
    condition: 'temporary-auth-failure',
    title: 'the store does not answer',
    code: 'RTK_SASL_UNAVAILABLE',
    cause: ({ client, driver }) => {
      driver.isUnavailable = true
      return client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
    },
  },
]

for (const row of saslRows) {
  if ('never' in row) continue
  test(`SASL ${row.condition}: ${row.title}`, () => {
    const pair = row.pair?.() ?? rawPair(account, { tls: fakeTls() })
    pair.client.ask(header)
    const answer = row.cause(pair)
    assert.equal(answer, `<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><${row.condition}/></failure>`)
    assert.equal(pair.driver.failures.at(-1)?.code, row.code)
    assert.equal(pair.machine.state, 'features', 'the client may try again')
  })
}

test('all 11 conditions of section 6.5 have a row', () => {
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
  assert.deepEqual([...new Set(saslRows.map((row) => row.condition))].sort(), Object.keys(all).sort())
})

test('credentials-expired: said for a back end that knows of it', () => {
  const { client, driver } = rawPair(expired, { tls: fakeTls() })
  client.ask(header)
  const answer = client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
  assert.equal(answer, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><credentials-expired/></failure>")
  assert.equal(driver.failures.at(-1)?.code, 'RTK_SASL_CREDENTIALS_EXPIRED')
})
