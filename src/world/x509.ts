/**
 * The hash of a certificate that RFC 5929 section 4.1 asks for (tls-server-end-point): the one of the certificate's own
 * signature algorithm, SHA-256 in place of MD5 and SHA-1, and none where the algorithm names no single hash.
 */

/** Signature algorithms by object identifier (RFC 3279, 4055, 5758, 8017), and hashes as RSASSA-PSS parameters name them. */
const hashes: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.4', 'sha256'],
  ['1.2.840.113549.1.1.5', 'sha256'],
  ['1.2.840.113549.1.1.14', 'sha224'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10040.4.3', 'sha256'],
  ['2.16.840.1.101.3.4.3.1', 'sha224'],
  ['2.16.840.1.101.3.4.3.2', 'sha256'],
  ['1.2.840.10045.4.1', 'sha256'],
  ['1.2.840.10045.4.3.1', 'sha224'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.3.14.3.2.26', 'sha256'],
  ['2.16.840.1.101.3.4.2.4', 'sha224'],
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
])

const RSASSA_PSS = '1.2.840.113549.1.1.10'
const SEQUENCE = 0x30
const OBJECT_IDENTIFIER = 0x06
const CONTEXT_0 = 0xa0

/** One DER value: its tag and where its content lies. */
export interface Value {
  readonly tag: number
  readonly start: number
  readonly end: number
}

/** The value at `at`; undefined when it is cut short. */
export function readDer(der: Uint8Array, at: number): Value | undefined {
  const tag = der[at]
  const first = der[at + 1]
  if (tag === undefined || first === undefined) return undefined
  let start = at + 2
  let length = first
  if (first > 0x7f) {
    length = 0
    const bytes = first & 0x7f
    if (bytes > 4) return undefined
    for (let i = 0; i < bytes; i++) length = length * 256 + (der[start++] ?? 0)
  }
  const end = start + length
  return end <= der.length ? { tag, start, end } : undefined
}

function inside(der: Uint8Array, at: number, tag: number): Value | undefined {
  const value = readDer(der, at)
  return value !== undefined && value.tag === tag ? value : undefined
}

function objectIdentifier(der: Uint8Array, value: Value): string {
  const parts: number[] = []
  let part = 0
  for (let i = value.start; i < value.end; i++) {
    const byte = der[i] as number
    part = part * 128 + (byte & 0x7f)
    if (byte > 0x7f) continue
    if (parts.length === 0) {
      const first = Math.min(Math.floor(part / 40), 2)
      parts.push(first, part - first * 40)
    } else parts.push(part)
    part = 0
  }
  return parts.join('.')
}

/** RSASSA-PSS-params (RFC 4055 section 3.1): the hash is [0], SHA-1 when absent. */
function pssHash(der: Uint8Array, at: number): string | undefined {
  const parameters = inside(der, at, SEQUENCE)
  const tagged = parameters === undefined ? undefined : inside(der, parameters.start, CONTEXT_0)
  if (tagged === undefined || parameters === undefined || tagged.end > parameters.end)
    return hashes.get('1.3.14.3.2.26')
  const algorithm = inside(der, tagged.start, SEQUENCE)
  const name = algorithm === undefined ? undefined : inside(der, algorithm.start, OBJECT_IDENTIFIER)
  return name === undefined ? undefined : hashes.get(objectIdentifier(der, name))
}

/** The hash's name for a DER certificate, undefined where RFC 5929 leaves the binding undefined (Ed25519, Ed448, unknown). */
export function endPointHash(der: Uint8Array): string | undefined {
  const certificate = inside(der, 0, SEQUENCE)
  const body = certificate === undefined ? undefined : inside(der, certificate.start, SEQUENCE)
  const algorithm = body === undefined ? undefined : inside(der, body.end, SEQUENCE)
  const name = algorithm === undefined ? undefined : inside(der, algorithm.start, OBJECT_IDENTIFIER)
  if (name === undefined) return undefined
  const identifier = objectIdentifier(der, name)
  return identifier === RSASSA_PSS ? pssHash(der, name.end) : hashes.get(identifier)
}

/** The subject of a certificate as its bytes stand: version, serial, algorithm, issuer and validity come before it. */
export function subjectOf(der: Uint8Array): Uint8Array {
  const certificate = readDer(der, 0)
  const body = certificate === undefined ? undefined : readDer(der, certificate.start)
  let at = body?.start ?? der.length
  for (let i = 0; i < 5; i++) at = readDer(der, at)?.end ?? der.length
  const end = readDer(der, at)?.end
  if (end === undefined) throw new TypeError('not a certificate')
  return der.subarray(at, end)
}
