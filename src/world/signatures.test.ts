/** Keys of tokens as files hold them, and the signatures that they verify. */
import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { type Issuer, issuerOf, jwks, tokenOf } from '../auth/jwt.testing.ts'
import {
  KEYS_MAX,
  readVerificationKeys,
  type SignatureAlgorithm,
  signatureAlgorithms,
  type VerificationKey,
} from './signatures.ts'

function keysIn(text: string): readonly VerificationKey[] {
  const read = readVerificationKeys(text)
  assert.ok(typeof read !== 'string', String(read))
  return read.keys
}

function isGood(key: VerificationKey | undefined, alg: string, token: string): boolean {
  const end = token.lastIndexOf('.')
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  return key?.verify(alg as SignatureAlgorithm, Buffer.from(token.slice(0, end)), signature) ?? false
}

const rsa = issuerOf('RS256')
const all: readonly Issuer[] = [
  rsa,
  ...['RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((alg) => ({ ...rsa, alg })),
  ...['ES256', 'ES384', 'ES512', 'EdDSA'].map((alg) => issuerOf(alg)),
]

describe('a signature', () => {
  it('is verified by a key of a JWKS and of PEM, and a changed one by neither', () => {
    for (const issuer of [...all, { ...issuerOf('EdDSA'), alg: 'Ed25519' }]) {
      const token = tokenOf(issuer, { sub: 'juliet' })
      for (const text of [jwks(issuer), JSON.stringify(issuer.jwk), issuer.pem]) {
        const [key] = keysIn(text)
        assert.ok(isGood(key, issuer.alg, token), issuer.alg)
        assert.equal(isGood(key, issuer.alg, token.replace('.', '.X')), false)
        assert.equal(isGood(key, issuer.alg, `${token.slice(0, -4)}AAAA`), false)
        assert.equal(isGood(key, issuer.alg, `${token}AAAA`), false)
        assert.equal(isGood(key, issuer.alg, token.slice(0, token.lastIndexOf('.') + 1)), false)
      }
    }
  })

  it('RFC 7515 appendix A.1: by a shared secret, byte for byte', () => {
    const k = 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow'
    const token =
      'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
    const [key] = keysIn(JSON.stringify({ kty: 'oct', k }))
    assert.ok(isGood(key, 'HS256', token))
    assert.equal(isGood(key, 'HS256', `${token.slice(0, -1)}o`), false)
    assert.equal(isGood(key, 'HS384', token), false)
  })

  it('RFC 8725 section 3.1: a key verifies by its own algorithms only, so that no public key is taken for a secret', () => {
    for (const issuer of all) {
      const [key] = keysIn(jwks(issuer))
      const forged = (text: string) => {
        const signed = 'e30.e30'
        return `${signed}.${createHmac('sha256', text).update(signed).digest('base64url')}`
      }
      assert.equal(isGood(key, 'HS256', forged(issuer.pem)), false)
      assert.equal(isGood(key, 'none', 'e30.e30.'), false)
      for (const alg of signatureAlgorithms) {
        const mayBe = key?.algorithms.includes(alg) === true
        assert.equal(mayBe, familyOf(alg) === familyOf(issuer.alg), `${issuer.alg} by ${alg}`)
      }
    }
  })
})

/** Algorithms that share their keys. */
const familyOf = (alg: string) => (/^[RP]S/.test(alg) ? 'RSA' : alg.startsWith('Ed') ? 'Ed' : alg)

describe('a file of keys', () => {
  it('RFC 7517 section 5: keys that are of no use are passed over', () => {
    const good = issuerOf('ES256', 'good')
    const others = [
      { kty: 'AKP', kid: 'unknown' },
      { ...issuerOf('RS256', 'enc').jwk, use: 'enc' },
      { ...issuerOf('ES256', 'signs').jwk, key_ops: ['sign'] },
      { ...issuerOf('ES256', 'other').jwk, alg: 'RS256' },
      { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' },
      { kty: 'oct', k: 'c2hvcnQ' },
      null,
    ]
    const read = readVerificationKeys(JSON.stringify({ keys: [...others, good.jwk] }))
    assert.ok(typeof read !== 'string')
    assert.deepEqual(
      read.keys.map(({ id }) => id),
      ['good'],
    )
    assert.equal(read.skipped.length, others.length)
    assert.match(read.skipped.join('\n'), /^key enc: it is for 'enc', not for signatures$/m)
    const short = readVerificationKeys(jwks(issuerOf('RS256', 'short', 1024)))
    assert.match(String(short), /no key in it can be used: key short: RSA, 1024 bits is of no use/)
  })

  it('may limit a key to one algorithm', () => {
    const issuer = issuerOf('RS256')
    const [key] = keysIn(JSON.stringify({ keys: [{ ...issuer.jwk, alg: 'RS256', use: 'sig' }] }))
    assert.deepEqual(key?.algorithms, ['RS256'])
    assert.ok(isGood(key, 'RS256', tokenOf(issuer, {})))
    assert.equal(isGood(key, 'PS256', tokenOf({ ...issuer, alg: 'PS256' }, {})), false)
  })

  it('holds several in PEM, and no private one', () => {
    const [one, two] = [issuerOf('ES256'), issuerOf('EdDSA')]
    assert.equal(keysIn(`# ours\n${one.pem}\n${two.pem}`).length, 2)
    const { privateKey } = generateKeyPairSync('ed25519', {
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    })
    assert.match(String(readVerificationKeys(privateKey)), /a private key is in it/)
  })

  it('that is none is told in words', () => {
    const many = Array.from({ length: KEYS_MAX + 1 }, () => one.jwk)
    const rows: readonly (readonly [text: string, fault: RegExp])[] = [
      ['', /neither PEM nor JSON/],
      ['[]', /no JWKS/],
      ['{"key":1}', /no JWKS/],
      ['{"keys":[]}', /there is no key in it/],
      ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', /no key in it can be used: public key: /],
      ['-----BEGIN PUBLIC KEY-----\nAAAA', /there is no key in it/],
      [JSON.stringify({ keys: many }), /17 keys are more than 16/],
      [one.pem.repeat(5), /5 keys without a name \('kid'\) are more than 4/],
    ]
    for (const [text, fault] of rows) assert.match(String(readVerificationKeys(text)), fault)
  })
})

const one = issuerOf('EdDSA')
