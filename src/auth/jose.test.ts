/** AUTH-06: a foreign library, `jose`, makes keys and tokens that we take, and refuses what we refuse. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  createLocalJWKSet,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  generateSecret,
  type JWK,
  jwtVerify,
  SignJWT,
} from 'jose'
import { readVerificationKeys, type SignatureAlgorithm, signatureAlgorithms } from '../world/signatures.ts'
import { issuerOf, part, sharedToken, tokenOf } from './jwt.testing.ts'
import { checkToken, type TokenRules } from './jwt.ts'

const now = new Date('2026-11-22T12:00:00Z')
const seconds = now.getTime() / 1_000

function rulesFor(text: string, algorithms = signatureAlgorithms, more: Partial<TokenRules> = {}): TokenRules {
  const read = readVerificationKeys(text)
  assert.ok(typeof read !== 'string', String(read))
  const plain = { issuer: undefined, audience: [], scope: undefined, claim: 'sub', leewayMs: 0 }
  return { keys: read.keys, algorithms, ...plain, ...more }
}

const signedBy = (key: CryptoKey | Uint8Array, alg: string) =>
  new SignJWT({})
    .setProtectedHeader({ alg, kid: 'k' })
    .setSubject('juliet')
    .setExpirationTime(seconds + 60)
    .sign(key)

describe('tokens and keys made by jose', () => {
  for (const alg of signatureAlgorithms.filter((name) => !name.startsWith('HS'))) {
    it(`${alg}: of a JWKS and of PEM`, async () => {
      const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
      const token = await signedBy(privateKey, alg)
      const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg, use: 'sig' }
      for (const text of [JSON.stringify({ keys: [jwk] }), await exportSPKI(publicKey)]) {
        assert.deepEqual(checkToken(token, rulesFor(text, [alg]), 'localhost', now.getTime()), { local: 'juliet' })
      }
    })
  }

  it('HS256, HS384, HS512: of a shared secret', async () => {
    for (const alg of ['HS256', 'HS384', 'HS512'] as const) {
      const secret = (await generateSecret(alg, { extractable: true })) as CryptoKey
      const text = JSON.stringify(await exportJWK(secret))
      const found = checkToken(await signedBy(secret, alg), rulesFor(text, [alg]), 'localhost', now.getTime())
      assert.deepEqual(found, { local: 'juliet' })
    }
  })
})

describe('what jose and we say of a token', () => {
  const [ec, rsa, other] = [issuerOf('ES256', 'ec'), issuerOf('RS256', 'rsa'), issuerOf('ES256', 'ec')]
  const keys = [ec.jwk, rsa.jwk]
  const algorithms = ['ES256', 'RS256'] as const
  const good = { sub: 'juliet', exp: seconds + 60, iss: 'https://id.example', aud: ['xmpp'] }
  const issuer = 'https://id.example'
  const whole = tokenOf(ec, good)
  const [head = '', body = '', tail = ''] = whole.split('.')
  const flipped = (at: number) => `${whole.slice(0, at)}${whole[at] === 'A' ? 'B' : 'A'}${whole.slice(at + 1)}`
  const rows: readonly (readonly [name: string, token: string])[] = [
    ['good', whole],
    ['good, by the other key', tokenOf(rsa, good)],
    ['aud as a text', tokenOf(ec, { ...good, aud: 'xmpp' })],
    ['not yet bad', tokenOf(ec, { ...good, exp: seconds + 1, nbf: seconds })],
    ['expired', tokenOf(ec, { ...good, exp: seconds })],
    ['expired long ago', tokenOf(ec, { ...good, exp: 0 })],
    ['without an end', tokenOf(ec, { ...good, exp: undefined })],
    ['an end in words', tokenOf(ec, { ...good, exp: '2099-01-01' })],
    ['not good yet', tokenOf(ec, { ...good, nbf: seconds + 1 })],
    ['nbf in words', tokenOf(ec, { ...good, nbf: 'now' })],
    ['another issuer', tokenOf(ec, { ...good, iss: 'https://id.example.net' })],
    ['for somebody else', tokenOf(ec, { ...good, aud: ['mail'] })],
    ['for nobody', tokenOf(ec, { ...good, aud: undefined })],
    ['without sub', tokenOf(ec, { ...good, sub: undefined })],
    ['of a stranger with the same kid', tokenOf(other, good)],
    ['alg of another key', tokenOf(ec, good, { alg: 'RS256' })],
    ['alg that does not count', tokenOf({ ...rsa, alg: 'PS256' }, good)],
    ['unknown kid', tokenOf(ec, good, { kid: 'x' })],
    ['none', `${part({ alg: 'none' })}.${part(good)}.`],
    ['none, with a signature', `${part({ alg: 'none' })}.${body}.${tail}`],
    ['a public key as the secret', sharedToken(rsa.pem, good)],
    ['an extension that is critical', tokenOf(ec, good, { crit: ['x'], x: 1 })],
    ['without signature', `${head}.${body}.`],
    ['two parts', `${head}.${body}`],
    ['four parts', `${whole}.${tail}`],
    ['another payload', `${head}.${part({ ...good, sub: 'romeo' })}.${tail}`],
    ['payload is no object', tokenOf(ec, [1] as never)],
    [
      'signature in DER',
      `${head}.${body}.${Buffer.concat([Buffer.from('3044', 'hex'), Buffer.from(tail, 'base64url')]).toString('base64url')}`,
    ],
    ['empty', ''],
    ...Array.from({ length: 40 }, (_, n) => {
      const at = Math.floor((n * whole.length) / 40)
      return [`bit ${at}`, flipped(at)] as const
    }),
  ]

  it('is the same', async () => {
    const set = createLocalJWKSet({ keys: keys as unknown as JWK[] })
    const rules = rulesFor(JSON.stringify({ keys }), algorithms as unknown as readonly SignatureAlgorithm[], {
      issuer,
      audience: ['xmpp'],
    })
    let taken = 0
    for (const [name, token] of rows) {
      const theirs = await jwtVerify(token, set, {
        algorithms: [...algorithms],
        issuer,
        audience: 'xmpp',
        currentDate: now,
        requiredClaims: ['exp', 'sub'],
      }).then(
        ({ payload }) => payload.sub,
        () => undefined,
      )
      const ours = checkToken(token, rules, 'localhost', now.getTime())
      assert.equal('code' in ours ? undefined : ours.local, theirs, name)
      if (theirs !== undefined) taken++
    }
    assert.equal(taken, 4)
  })
})
