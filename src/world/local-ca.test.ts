import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { derIdentifier, derInteger, derSequence, derTime, derValue } from './der.ts'
import { HOST_VALID_DAYS, makeAuthority, makeHostCertificate, renewLocalCertificates } from './local-ca.ts'
import { endPointHash } from './x509.ts'

const NOW = new Date('2026-06-01T12:00:00Z')
const DAY_MS = 86_400_000

describe('local certificate authority', () => {
  const authority = makeAuthority(NOW)
  const host = makeHostCertificate(authority, ['example.org', 'bücher.example', '10.1.2.3', '2001:db8::7'], NOW)
  const root = new X509Certificate(authority.certPem)
  const leaf = new X509Certificate(host.certPem)

  it('signs a certificate that is for its hosts and loopback, and no other', () => {
    assert.equal(root.ca, true)
    assert.equal(leaf.ca, false)
    assert.ok(leaf.checkIssued(root) && leaf.verify(root.publicKey) && root.verify(root.publicKey))
    for (const name of ['example.org', 'xn--bcher-kva.example', 'localhost']) assert.equal(leaf.checkHost(name), name)
    for (const address of ['10.1.2.3', '2001:db8::7', '127.0.0.1', '::1']) assert.equal(leaf.checkIP(address), address)
    assert.equal(leaf.checkHost('other.example'), undefined)
    assert.equal(leaf.checkHost('a.example.org'), undefined)
    assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    assert.equal(leaf.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
  })

  it('gives keys in PKCS #8 that fit', () => {
    assert.match(host.keyPem, /^-----BEGIN PRIVATE KEY-----/)
    assert.ok(leaf.checkPrivateKey(createPrivateKey(host.keyPem)))
    assert.deepEqual(
      createPublicKey(authority.keyPem).export({ type: 'spki', format: 'der' }),
      root.publicKey.export({ type: 'spki', format: 'der' }),
    )
  })

  it('is valid from an hour ago for no longer than verifiers accept', () => {
    const [from, to] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)]
    assert.equal(from, NOW.getTime() - 3_600_000)
    assert.equal(to - from, HOST_VALID_DAYS * DAY_MS)
    // Near the root's end a host certificate ends with it.
    const late = makeHostCertificate(authority, [], new Date(Date.parse(root.validTo) - 100 * DAY_MS))
    assert.equal(new X509Certificate(late.certPem).validTo, root.validTo)
  })

  it('carries what strict verifiers ask for: key identifiers that fit, and critical constraints', () => {
    const has = (certificate: X509Certificate, part: Uint8Array): boolean => certificate.raw.includes(Buffer.from(part))
    const point = root.publicKey.export({ type: 'spki', format: 'der' }).subarray(-65)
    const identifier = createHash('sha256').update(point).digest().subarray(0, 20)
    const critical = derValue(0x01, Buffer.from([0xff]))
    assert.ok(has(root, Buffer.concat([derIdentifier('2.5.29.14'), derValue(0x04, derValue(0x04, identifier))])))
    assert.ok(
      has(leaf, Buffer.concat([derIdentifier('2.5.29.35'), derValue(0x04, derSequence(derValue(0x80, identifier)))])),
    )
    for (const extension of ['2.5.29.19', '2.5.29.15']) {
      for (const one of [root, leaf]) assert.ok(has(one, Buffer.concat([derIdentifier(extension), critical])))
    }
  })

  it('is accepted by OpenSSL in strict mode', (context) => {
    if (spawnSync('openssl', ['version']).status !== 0) {
      context.skip('no openssl command here')
      return
    }
    const folder = mkdtempSync(join(tmpdir(), 'ratatosk-ca-'))
    try {
      writeFileSync(join(folder, 'root'), authority.certPem)
      writeFileSync(join(folder, 'leaf'), host.certPem)
      const verify = (...more: string[]) =>
        spawnSync(
          'openssl',
          [
            'verify',
            '-x509_strict',
            '-attime',
            String(NOW.getTime() / 1_000),
            '-purpose',
            'sslserver',
            ...more,
            '-CAfile',
            join(folder, 'root'),
            join(folder, 'leaf'),
          ],
          { encoding: 'utf8' },
        )
      const good = verify('-verify_hostname', 'example.org')
      assert.equal(good.status, 0, good.stderr)
      assert.notEqual(verify('-verify_hostname', 'other.example').status, 0)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('keeps what is good and renews what is not', () => {
    const first = renewLocalCertificates({}, ['example.org'], NOW)
    assert.deepEqual([first.authorityIsNew, first.hostIsNew], [true, true])
    const again = renewLocalCertificates(first, ['example.org'], NOW)
    assert.deepEqual(again, { ...first, authorityIsNew: false, hostIsNew: false })
    const wider = renewLocalCertificates(first, ['example.org', 'chat.example.org'], NOW)
    assert.deepEqual([wider.authorityIsNew, wider.hostIsNew], [false, true])
    const narrower = renewLocalCertificates(wider, ['example.org'], NOW)
    assert.deepEqual([narrower.authorityIsNew, narrower.hostIsNew], [false, true])
    assert.equal(new X509Certificate(narrower.host.certPem).checkHost('chat.example.org'), undefined)
    const old = renewLocalCertificates(
      first,
      ['example.org'],
      new Date(NOW.getTime() + (HOST_VALID_DAYS - 20) * DAY_MS),
    )
    assert.deepEqual([old.authorityIsNew, old.hostIsNew], [false, true])
    const ancient = renewLocalCertificates(first, ['example.org'], new Date(NOW.getTime() + 3_640 * DAY_MS))
    assert.deepEqual([ancient.authorityIsNew, ancient.hostIsNew], [true, true])
    const foreign = renewLocalCertificates({ authority: makeAuthority(NOW), host: first.host }, ['example.org'], NOW)
    assert.deepEqual([foreign.authorityIsNew, foreign.hostIsNew], [false, true])
  })
})

describe('hash of tls-server-end-point (RFC 5929 section 4.1)', () => {
  const certificate = (algorithm: Uint8Array): Uint8Array =>
    derSequence(
      derSequence(derInteger(Buffer.from([1])), Buffer.alloc(300)),
      algorithm,
      derValue(0x03, Buffer.from([0, 1])),
    )
  const pss = (...parameters: Uint8Array[]): Uint8Array =>
    derSequence(derIdentifier('1.2.840.113549.1.1.10'), derSequence(...parameters))
  const rows: readonly [string, Uint8Array, string | undefined][] = [
    ['MD5 with RSA', derSequence(derIdentifier('1.2.840.113549.1.1.4')), 'sha256'],
    ['SHA-1 with RSA', derSequence(derIdentifier('1.2.840.113549.1.1.5')), 'sha256'],
    ['SHA-256 with RSA', derSequence(derIdentifier('1.2.840.113549.1.1.11')), 'sha256'],
    ['SHA-384 with RSA', derSequence(derIdentifier('1.2.840.113549.1.1.12')), 'sha384'],
    ['SHA-512 with RSA', derSequence(derIdentifier('1.2.840.113549.1.1.13')), 'sha512'],
    ['ECDSA with SHA-256', derSequence(derIdentifier('1.2.840.10045.4.3.2')), 'sha256'],
    ['ECDSA with SHA-384', derSequence(derIdentifier('1.2.840.10045.4.3.3')), 'sha384'],
    ['ECDSA with SHA-512', derSequence(derIdentifier('1.2.840.10045.4.3.4')), 'sha512'],
    ['RSASSA-PSS, default hash SHA-1', pss(), 'sha256'],
    ['RSASSA-PSS with SHA-512', pss(derValue(0xa0, derSequence(derIdentifier('2.16.840.1.101.3.4.2.3')))), 'sha512'],
    ['Ed25519', derSequence(derIdentifier('1.3.101.112')), undefined],
  ]
  for (const [name, algorithm, hash] of rows) it(name, () => assert.equal(endPointHash(certificate(algorithm)), hash))

  it('is undefined for what is no certificate, cut anywhere', () => {
    const whole = certificate(rows[0]?.[1] ?? Buffer.alloc(0))
    for (let length = 0; length < whole.length; length++)
      assert.equal(endPointHash(whole.subarray(0, length)), undefined)
  })
})

describe('DER', () => {
  it('writes integers, identifiers and times (X.690, RFC 5280 section 4.1.2.5)', () => {
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
    assert.equal(hex(derInteger(Buffer.from([0]))), '020100')
    assert.equal(hex(derInteger(Buffer.from([0, 0, 0x80]))), '02020080')
    assert.equal(hex(derIdentifier('1.2.840.113549')), '06062a864886f70d')
    assert.equal(derTime(new Date('2049-12-31T23:59:59Z')).toString('latin1', 2), '491231235959Z')
    assert.equal(derTime(new Date('2050-01-01T00:00:00Z')).toString('latin1', 2), '20500101000000Z')
    assert.equal(hex(derValue(0x04, Buffer.alloc(300))).slice(0, 8), '0482012c')
  })
})
