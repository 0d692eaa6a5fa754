/** Revocation lists for tests, signed by an authority of `local-ca.ts` (RFC 5280 section 5.1). */
import { createPrivateKey, sign, X509Certificate } from 'node:crypto'
import { derBits, derIdentifier, derInteger, derSequence, derTime } from './der.ts'
import type { Certificate } from './net.types.ts'
import { subjectOf } from './x509.ts'

export interface ListTimes {
  readonly thisUpdate: Date
  readonly nextUpdate?: Date
}

/** A list in which the authority takes back these certificates (PEM). */
export function revocationList(
  authority: Certificate,
  revoked: readonly string[],
  { thisUpdate, nextUpdate }: ListTimes,
): { readonly der: Uint8Array; readonly pem: string } {
  const algorithm = derSequence(derIdentifier('1.2.840.10045.4.3.2'))
  const entries = revoked.map((pem) =>
    derSequence(derInteger(Buffer.from(new X509Certificate(pem).serialNumber, 'hex')), derTime(thisUpdate)),
  )
  const body = derSequence(
    derInteger(Buffer.from([1])),
    algorithm,
    subjectOf(new X509Certificate(authority.certPem).raw),
    derTime(thisUpdate),
    ...(nextUpdate === undefined ? [] : [derTime(nextUpdate)]),
    ...(entries.length === 0 ? [] : [derSequence(...entries)]),
  )
  const signature = sign('sha256', body, createPrivateKey(authority.keyPem))
  const der = derSequence(body, algorithm, derBits(signature))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return { der, pem: `-----BEGIN X509 CRL-----\n${lines.join('\n')}\n-----END X509 CRL-----\n` }
}
