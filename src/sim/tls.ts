/**
 * Symbolic TLS. No cipher, but everything that the layers above can notice: who asked for which name, ALPN chosen or
 * refused, certificates believed or not, bindings equal on both sides, and clear bytes in a handshake break it.
 */
import { type CertificateFacts, readCertificate } from '../world/certificate.ts'
import { derIdentifier, derOctets, derSequence, derText, derValue } from '../world/der.ts'
import { WorldError } from '../world/error.ts'
import { RealHashing } from '../world/hashing.ts'
import type {
  Certificate,
  ChannelBindingType,
  PeerRevocations,
  RevocationList,
  Tls,
  TlsCertificate,
  TlsClientOptions,
  TlsInfo,
  TlsServerContext,
} from '../world/net.types.ts'
import { authoritiesWithout, readRevocationLists } from '../world/revocation.ts'
import { xmppAddresses } from '../world/xmpp-addresses.ts'

/** The root that a client believes which names none: the simulation's idea of the system's roots. */
export const SYSTEM_ROOT = 'system'

const hashing = new RealHashing()

export interface SymbolicCertificate {
  /** Domain names, `*.` for one label, and addresses. */
  readonly names: readonly string[]
  /** Who signed it: the name of an authority (`authorityPem`), the system's when left out. */
  readonly issuer?: string
  readonly notAfter?: Date
  /** XMPP addresses (id-on-xmppAddr). */
  readonly addresses?: readonly string[]
}

/** A root's PEM, for `TlsClientOptions.ca`. */
export function authorityPem(name: string): string {
  return `-----BEGIN SIMULATED ROOT-----\n${Buffer.from(name).toString('base64')}\n-----END SIMULATED ROOT-----\n`
}

/** A certificate with its key, as the simulated engine takes them. */
export function symbolicCertificate(certificate: SymbolicCertificate): Certificate {
  const body = {
    names: certificate.names,
    issuer: certificate.issuer ?? SYSTEM_ROOT,
    notAfter: (certificate.notAfter ?? new Date(Date.UTC(2100, 0, 1))).toISOString(),
    addresses: certificate.addresses ?? [],
  }
  const text = Buffer.from(JSON.stringify(body)).toString('base64')
  return {
    certPem: `-----BEGIN SIMULATED CERTIFICATE-----\n${text}\n-----END SIMULATED CERTIFICATE-----\n`,
    keyPem: `-----BEGIN SIMULATED KEY-----\n${text}\n-----END SIMULATED KEY-----\n`,
  }
}

export interface SymbolicList {
  /** Name of the authority. */
  readonly issuer: string
  /** XMPP addresses of the certificates that it took back. */
  readonly revoked: readonly string[]
  readonly nextUpdate?: Date
}

/** A revocation list, as the simulated engine takes it. */
export function symbolicRevocations({ issuer, revoked, nextUpdate }: SymbolicList): string {
  const body = { issuer, revoked, nextUpdate: (nextUpdate ?? new Date(Date.UTC(2100, 0, 1))).toISOString() }
  return `-----BEGIN SIMULATED CRL-----\n${Buffer.from(JSON.stringify(body)).toString('base64')}\n-----END SIMULATED CRL-----\n`
}

function readSymbolic(pem: string): Required<SymbolicList> | undefined {
  const text = /-----BEGIN SIMULATED CRL-----\n([^\n]+)\n/.exec(pem)?.[1]
  if (text === undefined) return undefined
  const { nextUpdate, ...body } = JSON.parse(Buffer.from(text, 'base64').toString()) as SymbolicList
  return { ...body, nextUpdate: new Date(nextUpdate ?? 0) }
}

function symbolicFacts(pem: Certificate): CertificateFacts {
  const text = /-----BEGIN SIMULATED CERTIFICATE-----\n([^\n]+)\n/.exec(pem.certPem)?.[1]
  if (text === undefined) throw new Error('no certificate in the PEM')
  if (!pem.keyPem.includes(text)) throw new Error('key values mismatch')
  const body = JSON.parse(Buffer.from(text, 'base64').toString()) as Required<SymbolicCertificate>
  const der = new Uint8Array(derOf(text, body.addresses))
  return {
    der,
    fingerprint: Buffer.from(hashing.hash('sha256', der)).toString('hex'),
    notAfter: new Date(body.notAfter),
    names: body.names,
    isFor: (name) =>
      body.names.some((held) => held === name || (held.startsWith('*.') && held.slice(1) === afterLabel(name))),
    isSignedBy: (roots) => roots.includes(authorityPem(body.issuer)),
  }
}

/** As much of a certificate as is read of one: what it says in all, and the extension with its addresses. */
function derOf(text: string, addresses: readonly string[]): Buffer {
  const names = addresses.map((address) =>
    derValue(0xa0, derIdentifier('1.3.6.1.5.5.7.8.5'), derValue(0xa0, derText(address))),
  )
  const extension = derSequence(derIdentifier('2.5.29.17'), derOctets(derSequence(...names)))
  return derSequence(derSequence(derText(text), derValue(0xa3, derSequence(extension))))
}

function afterLabel(name: string): string {
  const dot = name.indexOf('.')
  return dot < 0 ? '' : name.slice(dot)
}

class SimCertificate implements TlsCertificate {
  readonly facts: CertificateFacts
  readonly fingerprint: string
  readonly notAfter: Date
  readonly names: readonly string[]

  constructor(facts: CertificateFacts) {
    this.facts = facts
    this.names = facts.names
    this.fingerprint = facts.fingerprint
    this.notAfter = facts.notAfter
  }

  isFor(name: string): boolean {
    return this.facts.isFor(name)
  }
}

export class SimTls implements Tls {
  /** Takes symbolic certificates, and real ones too. */
  prepare(certificate: Certificate): TlsCertificate {
    try {
      const symbolic = certificate.certPem.includes('SIMULATED')
      return new SimCertificate(symbolic ? symbolicFacts(certificate) : readCertificate(certificate.certPem))
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new WorldError('RTK_TLS_BAD_CERTIFICATE', `certificate and key cannot be used together: ${why}`, {
        temporary: false,
        cause: error,
      })
    }
  }

  revocations(file: Uint8Array): readonly RevocationList[] {
    const pem = Buffer.from(file).toString('utf8')
    const list = readSymbolic(pem)
    if (list === undefined) return readRevocationLists(file)
    const { issuer, nextUpdate } = list
    return [{ pem, issuer, issuerKey: issuer, thisUpdate: new Date(0), nextUpdate }]
  }

  withoutList(lists: readonly RevocationList[], rootsPem: string): readonly string[] {
    if (!rootsPem.includes('SIMULATED')) return authoritiesWithout(lists, rootsPem)
    const roots = [...rootsPem.matchAll(/-----BEGIN SIMULATED ROOT-----\n([^\n]+)\n/g)]
    const names = roots.map(([, text = '']) => Buffer.from(text, 'base64').toString())
    return names.filter((name) => !lists.some(({ issuer }) => issuer === name))
  }
}

/** '' when no list takes it back. As OpenSSL has it, an authority without a list in force is not believed at all. */
function revocation({ facts }: SimCertificate, revocations: PeerRevocations | undefined, now: Date): string {
  if (revocations === undefined) return ''
  const lists = revocations.lists.flatMap(({ pem }) => readSymbolic(pem) ?? [])
  const list = lists.find(({ issuer }) => facts.isSignedBy(authorityPem(issuer)))
  if (list === undefined) return 'UNABLE_TO_GET_CRL'
  if (list.nextUpdate.getTime() < now.getTime()) return 'CRL_HAS_EXPIRED'
  return xmppAddresses(facts.der).some((address) => list.revoked.includes(address)) ? 'CERT_REVOKED' : ''
}

/** What travels on a link during a handshake. */
export type Handshake =
  | {
      readonly step: 'hello'
      readonly servername: string
      readonly alpn: readonly string[]
      readonly own: SimCertificate | undefined
    }
  | {
      readonly step: 'answer'
      readonly alpn: string
      readonly certificate: SimCertificate
      readonly secret: string
      readonly asks: boolean
    }
  | { readonly step: 'finished'; readonly own: SimCertificate | undefined }
  | { readonly step: 'alert'; readonly code: string }

/** What a plain reader sees of a hello: the beginning of a TLS record. */
export const HELLO_BYTES = '\x16\x03\x01\x00\x2e\x01\x00\x00\x2a\x03\x03'

function certificateOf(prepared: TlsCertificate | undefined): SimCertificate | undefined {
  if (prepared !== undefined && !(prepared instanceof SimCertificate)) {
    throw new TypeError('the certificate was not prepared by the simulated engine')
  }
  return prepared
}

export function hello(options: TlsClientOptions): Handshake {
  return {
    step: 'hello',
    servername: options.servername,
    alpn: options.alpn,
    own: certificateOf(options.certificate),
  }
}

/** The server's answer to a hello, an alert when it refuses. */
export function answer(
  context: TlsServerContext,
  asked: Handshake & { step: 'hello' },
  secret: string,
): Handshake & { step: 'answer' | 'alert' } {
  const certificate = certificateOf(context.certificateFor(asked.servername))
  if (certificate === undefined) return { step: 'alert', code: 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE' }
  const takesPart = context.strictAlpn && context.alpn.length > 0
  const alpn = takesPart ? (context.alpn.find((name) => asked.alpn.includes(name)) ?? '') : ''
  if (takesPart && alpn === '' && asked.alpn.length > 0) {
    return { step: 'alert', code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' }
  }
  return { step: 'answer', alpn, certificate, secret, asks: context.requestPeerCertificate }
}

/** '' when the certificate is believed, else the code of the reason. */
function fault(certificate: SimCertificate, name: string | undefined, ca: string | undefined, now: Date): string {
  const { facts } = certificate
  if (facts.notAfter.getTime() < now.getTime()) return 'CERT_HAS_EXPIRED'
  if (!facts.isSignedBy(ca ?? authorityPem(SYSTEM_ROOT))) return 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
  if (name !== undefined && !facts.isFor(name)) return 'ERR_TLS_CERT_ALTNAME_INVALID'
  return ''
}

function info(
  agreed: Handshake & { step: 'answer' },
  servername: string,
  peer: SimCertificate | undefined,
  error: string,
): TlsInfo {
  return {
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    alpn: agreed.alpn,
    servername,
    channelBinding: (type: ChannelBindingType) =>
      type === 'tls-exporter'
        ? hashing.hash('sha256', Buffer.from(`exporter ${agreed.secret}`))
        : hashing.hash('sha256', agreed.certificate.facts.der),
    peerCertificate: peer === undefined ? undefined : { der: peer.facts.der, verified: error === '', error },
  }
}

export function clientInfo(agreed: Handshake & { step: 'answer' }, options: TlsClientOptions, now: Date): TlsInfo {
  const error = fault(agreed.certificate, options.servername, options.ca, now)
  return info(agreed, options.servername, agreed.certificate, error)
}

export function serverInfo(
  agreed: Handshake & { step: 'answer' },
  servername: string,
  peer: SimCertificate | undefined,
  { peerCa, peerRevocations }: TlsServerContext,
  now: Date,
): TlsInfo {
  const error = peer === undefined ? '' : fault(peer, undefined, peerCa, now) || revocation(peer, peerRevocations, now)
  return info(agreed, servername, peer, error)
}
