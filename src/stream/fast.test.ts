/** XEP-0484 on the server's stream, and the mechanisms of draft-schmaus-kitten-sasl-ht-09. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseElement, x } from '../xml/index.ts'
import { isInvalidation, requestedToken, tokenElement } from './fast.ts'
import { authenticate, hashing, header, makeAccount, type RawClient, rawPair } from './kit.testing.ts'
import { fakeTls } from './memory.testing.ts'
import { type AccountRefusal, HtClient, isTokenMechanism, type TokenCandidate } from './sasl/index.ts'

const account = await makeAccount('r0m30')
const agentId = 'd4565fa7-4d72-4749-b3d3-740edbf87770'
const agent = `<user-agent id='${agentId}'/>`
const fast = "<fast xmlns='urn:xmpp:fast:0'/>"
const bindings = { 'tls-exporter': 'exported key', 'tls-server-end-point': 'hash of a certificate' }
const secret = 'WXZzciBwYmFmdmZnZiBqdmd1IGp2eXFhcmZm'

function hmac(token: string, who: string, data: string): Buffer {
  return Buffer.from(hashing.hmac('sha256', Buffer.from(token), Buffer.from(`${who}${data}`)))
}

/** initiator-msg = authcid NUL HMAC(token, "Initiator" || cb-data), in base64. */
function initiator(token: string, data = '', name = 'juliet'): string {
  return Buffer.concat([Buffer.from(`${name}\0`), hmac(token, 'Initiator', data)]).toString('base64')
}

function candidate(token: string, id = 'one', refusal?: AccountRefusal): TokenCandidate {
  const use = { id, isNew: false, mechanism: 'HT-SHA-256-NONE', createdMs: 0, usedMs: 0 }
  return { token, use, ...(refusal === undefined ? {} : { refusal }) }
}

function pair(candidates: readonly TokenCandidate[] = [candidate(secret)], withBindings = true) {
  const made = rawPair(account, { tls: withBindings ? fakeTls() : fakeTls({ bindings: {} }) })
  made.driver.tokensOf.set(`juliet ${agentId}`, candidates)
  return made
}

function failure(client: RawClient, request: string): string {
  return /<failure [^>]*><([a-z-]+)/.exec(client.ask(request))?.[1] ?? ''
}

test('section 3.1: what the connection can be bound to is offered, and nothing where the host gives no tokens', () => {
  const offer = (client: RawClient) => /<fast .*<\/fast>/.exec(client.ask(header))?.[0] ?? ''
  const all = ['EXPR', 'ENDP', 'NONE'].map((type) => `<mechanism>HT-SHA-256-${type}</mechanism>`)
  assert.equal(offer(pair().client), `<fast xmlns='urn:xmpp:fast:0'>${all.join('')}</fast>`)
  assert.equal(offer(pair([], false).client), `<fast xmlns='urn:xmpp:fast:0'>${all[2]}</fast>`)
  assert.equal(offer(rawPair(account, { tls: fakeTls() }).client), '')
})

for (const [name, data] of [
  ['HT-SHA-256-NONE', ''],
  ['HT-SHA-256-EXPR', bindings['tls-exporter']],
  ['HT-SHA-256-ENDP', bindings['tls-server-end-point']],
] as const) {
  test(`draft section 3: ${name} signs in with one message each way, and the server proves itself`, () => {
    const { client, driver } = pair()
    client.ask(header)
    const answer = client.ask(authenticate(name, initiator(secret, data), `${agent}${fast}`))
    const proof = /<additional-data>([^<]*)</.exec(answer)?.[1]
    assert.equal(proof, hmac(secret, 'Responder', data).toString('base64'), answer)
    const [signedIn] = driver.signIns
    assert.equal(signedIn?.mechanism, name)
    assert.equal(signedIn?.token?.id, 'one')
  })

  test(`${name}: our client speaks it, and leaves a server that has not the token`, () => {
    const bound = new Map(Object.entries(bindings).map(([type, text]) => [type, Buffer.from(text)]))
    assert.ok(isTokenMechanism(name))
    const needs = { hashing, mechanism: name, bindings: bound, username: 'juliet', token: secret }
    const client = new HtClient(needs)
    const first = client.begin()
    assert.ok(first.kind === 'response')
    assert.equal(Buffer.from(first.data).toString('base64'), initiator(secret, data))
    assert.equal(client.finish(hmac(secret, 'Responder', data)).kind, 'success')
    for (const wrong of [
      undefined,
      new Uint8Array(0),
      hmac('other', 'Responder', data),
      hmac(secret, 'Initiator', data),
    ]) {
      const other = new HtClient(needs)
      other.begin()
      assert.equal(other.finish(wrong).kind, 'failure')
    }
  })
}

test('without an initial response the client is asked for it', () => {
  const { client } = pair()
  client.ask(header)
  assert.equal(
    client.ask(authenticate('HT-SHA-256-NONE', undefined, `${agent}${fast}`)),
    "<challenge xmlns='urn:xmpp:sasl:2'/>",
  )
  const response = `<response xmlns='urn:xmpp:sasl:2'>${initiator(secret)}</response>`
  assert.match(client.ask(response), /^<success/)
})

const none = 'HT-SHA-256-NONE'
const refusals: readonly (readonly [string, string, string, string, (readonly TokenCandidate[])?])[] = [
  ['a wrong token', 'not-authorized', 'RTK_SASL_TOKEN', authenticate(none, initiator('x'), `${agent}${fast}`)],
  [
    'a name without tokens, the same to the byte',
    'not-authorized',
    'RTK_SASL_TOKEN',
    authenticate(none, initiator(secret, '', 'nobody'), `${agent}${fast}`),
  ],
  [
    'another client than the one that the token is for',
    'not-authorized',
    'RTK_SASL_TOKEN',
    authenticate(none, initiator(secret), `${agent.replace('d456', 'd457')}${fast}`),
  ],
  [
    'a decoy, whose token somebody has guessed',
    'not-authorized',
    'RTK_SASL_TOKEN',
    authenticate(none, initiator('decoy'), `${agent}${fast}`),
    [{ token: 'decoy', use: undefined }],
  ],
  [
    'the proof for another channel',
    'not-authorized',
    'RTK_SASL_TOKEN',
    authenticate('HT-SHA-256-EXPR', initiator(secret, 'another'), `${agent}${fast}`),
  ],
  [
    'section 4.2: a token that is not trusted any more',
    'credentials-expired',
    'RTK_SASL_TOKEN_EXPIRED',
    authenticate(none, initiator(secret), `${agent}${fast}`),
    [candidate(secret, 'one', 'credentials-expired')],
  ],
  [
    'a token of a disabled account',
    'account-disabled',
    'RTK_SASL_ACCOUNT_DISABLED',
    authenticate(none, initiator(secret), `${agent}${fast}`),
    [candidate(secret, 'one', 'account-disabled')],
  ],
  [
    'section 3.4: without <fast/>',
    'invalid-mechanism',
    'RTK_SASL_MECHANISM_UNKNOWN',
    authenticate(none, initiator(secret), agent),
  ],
  [
    'section 4.1: without a user agent',
    'malformed-request',
    'RTK_SASL_AGENT',
    authenticate(none, initiator(secret), fast),
  ],
  [
    'section 4.1: with a user agent that has no id',
    'malformed-request',
    'RTK_SASL_AGENT',
    authenticate(none, initiator(secret), `<user-agent/>${fast}`),
  ],
  [
    'HT-SHA-256-UNIQ, which TLS 1.3 cannot do',
    'invalid-mechanism',
    'RTK_SASL_MECHANISM_UNKNOWN',
    authenticate('HT-SHA-256-UNIQ', initiator(secret), `${agent}${fast}`),
  ],
  ['no NUL', 'malformed-request', 'RTK_SASL_MALFORMED', authenticate(none, 'anVsaWV0', `${agent}${fast}`)],
  [
    'no name',
    'malformed-request',
    'RTK_SASL_MALFORMED',
    authenticate(none, initiator(secret, '', ''), `${agent}${fast}`),
  ],
  [
    'a proof of another length',
    'malformed-request',
    'RTK_SASL_MALFORMED',
    authenticate(none, Buffer.from('juliet\0short').toString('base64'), `${agent}${fast}`),
  ],
  [
    'a name that is no localpart',
    'malformed-request',
    'RTK_SASL_USERNAME',
    authenticate(none, initiator(secret, '', 'a@b'), `${agent}${fast}`),
  ],
]

for (const [title, condition, code, request, candidates] of refusals) {
  test(`refused with ${condition}: ${title}`, () => {
    const { client, driver } = pair(candidates)
    client.ask(header)
    assert.equal(failure(client, request), condition)
    assert.equal(driver.failures.at(-1)?.code, code)
    assert.deepEqual(driver.requests, [])
  })
}

test('temporary-auth-failure: the store does not answer', () => {
  const { client, driver } = pair()
  client.ask(header)
  driver.isUnavailable = true
  const request = authenticate(none, initiator(secret), `${agent}${fast}`)
  assert.equal(failure(client, request), 'temporary-auth-failure')
})

test('section 5.1: the token is found in either place, and all of them are compared', () => {
  const { client, driver } = pair([candidate('newer', 'new'), candidate(secret, 'current')])
  client.ask(header)
  assert.match(client.ask(authenticate(none, initiator(secret), `${agent}${fast}`)), /^<success/)
  assert.equal(driver.signIns[0]?.token?.id, 'current')
})

test('a client whose token failed goes on with another mechanism on the same stream (section 4.1)', () => {
  const { client } = pair()
  client.ask(header)
  assert.equal(failure(client, authenticate(none, initiator('x'), `${agent}${fast}`)), 'not-authorized')
  const password = Buffer.from('\0juliet\0r0m30').toString('base64')
  assert.match(client.ask(authenticate('PLAIN', password, agent)), /^<success/)
})

test('elements: invalidation, a request for a token, and the token with its expiry', () => {
  const el = (text: string) => parseElement(text)
  for (const [value, is] of [
    ['true', true],
    ['1', true],
    ['false', false],
    ['0', false],
    ['yes', false],
  ] as const) {
    assert.equal(isInvalidation(el(`<fast xmlns='urn:xmpp:fast:0' invalidate='${value}'/>`)), is, value)
  }
  assert.equal(isInvalidation(el(fast)), false)
  const wish = (name: string) => [el(`<request-token xmlns='urn:xmpp:fast:0' mechanism='${name}'/>`)]
  assert.equal(requestedToken(wish('HT-SHA-256-EXPR')), 'HT-SHA-256-EXPR')
  assert.equal(requestedToken(wish('SCRAM-SHA-1')), undefined)
  assert.equal(requestedToken([x('request-token', 'urn:xmpp:fast:0')]), undefined)
  const token = tokenElement(secret, new Date(Date.UTC(2020, 2, 12, 14, 36, 15, 250)))
  assert.equal(token.attr('expiry'), '2020-03-12T14:36:15Z')
  assert.equal(token.attr('token'), secret)
})
