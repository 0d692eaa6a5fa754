/** AUTH-06: what makes a token good, and everything that makes it bad. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readVerificationKeys } from '../world/signatures.ts'
import { issuerOf, jwks, part, sharedToken, tokenOf } from './jwt.testing.ts'
import { checkToken, type TokenRules } from './jwt.ts'

const now = Date.UTC(2026, 10, 22)
const seconds = now / 1_000
const issuer = issuerOf('ES256')
const rsa = issuerOf('RS256', '')

function keysIn(text: string) {
  const read = readVerificationKeys(text)
  assert.ok(typeof read !== 'string')
  return read.keys
}

const rules: TokenRules = {
  keys: keysIn(jwks(issuer, rsa)),
  algorithms: ['ES256', 'RS256'],
  issuer: undefined,
  audience: [],
  scope: undefined,
  claim: 'sub',
  leewayMs: 30_000,
}
const good = { sub: 'juliet', exp: seconds + 600 }

/** The localpart, or the code. */
function judged(token: string, more: Partial<TokenRules> = {}, at = now): string {
  const found = checkToken(token, { ...rules, ...more }, 'localhost', at)
  return 'code' in found ? found.code : found.local
}
const claims = (more: Readonly<Record<string, unknown>>, other: Partial<TokenRules> = {}) =>
  judged(tokenOf(issuer, { ...good, ...more }), other)

describe('AUTH-06: a signed token', () => {
  it('names an account by a claim, or is refused', () => {
    assert.equal(judged(tokenOf(issuer, good)), 'juliet')
    assert.equal(judged(tokenOf(rsa, good)), 'juliet')
    assert.equal(claims({ preferred_username: 'romeo' }, { claim: 'preferred_username' }), 'romeo')
    const rows: readonly (readonly [sub: unknown, found: string])[] = [
      ['Juliet', 'juliet'],
      ['juliet@localhost', 'juliet'],
      ['JULIET@LOCALHOST', 'juliet'],
      ['auth0|5f7c8ec7c33c6c004bbafe82', 'auth0|5f7c8ec7c33c6c004bbafe82'],
      ['juliet@elsewhere.example', 'RTK_JWT_ACCOUNT'],
      ['juliet@localhost/balcony', 'RTK_JWT_ACCOUNT'],
      ['@localhost', 'RTK_JWT_ACCOUNT'],
      ['localhost', 'localhost'],
      ['a/b', 'RTK_JWT_ACCOUNT'],
      ['two words', 'RTK_JWT_ACCOUNT'],
      ['', 'RTK_JWT_ACCOUNT'],
      [7, 'RTK_JWT_ACCOUNT'],
      [['juliet'], 'RTK_JWT_ACCOUNT'],
      [undefined, 'RTK_JWT_ACCOUNT'],
    ]
    for (const [sub, found] of rows) assert.equal(claims({ sub }), found, String(sub))
    assert.equal(claims({}, { claim: 'constructor' }), 'RTK_JWT_ACCOUNT')
  })

  it('RFC 7519 sections 4.1.4 and 4.1.5: is good for its time, with a leeway', () => {
    assert.equal(claims({ exp: seconds - 29 }), 'juliet')
    assert.equal(claims({ exp: seconds - 30 }), 'RTK_JWT_EXPIRED')
    assert.equal(claims({ exp: seconds - 1 }, { leewayMs: 0 }), 'RTK_JWT_EXPIRED')
    assert.equal(claims({ exp: seconds }, { leewayMs: 0 }), 'RTK_JWT_EXPIRED')
    assert.equal(claims({ exp: seconds + 0.5 }, { leewayMs: 0 }), 'juliet')
    assert.equal(claims({ nbf: seconds + 30 }), 'juliet')
    assert.equal(claims({ nbf: seconds + 31 }), 'RTK_JWT_NOT_YET')
    assert.equal(claims({ nbf: 'soon' }), 'RTK_JWT_NOT_YET')
    for (const exp of [undefined, null, '9999999999', true]) assert.equal(claims({ exp }), 'RTK_JWT_ENDLESS')
  })

  it('RFC 7519 sections 4.1.1 and 4.1.3: is of the issuer, and for us', () => {
    const iss = 'https://id.example'
    assert.equal(claims({ iss }, { issuer: iss }), 'juliet')
    assert.equal(claims({ iss: `${iss}/` }, { issuer: iss }), 'RTK_JWT_ISSUER')
    assert.equal(claims({}, { issuer: iss }), 'RTK_JWT_ISSUER')
    const rows: readonly (readonly [aud: unknown, audience: readonly string[], found: string])[] = [
      ['xmpp', ['xmpp'], 'juliet'],
      [['mail', 'xmpp'], ['chat', 'xmpp'], 'juliet'],
      ['mail', ['xmpp'], 'RTK_JWT_AUDIENCE'],
      [undefined, ['xmpp'], 'RTK_JWT_AUDIENCE'],
      ['localhost', ['xmpp'], 'RTK_JWT_AUDIENCE'],
      [undefined, [], 'juliet'],
      [['mail', 'localhost'], [], 'juliet'],
      ['mail', [], 'RTK_JWT_AUDIENCE'],
      [[], [], 'RTK_JWT_AUDIENCE'],
      [null, [], 'RTK_JWT_AUDIENCE'],
      [{ xmpp: true }, ['xmpp'], 'RTK_JWT_AUDIENCE'],
    ]
    for (const [aud, audience, found] of rows) assert.equal(claims({ aud }, { audience }), found, String(aud))
  })

  it('RFC 9068 section 2.2.3: has the scope that is needed', () => {
    assert.equal(claims({ scope: 'openid xmpp' }, { scope: 'xmpp' }), 'juliet')
    for (const scope of [undefined, '', 'xmppish', 'openid,xmpp', ['xmpp']])
      assert.equal(claims({ scope }, { scope: 'xmpp' }), 'RTK_JWT_SCOPE')
  })

  it('RFC 8725: is signed by an algorithm that counts, with a key for it', () => {
    const forged = `${part({ alg: 'none' })}.${part(good)}.`
    assert.equal(judged(forged), 'RTK_JWT_ALGORITHM')
    assert.equal(judged(tokenOf(issuer, good), { algorithms: ['RS256'] }), 'RTK_JWT_ALGORITHM')
    assert.equal(judged(tokenOf(issuer, good, { alg: 'RS256' })), 'RTK_JWT_SIGNATURE')
    assert.equal(judged(tokenOf(issuer, good, { alg: ['ES256'] })), 'RTK_JWT_ALGORITHM')
    assert.equal(judged(tokenOf(issuerOf('ES256'), good)), 'RTK_JWT_SIGNATURE')
    // A public key as the secret: even where shared secrets count, it is no key for them.
    const confused = sharedToken(rsa.pem, good)
    assert.equal(judged(confused), 'RTK_JWT_ALGORITHM')
    assert.equal(judged(confused, { algorithms: ['RS256', 'HS256'] }), 'RTK_JWT_KEY')
    assert.equal(judged(tokenOf(issuer, good, { crit: ['b64'], b64: false })), 'RTK_JWT_CRITICAL')
  })

  it('may be signed with a shared secret where that counts', () => {
    const secret = 'a secret of thirty-two bytes ...'
    const keys = keysIn(JSON.stringify({ kty: 'oct', k: Buffer.from(secret).toString('base64url') }))
    assert.equal(judged(sharedToken(secret, good), { keys, algorithms: ['HS256'] }), 'juliet')
    assert.equal(judged(sharedToken('another', good), { keys, algorithms: ['HS256'] }), 'RTK_JWT_SIGNATURE')
    assert.equal(judged(sharedToken(secret, good), { keys }), 'RTK_JWT_ALGORITHM')
  })

  it('names its key, or is tried with those that have no name', () => {
    const other = issuerOf('ES256', 'two')
    const keys = keysIn(jwks(issuer, other))
    assert.equal(judged(tokenOf(other, good), { keys }), 'juliet')
    assert.equal(judged(tokenOf(other, good, { kid: 'one' }), { keys }), 'RTK_JWT_SIGNATURE')
    assert.equal(judged(tokenOf(other, good, { kid: 'three' }), { keys }), 'RTK_JWT_KEY')
    assert.equal(judged(tokenOf(other, good, { kid: undefined }), { keys }), 'juliet')
    assert.equal(judged(tokenOf(rsa, good, { kid: 'whatever' })), 'juliet')
    // Each key is work, and a stranger chooses what is tried.
    const many = keysIn(jwks(...['a', 'b', 'c', 'd'].map((id) => issuerOf('ES256', id)), other))
    assert.equal(judged(tokenOf(other, good), { keys: many }), 'juliet')
    assert.equal(judged(tokenOf(other, good, { kid: undefined }), { keys: many }), 'RTK_JWT_KEY')
    assert.equal(judged(tokenOf(issuer, good), { keys: keysIn(issuer.pem) }), 'juliet')
  })

  it('has one form: what is not strict base64url, JSON and UTF-8 is none', () => {
    const token = tokenOf(issuer, good)
    const [head = '', body = '', tail = ''] = token.split('.')
    const bytes = (data: readonly number[]) => Buffer.from(data).toString('base64url')
    const rows = [
      '',
      '..',
      'a.b',
      `${token}.`,
      `.${token}`,
      `${token}=`,
      `${head}.${body}.${tail}\n`,
      `${head}.${body}`,
      `${bytes([0xff])}.${body}.${tail}`,
      `${part([])}.${body}.${tail}`,
      `${part(null)}.${body}.${tail}`,
      `${Buffer.from('{"alg":"ES256"').toString('base64url')}.${body}.${tail}`,
      `${'['.repeat(4_000)}.${body}.${tail}`,
      `${Buffer.from('['.repeat(4_000)).toString('base64url')}.${body}.${tail}`,
      `${head}.${body}.${tail}.${tail}.${tail}`,
    ]
    for (const row of rows) assert.equal(judged(row), 'RTK_JWT_MALFORMED', row.slice(0, 40))
    // The last character has bits that are not of the signature.
    const loose =
      tail.slice(0, -1) + (tail.endsWith('A') ? 'B' : String.fromCharCode(tail.charCodeAt(tail.length - 1) + 1))
    assert.notEqual(judged(`${head}.${body}.${loose}`), 'juliet')
    assert.equal(judged(tokenOf(issuer, ['juliet'] as never)), 'RTK_JWT_MALFORMED')
    assert.equal(judged(tokenOf(issuer, { ...good, more: 'x'.repeat(9_000) })), 'RTK_JWT_BYTES')
  })
})
