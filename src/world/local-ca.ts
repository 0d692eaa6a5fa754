/**
 * A certificate authority of one's own, for a server that nobody has given a certificate: a root that a client is told to
 * trust, and a host certificate below it. EC P-256, SHA-256; laid out by RFC 5280 so that verifiers in strict mode
 * (OpenSSL's -x509_strict, Python's default since 3.13) take it, which ask for key identifiers and critical constraints.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto'
import { isIP, isIPv4 } from 'node:net'
import { domainToASCII } from 'node:url'
import {
  derBits,
  derIdentifier,
  derInteger,
  derOctets,
  derSequence,
  derSet,
  derText,
  derTime,
  derTrue,
  derValue,
} from './der.ts'
import type { Certificate } from './net.types.ts'
import { readDer, subjectOf } from './x509.ts'

const DAY_MS = 86_400_000
/** The longest that verifiers accept below a root of one's own (Apple's limit). */
export const HOST_VALID_DAYS = 825
export const AUTHORITY_VALID_DAYS = 3_650
/** A certificate is renewed when less than this is left. */
export const RENEW_BEFORE_DAYS = 30
/** Certificates begin in the past, for clients whose clock is behind. */
const BACKDATED_MS = 3_600_000

const ECDSA_SHA256 = derSequence(derIdentifier('1.2.840.10045.4.3.2'))
const COMMON_NAME = '2.5.4.3'
const COMMON_NAME_LIMIT = 64
const ALWAYS: readonly string[] = ['localhost', '127.0.0.1', '::1']

export interface LocalCertificates {
  readonly authority: Certificate
  readonly host: Certificate
}

export interface RenewedCertificates extends LocalCertificates {
  /** True when clients must be told to trust a new root. */
  readonly authorityIsNew: boolean
  readonly hostIsNew: boolean
}

/**
 * Keeps what is still good of `stored` and makes the rest: a root without one, a host certificate when its names are not
 * those of `hosts` (domain names or addresses) and loopback, its root is another, or it runs out.
 */
export function renewLocalCertificates(
  stored: Partial<LocalCertificates>,
  hosts: readonly string[],
  now: Date,
): RenewedCertificates {
  const keptAuthority = stored.authority !== undefined && lasts(stored.authority, now) ? stored.authority : undefined
  const authority = keptAuthority ?? makeAuthority(now)
  const covered = covers(stored.host, authority, hosts, now) ? stored.host : undefined
  const host = covered ?? makeHostCertificate(authority, hosts, now)
  return { authority, host, authorityIsNew: keptAuthority === undefined, hostIsNew: covered === undefined }
}

/** A new root. Its name carries a few random letters, so that two of them are told apart in a trust store. */
export function makeAuthority(now: Date): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = commonName(`Ratatosk local CA ${randomBytes(3).toString('hex')}`)
  const identifier = keyIdentifier(publicKey)
  const end = new Date(now.getTime() + AUTHORITY_VALID_DAYS * DAY_MS)
  const certPem = build({ issuer: name, subject: name, publicKey, signer: privateKey, now, end }, [
    // pathLenConstraint 0: it signs hosts, not other authorities.
    extension('2.5.29.19', true, derSequence(derTrue(), derInteger(Buffer.from([0])))),
    // keyCertSign (5) and cRLSign (6).
    extension('2.5.29.15', true, derBits(Buffer.from([0b0000_0110]), 1)),
    extension('2.5.29.14', false, derOctets(identifier)),
  ])
  return { certPem, keyPem: pkcs8(privateKey) }
}

/** A certificate for `hosts` and loopback, signed by `authority`. The chain holds it alone: the root is known to who trusts it. */
export function makeHostCertificate(authority: Certificate, hosts: readonly string[], now: Date): Certificate {
  const root = new X509Certificate(authority.certPem)
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const names = allNames(hosts)
  const first = names[0] ?? 'localhost'
  const subject = commonName(first.length <= COMMON_NAME_LIMIT ? first : 'Ratatosk host')
  const latest = Math.min(now.getTime() - BACKDATED_MS + HOST_VALID_DAYS * DAY_MS, Date.parse(root.validTo))
  const fields = {
    issuer: subjectOf(root.raw),
    subject,
    publicKey,
    signer: createPrivateKey(authority.keyPem),
    now,
    end: new Date(latest),
  }
  const certPem = build(fields, [
    extension('2.5.29.19', true, derSequence()),
    // digitalSignature (0): all that ECDSA key exchange needs.
    extension('2.5.29.15', true, derBits(Buffer.from([0b1000_0000]), 7)),
    // serverAuth, and clientAuth for links between servers (XEP-0178).
    extension('2.5.29.37', false, derSequence(derIdentifier('1.3.6.1.5.5.7.3.1'), derIdentifier('1.3.6.1.5.5.7.3.2'))),
    extension('2.5.29.14', false, derOctets(keyIdentifier(publicKey))),
    extension('2.5.29.35', false, derSequence(derValue(0x80, keyIdentifier(createPublicKey(authority.keyPem))))),
    extension('2.5.29.17', false, derSequence(...names.map(generalName))),
  ])
  return { certPem, keyPem: pkcs8(privateKey) }
}

interface Fields {
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  readonly publicKey: KeyObject
  readonly signer: KeyObject
  readonly now: Date
  readonly end: Date
}

function build(fields: Fields, extensions: readonly Buffer[]): string {
  const serial = randomBytes(16)
  // Positive and never zero (RFC 5280 section 4.1.2.2).
  serial[0] = ((serial[0] as number) & 0x3f) | 0x40
  const body = derSequence(
    derValue(0xa0, derInteger(Buffer.from([2]))),
    derInteger(serial),
    ECDSA_SHA256,
    fields.issuer,
    derSequence(derTime(new Date(fields.now.getTime() - BACKDATED_MS)), derTime(fields.end)),
    fields.subject,
    fields.publicKey.export({ type: 'spki', format: 'der' }),
    derValue(0xa3, derSequence(...extensions)),
  )
  const signature = sign('sha256', body, fields.signer)
  const der = derSequence(body, ECDSA_SHA256, derBits(signature))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

function extension(identifier: string, critical: boolean, value: Buffer): Buffer {
  return derSequence(derIdentifier(identifier), ...(critical ? [derTrue()] : []), derOctets(value))
}

function commonName(text: string): Buffer {
  return derSequence(derSet(derSequence(derIdentifier(COMMON_NAME), derText(text))))
}

/** RFC 7093 section 2, method 1: the first 160 bits of the public key's SHA-256. */
function keyIdentifier(publicKey: KeyObject): Buffer {
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const outer = readDer(spki, 0)
  const algorithm = outer === undefined ? undefined : readDer(spki, outer.start)
  const bits = algorithm === undefined ? undefined : readDer(spki, algorithm.end)
  if (bits === undefined) throw new TypeError('not a public key')
  return createHash('sha256')
    .update(spki.subarray(bits.start + 1, bits.end))
    .digest()
    .subarray(0, 20)
}

function generalName(name: string): Buffer {
  if (isIP(name) === 0) return derValue(0x82, Buffer.from(name, 'latin1'))
  return derValue(0x87, isIPv4(name) ? Buffer.from(name.split('.').map(Number)) : ipv6(name))
}

function ipv6(address: string): Buffer {
  // The URL parser writes an address in its one canonical form, hexadecimal groups only.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const middle: string[] = new Array(8 - before.length - after.length).fill('0')
  const groups = [...before, ...middle, ...after].map((group) => Number.parseInt(group, 16))
  return Buffer.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
}

function allNames(hosts: readonly string[]): string[] {
  const names = hosts.map((host) => (isIP(host) === 0 ? domainToASCII(host) || host : host))
  return [...new Set([...names, ...ALWAYS])]
}

function lasts(certificate: Certificate, now: Date): boolean {
  const until = Date.parse(new X509Certificate(certificate.certPem).validTo)
  return until - now.getTime() > RENEW_BEFORE_DAYS * DAY_MS
}

function covers(host: Certificate | undefined, authority: Certificate, hosts: readonly string[], now: Date): boolean {
  if (host === undefined || !lasts(host, now)) return false
  const certificate = new X509Certificate(host.certPem)
  if (!certificate.verify(createPublicKey(authority.certPem))) return false
  const names = allNames(hosts)
  // A host that is gone is not vouched for any longer.
  if (certificate.subjectAltName?.split(', ').length !== names.length) return false
  return names.every(
    (name) => (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined,
  )
}

function pkcs8(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' })
}
