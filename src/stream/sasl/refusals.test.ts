/** What is refused: each row names the bytes that cause it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RealHashing } from '../../world/hashing.ts'
import { readPayload, toBase64, toUtf8, writePayload } from './encoding.ts'
import {
  type ClientStep,
  Decoys,
  deriveScram,
  fromRow,
  MECHANISMS,
  PlainClient,
  PlainServer,
  ScramClient,
  ScramServer,
  type ServerStep,
  serverMechanism,
  stretch,
} from './index.ts'
import { keysOf } from './keys.ts'

const hashing = new RealHashing()
const DOMAIN = 'example.org'
const EXPORTED = toUtf8('exported key material')
const SALT = toUtf8('sixteen bytes ..')
const found = await deriveScram(hashing, 'sha256', 'secret', SALT, 4096)
const salted = await stretch(hashing, 'sha256', 'secret', SALT, 4096)
assert.ok(found)
assert.ok(salted)
const credential = found
const saltedPassword = salted
const decoys = new Decoys(hashing, toUtf8('a secret of thirty-two bytes ...'), 4096)

function scram(plus: boolean, plusOffered = true) {
  const bindings = new Map([['tls-exporter', EXPORTED]])
  return new ScramServer({
    hashing,
    mechanism: 'SCRAM-SHA-256',
    plus,
    plusOffered,
    bindings,
    domain: DOMAIN,
    nonce: 'SERVERNONCE',
  })
}

const codeOf = (step: ServerStep | ClientStep) =>
  step.kind === 'failure' ? `${step.condition} ${step.code}` : step.kind

/** The final message of a client that knows the password, for whatever came before. */
function prove(first: string, challenge: string, withoutProof: string): string {
  const signed = toUtf8(`${first.slice(first.indexOf('n='))},${challenge},${withoutProof}`)
  const { clientKey, storedKey } = keysOf(hashing, 'sha256', saltedPassword)
  const signature = hashing.hmac('sha256', storedKey, signed)
  return `${withoutProof},p=${toBase64(clientKey.map((byte, i) => byte ^ (signature[i] ?? 0)))}`
}

test('AUTH-05: the first message of SCRAM, downgrades too', () => {
  const rows: readonly [string, boolean, string][] = [
    ['n,,n=user,r=abc', false, 'lookup'],
    ['n,a=user@example.org,n=user,r=abc', false, 'lookup'],
    ['p=tls-exporter,,n=user,r=abc', true, 'lookup'],
    ['n,,n=user,r=abc,x=an extension,y=another', false, 'lookup'],
    ['n,,n=USER,r=abc', false, 'lookup'],
    ['y,,n=user,r=abc', false, 'not-authorized RTK_SASL_DOWNGRADE'],
    ['y,,n=user,r=abc', true, 'not-authorized RTK_SASL_DOWNGRADE'],
    ['n,,n=user,r=abc', true, 'malformed-request RTK_SASL_BINDING_MISSING'],
    ['p=tls-exporter,,n=user,r=abc', false, 'malformed-request RTK_SASL_BINDING_MISSING'],
    ['p=tls-unique,,n=user,r=abc', true, 'not-authorized RTK_SASL_BINDING_TYPE'],
    ['p=tls-server-end-point,,n=user,r=abc', true, 'not-authorized RTK_SASL_BINDING_TYPE'],
    ['p=,,n=user,r=abc', true, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,a=other@example.org,n=user,r=abc', false, 'invalid-authzid RTK_SASL_AUTHZID'],
    ['n,a=user@example.org/r,n=user,r=abc', false, 'invalid-authzid RTK_SASL_AUTHZID'],
    ['n,a=example.org,n=user,r=abc', false, 'invalid-authzid RTK_SASL_AUTHZID'],
    ['n,a=,n=user,r=abc', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,a=x=2,n=user,r=abc', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,,m=1,n=user,r=abc', false, 'malformed-request RTK_SASL_EXTENSION'],
    ['n,,n=user,r=abc,m=1', false, 'malformed-request RTK_SASL_EXTENSION'],
    ['n,,n=us=2Cer,r=abc', false, 'lookup'],
    ['n,,n=us=er,r=abc', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,,n=us=2cer,r=abc', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,,n=,r=abc', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,,n=user', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,,n=user,r=', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,,n=user,r=a b', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,,n=user,r=\u00e4', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,,n=user,r=abc,', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,,n=user,r=abc,x=', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,,r=abc,n=user', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['N,,n=user,r=abc', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,n=user,r=abc', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['f,,n=user,r=abc', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,,n=us\u0000er,r=abc', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['\ufeffn,,n=user,r=abc', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['', false, 'malformed-request RTK_SASL_MALFORMED'],
    ['n,,n=a b,r=abc', false, 'malformed-request RTK_SASL_USERNAME'],
    ['n,,n=user@example.org,r=abc', false, 'malformed-request RTK_SASL_USERNAME'],
    [`n,,n=${'u'.repeat(1024)},r=abc`, false, 'malformed-request RTK_SASL_USERNAME'],
    [`n,,n=user,r=${'r'.repeat(4096)}`, false, 'malformed-request RTK_SASL_TOO_LONG'],
  ]
  for (const [message, plus, expected] of rows) {
    assert.equal(codeOf(scram(plus).step(toUtf8(message))), expected, message.slice(0, 60))
  }
  assert.equal(codeOf(scram(false).step(Uint8Array.of(0x6e, 0x2c, 0xff))), 'malformed-request RTK_SASL_UTF8')
  assert.equal(codeOf(scram(false, false).step(toUtf8('y,,n=user,r=abc'))), 'lookup', 'without an offer "y" is right')
})

test('the final message of SCRAM, signed by one who knows the password', () => {
  const nonce = 'abcSERVERNONCE'
  const challenge = `r=${nonce},s=${toBase64(SALT)},i=4096`
  const bound = (header: string, data = EXPORTED) => toBase64(Buffer.concat([toUtf8(header), data]))
  const none = new Uint8Array(0)
  const plain = 'n,,n=user,r=abc'
  const plus = 'p=tls-exporter,,n=user,r=abc'
  const withAuthzid = 'n,a=user@example.org,n=user,r=abc'
  const rows: readonly [string, string, string, string][] = [
    ['without binding', plain, `c=biws,r=${nonce}`, 'success'],
    ['with binding', plus, `c=${bound('p=tls-exporter,,')},r=${nonce}`, 'success'],
    ['with authzid', withAuthzid, `c=${bound('n,a=user@example.org,', none)},r=${nonce}`, 'success'],
    ['an extension', plain, `c=biws,r=${nonce},x=y`, 'success'],
    ['a mandatory extension', plain, `c=biws,r=${nonce},m=y`, 'malformed-request RTK_SASL_EXTENSION'],
    ['another flag', plain, `c=eSws,r=${nonce}`, 'not-authorized RTK_SASL_BINDING_MISMATCH'],
    ['authzid left out', withAuthzid, `c=biws,r=${nonce}`, 'not-authorized RTK_SASL_BINDING_MISMATCH'],
    ['data where none belongs', plain, `c=${bound('n,,')},r=${nonce}`, 'not-authorized RTK_SASL_BINDING_MISMATCH'],
    ['no data', plus, `c=${bound('p=tls-exporter,,', none)},r=${nonce}`, 'not-authorized RTK_SASL_BINDING_MISMATCH'],
    [
      'another channel',
      plus,
      `c=${bound('p=tls-exporter,,', SALT)},r=${nonce}`,
      'not-authorized RTK_SASL_BINDING_MISMATCH',
    ],
    ['our nonce left out', plain, 'c=biws,r=abc', 'not-authorized RTK_SASL_NONCE'],
    ['a longer nonce', plain, `c=biws,r=${nonce}x`, 'not-authorized RTK_SASL_NONCE'],
    ['the order turned', plain, `r=${nonce},c=biws`, 'malformed-request RTK_SASL_MALFORMED'],
    ['a channel that is no base64', plain, `c=b,iws,r=${nonce}`, 'malformed-request RTK_SASL_MALFORMED'],
  ]
  for (const [why, first, withoutProof, expected] of rows) {
    const server = scram(first.startsWith('p'))
    assert.equal(server.step(toUtf8(first)).kind, 'lookup')
    assert.equal(server.resume({ kind: 'credential', credential, isKnown: true }).kind, 'challenge')
    assert.equal(codeOf(server.step(toUtf8(prove(first, challenge, withoutProof)))), expected, why)
    assert.equal(
      codeOf(server.step(toUtf8(prove(first, challenge, withoutProof)))),
      'malformed-request RTK_SASL_OUT_OF_ORDER',
    )
  }
})

test('proofs that are none, and accounts that may not come in', () => {
  const first = 'n,,n=user,r=abc'
  const challenge = `r=abcSERVERNONCE,s=${toBase64(SALT)},i=4096`
  const right = prove(first, challenge, 'c=biws,r=abcSERVERNONCE')
  const after = (answer: Parameters<ScramServer['resume']>[0], message: string) => {
    const server = scram(false)
    server.step(toUtf8(first))
    const step = server.resume(answer)
    return step.kind === 'challenge' ? codeOf(server.step(toUtf8(message))) : codeOf(step)
  }
  const known = { kind: 'credential', credential, isKnown: true } as const
  const zeros = 'c=biws,r=abcSERVERNONCE,p='
  assert.equal(after(known, right), 'success')
  assert.equal(after({ ...known, isKnown: false }, right), 'not-authorized RTK_SASL_CREDENTIALS')
  assert.equal(after(known, zeros + toBase64(new Uint8Array(32))), 'not-authorized RTK_SASL_CREDENTIALS')
  assert.equal(after(known, zeros + toBase64(new Uint8Array(31))), 'not-authorized RTK_SASL_CREDENTIALS')
  assert.equal(after(known, zeros + toBase64(new Uint8Array(64))), 'not-authorized RTK_SASL_CREDENTIALS')
  assert.equal(after(known, zeros), 'malformed-request RTK_SASL_MALFORMED')
  assert.equal(after(known, `${zeros}AAAA=`), 'malformed-request RTK_SASL_MALFORMED')
  const wrong = zeros + toBase64(new Uint8Array(32))
  for (const refusal of ['account-disabled', 'credentials-expired'] as const) {
    assert.match(after({ ...known, refusal }, right), new RegExp(`^${refusal} `))
    assert.equal(after({ ...known, refusal }, wrong), 'not-authorized RTK_SASL_CREDENTIALS', 'only after the proof')
  }
  assert.equal(after({ kind: 'unavailable' }, right), 'temporary-auth-failure RTK_SASL_UNAVAILABLE')
  assert.equal(after({ kind: 'verified', result: 'right' }, right), 'malformed-request RTK_SASL_OUT_OF_ORDER')
})

test('AUTH-01: PLAIN', () => {
  const rows: readonly [string, string][] = [
    ['\0user\0secret', 'verify'],
    ['user@example.org\0User\0secret', 'verify'],
    ['other@example.org\0user\0secret', 'invalid-authzid RTK_SASL_AUTHZID'],
    ['user\0user\0secret', 'invalid-authzid RTK_SASL_AUTHZID'],
    ['\0\0secret', 'malformed-request RTK_SASL_MALFORMED'],
    ['\0user\0', 'malformed-request RTK_SASL_MALFORMED'],
    ['\0user', 'malformed-request RTK_SASL_MALFORMED'],
    ['user', 'malformed-request RTK_SASL_MALFORMED'],
    ['', 'malformed-request RTK_SASL_MALFORMED'],
    ['\0user\0secret\0', 'malformed-request RTK_SASL_MALFORMED'],
    ['\0user\0sec\0ret', 'malformed-request RTK_SASL_MALFORMED'],
    ['\0us er\0secret', 'malformed-request RTK_SASL_USERNAME'],
    ['\0user\0sec\tret', 'not-authorized RTK_SASL_CREDENTIALS'],
    [`\0user\0${'s'.repeat(4096)}`, 'malformed-request RTK_SASL_TOO_LONG'],
    [`${'a'.repeat(255)}@example.org\0${'a'.repeat(255)}\0${'s'.repeat(255)}`, 'verify'],
  ]
  for (const [message, expected] of rows) {
    assert.equal(codeOf(new PlainServer(DOMAIN).step(toUtf8(message))), expected, JSON.stringify(message.slice(0, 40)))
  }
  assert.equal(codeOf(new PlainServer(DOMAIN).step(Uint8Array.of(0, 0xc3, 0, 0x61))), 'malformed-request RTK_SASL_UTF8')
  const step = new PlainServer(DOMAIN).step(toUtf8('\0USER\0a\u030a'))
  assert.deepEqual(step, { kind: 'verify', username: 'user', password: '\u00e5' })
  const results = [
    ['right', 'success'],
    ['wrong', 'not-authorized RTK_SASL_CREDENTIALS'],
    ['account-disabled', 'account-disabled RTK_SASL_ACCOUNT_DISABLED'],
    ['credentials-expired', 'credentials-expired RTK_SASL_CREDENTIALS_EXPIRED'],
  ] as const
  for (const [result, expected] of results) {
    const server = new PlainServer(DOMAIN)
    server.step(toUtf8('\0user\0secret'))
    assert.equal(codeOf(server.resume({ kind: 'verified', result })), expected)
    assert.equal(codeOf(server.resume({ kind: 'verified', result })), 'malformed-request RTK_SASL_OUT_OF_ORDER')
  }
  const server = new PlainServer(DOMAIN)
  server.step(toUtf8('\0user\0secret'))
  assert.equal(codeOf(server.resume({ kind: 'unavailable' })), 'temporary-auth-failure RTK_SASL_UNAVAILABLE')
})

test('AUTH-05: a client does not take everything for a server', () => {
  const after = (...challenges: string[]) => {
    const client = new ScramClient({
      hashing,
      mechanism: 'SCRAM-SHA-256',
      binding: 'n',
      username: 'user',
      nonce: 'abc',
    })
    client.begin()
    let step: ClientStep = { kind: 'success' }
    for (const challenge of challenges) {
      step = client.step(toUtf8(challenge))
      if (step.kind === 'stretch') step = client.resume(saltedPassword)
    }
    return { client, step }
  }
  const salt = toBase64(SALT)
  const good = `r=abcXYZ,s=${salt},i=4096`
  const rows: readonly [string, string][] = [
    [good, 'response'],
    [`${good},x=y`, 'response'],
    [`r=abc,s=${salt},i=4096`, 'aborted RTK_SASL_SERVER_NONCE'],
    [`r=abXYZ,s=${salt},i=4096`, 'aborted RTK_SASL_SERVER_NONCE'],
    [`r=abcXYZ,s=${salt},i=4095`, 'aborted RTK_SASL_ITERATIONS'],
    [`r=abcXYZ,s=${salt},i=4000000000`, 'aborted RTK_SASL_ITERATIONS'],
    [`r=abcXYZ,s=${salt},i=0`, 'malformed-request RTK_SASL_MALFORMED'],
    ['r=abcXYZ,s=,i=4096', 'malformed-request RTK_SASL_MALFORMED'],
    ['r=abcXYZ,s=A===,i=4096', 'malformed-request RTK_SASL_MALFORMED'],
    [`m=1,${good}`, 'malformed-request RTK_SASL_EXTENSION'],
    ['e=unknown-user', 'malformed-request RTK_SASL_MALFORMED'],
    ['x'.repeat(5000), 'malformed-request RTK_SASL_TOO_LONG'],
  ]
  for (const [challenge, expected] of rows)
    assert.equal(codeOf(after(challenge).step), expected, challenge.slice(0, 40))

  const signed = `n=user,r=abc,${good},c=biws,r=abcXYZ`
  const signature = toBase64(hashing.hmac('sha256', credential.serverKey, toUtf8(signed)))
  const finals: readonly [string | undefined, string][] = [
    [`v=${signature}`, 'success'],
    [`v=${signature},x=y`, 'success'],
    [undefined, 'aborted RTK_SASL_SERVER_PROOF'],
    ['', 'malformed-request RTK_SASL_MALFORMED'],
    [`v=${toBase64(new Uint8Array(32))}`, 'aborted RTK_SASL_SERVER_PROOF'],
    ['v=AAAA', 'aborted RTK_SASL_SERVER_PROOF'],
    ['e=other-error', 'not-authorized RTK_SASL_SERVER_ERROR'],
  ]
  for (const [data, expected] of finals) {
    assert.equal(
      codeOf(after(good).client.finish(data === undefined ? undefined : toUtf8(data))),
      expected,
      data ?? 'no data',
    )
  }
  // The server's last message as a challenge, the success after it without data (RFC 6120 section 6.3.10).
  const late = after(good, `v=${signature}`)
  assert.equal(codeOf(late.step), 'response')
  assert.equal(codeOf(late.client.finish(undefined)), 'success')
  assert.equal(codeOf(after(good, `v=${toBase64(new Uint8Array(32))}`).step), 'aborted RTK_SASL_SERVER_PROOF')
  assert.equal(
    codeOf(after().client.finish(toUtf8(`v=${signature}`))),
    'aborted RTK_SASL_SERVER_PROOF',
    'success too early',
  )
})

test('calls out of order are failures in both roles', () => {
  const out = 'malformed-request RTK_SASL_OUT_OF_ORDER'
  assert.equal(codeOf(scram(false).resume({ kind: 'credential', credential, isKnown: true })), out)
  const server = scram(false)
  assert.equal(server.step(undefined).kind, 'challenge')
  assert.equal(codeOf(server.step(undefined)), out)
  const asked = scram(false)
  asked.step(toUtf8('n,,n=user,r=abc'))
  assert.equal(codeOf(asked.step(toUtf8('n,,n=user,r=abc'))), out, 'a message while a look-up is open')
  const client = new ScramClient({ hashing, mechanism: 'SCRAM-SHA-1', binding: 'y', username: 'u', nonce: 'n' })
  assert.equal(codeOf(client.step(toUtf8('r=nx'))), out)
  assert.equal(codeOf(client.begin()), out)
  const plain = new PlainClient({ username: 'u', password: 'p' })
  assert.equal(codeOf(plain.finish(undefined)), out)
  assert.equal(codeOf(plain.begin()), out)
  const sent = new PlainClient({ username: 'u', password: 'p' })
  assert.equal(sent.begin().kind, 'response')
  assert.equal(codeOf(sent.step()), out)
})

test('only what was offered is made', () => {
  const needs = { hashing, domain: DOMAIN, bindings: new Map(), nonce: 'n' }
  assert.equal(serverMechanism('PLAIN', { ...needs, offered: ['SCRAM-SHA-1'] }), undefined)
  assert.equal(serverMechanism('EXTERNAL', { ...needs, offered: ['EXTERNAL'] }), undefined)
  for (const name of MECHANISMS) assert.ok(serverMechanism(name, { ...needs, offered: MECHANISMS }))
})

test('payloads: base64 is strict, "=" is no bytes', () => {
  const rows: readonly [string, string | undefined][] = [
    ['', undefined],
    ['=', ''],
    ['YQ==', 'a'],
    ['YWI=', 'ab'],
    ['YWJj', 'abc'],
  ]
  for (const [payload, data] of rows) {
    const read = readPayload(payload)
    assert.ok(read !== 'bad')
    assert.deepEqual(read === undefined ? undefined : Buffer.from(read).toString(), data)
    assert.equal(writePayload(read), payload)
  }
  for (const bad of ['YQ', 'YQ=', 'YQ===', 'YR==', 'Y Q==', 'YQ==\n', 'Y-_=', '====', '\u00e4']) {
    assert.equal(readPayload(bad), 'bad', bad)
  }
})

test('property: garbage never throws and never signs in', () => {
  const bytes = fc.uint8Array({ maxLength: 60 })
  const near = fc
    .array(
      fc.constantFrom(
        'n',
        'y',
        'p=',
        ',',
        ',,',
        'n=',
        'r=',
        'a',
        'm=',
        'c=',
        'biws',
        '=2C',
        '=',
        '\0',
        'tls-exporter',
        's=',
        'i=1',
        'v=',
      ),
      { maxLength: 12 },
    )
    .map((parts) => toUtf8(parts.join('')))
  fc.assert(
    fc.property(fc.constantFrom(...MECHANISMS), fc.array(fc.oneof(bytes, near), { maxLength: 4 }), (name, inputs) => {
      const bindings = new Map([['tls-exporter', EXPORTED]])
      const server = serverMechanism(name, {
        hashing,
        domain: DOMAIN,
        offered: MECHANISMS,
        bindings,
        nonce: 'SERVERNONCE',
      })
      const client = new ScramClient({ hashing, mechanism: 'SCRAM-SHA-1', binding: 'n', username: 'u', nonce: 'a' })
      client.begin()
      assert.ok(server)
      for (const input of inputs) {
        let step = server.step(input)
        if (step.kind === 'lookup') step = server.resume(decoys.answer(step, undefined))
        if (step.kind === 'verify') step = server.resume({ kind: 'verified', result: 'wrong' })
        assert.notEqual(step.kind, 'success')
        assert.notEqual(client.step(input).kind, 'success')
      }
    }),
    { numRuns: 3000 },
  )
  fc.assert(
    fc.property(fc.string({ maxLength: 30 }), bytes, (parameters, value) => {
      assert.equal(fromRow({ mechanism: 'SCRAM-SHA-1', parameters, value }), undefined)
    }),
    { numRuns: 500 },
  )
})

test('property: a final message with any byte changed does not sign in', () => {
  const first = 'p=tls-exporter,,n=user,r=abc'
  const challenge = `r=abcSERVERNONCE,s=${toBase64(SALT)},i=4096`
  const channel = toBase64(Buffer.concat([toUtf8('p=tls-exporter,,'), EXPORTED]))
  const right = toUtf8(prove(first, challenge, `c=${channel},r=abcSERVERNONCE`))
  fc.assert(
    fc.property(fc.nat(right.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const message = Uint8Array.from(right)
      message[at] = (message[at] ?? 0) ^ change
      const server = scram(true)
      server.step(toUtf8(first))
      server.resume({ kind: 'credential', credential, isKnown: true })
      assert.equal(server.step(message).kind, 'failure')
    }),
    { numRuns: 2000 },
  )
})
