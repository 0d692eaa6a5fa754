/** Facts of a PEM certificate that both TLS engines, the real and the simulated, ask for. */
import { createHash, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'

export interface CertificateFacts {
  readonly der: Uint8Array
  /** SHA-256 of the DER, hexadecimal. */
  readonly fingerprint: string
  readonly notAfter: Date
  /** Domain names in it, in lower case; wildcards as they stand. */
  readonly names: readonly string[]
  /** Whether it is for this domain name or address. */
  isFor(name: string): boolean
  /** Whether one of these roots signed it. */
  isSignedBy(rootsPem: string): boolean
}

/** Names whose answers a certificate keeps: each stream header asks, and OpenSSL needs 10 to 20 µs. Peers may ask for any. */
const answersMax = 1000

/** Throws when the PEM holds no certificate. */
export function readCertificate(pem: string): CertificateFacts {
  const certificate = new X509Certificate(pem)
  const answers = new Map<string, boolean>()
  const asks = (name: string): boolean =>
    (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined
  return {
    der: certificate.raw,
    fingerprint: createHash('sha256').update(certificate.raw).digest('hex'),
    notAfter: new Date(certificate.validTo),
    names: (certificate.subjectAltName ?? '')
      .split(', ')
      .flatMap((name) => (name.startsWith('DNS:') ? name.slice('DNS:'.length).toLowerCase() : [])),
    isFor: (name) => {
      let answer = answers.get(name)
      if (answer === undefined) {
        answer = asks(name)
        if (answers.size >= answersMax) answers.clear()
        answers.set(name, answer)
      }
      return answer
    },
    isSignedBy: (rootsPem) =>
      (rootsPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).some((root) => {
        const authority = new X509Certificate(root)
        return certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
      }),
  }
}
