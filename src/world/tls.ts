/**
 * The TLS engine on Node's own (DESIGN.md section 10): contexts, names, ALPN and what is known of an established layer.
 * TLS 1.2 at least. How the layer is put on a connection is the socket door's work.
 */
import { createHash, type X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import {
  checkServerIdentity,
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
  type TLSSocketOptions,
} from 'node:tls'
import { readCertificate } from './certificate.ts'
import { WorldError } from './error.ts'
import type {
  Certificate,
  ChannelBindingType,
  CloseCause,
  Tls,
  TlsCertificate,
  TlsClientOptions,
  TlsInfo,
  TlsServerContext,
} from './net.types.ts'
import { endPointHash } from './x509.ts'

const OLDEST = 'TLSv1.2'

/** RFC 9266 section 4.2: 32 bytes, and the label; the context is empty. */
const EXPORTER_LABEL = 'EXPORTER-Channel-Binding'
const EXPORTER_BYTES = 32

/** Contexts of client connections that are kept, one for each set of roots and own certificate. */
const CLIENT_CONTEXTS_LIMIT = 64

export type PeerCertificate = NonNullable<TlsInfo['peerCertificate']>

/** RFC 5929 section 4.1: the hash of the server's certificate, by its signature's algorithm. */
function endPoint(der: Uint8Array): Uint8Array | undefined {
  const hash = endPointHash(der)
  return hash === undefined ? undefined : createHash(hash).update(der).digest()
}

/** What a server's handshake needs, and the certificate that it came to. */
export interface ServerSide {
  readonly options: TLSSocketOptions
  readonly certificate: { readonly endPoint: Uint8Array | undefined } | undefined
}

/** What is asked of an established layer: `TLSSocket`, or less. */
export interface TlsLayer {
  readonly destroyed: boolean
  readonly alpnProtocol: string | false | null
  getProtocol(): string | null
  getCipher(): { readonly name: string }
  exportKeyingMaterial(length: number, label: string, context: Buffer): Buffer
  getPeerX509Certificate(): X509Certificate | undefined
}

/** A certificate with its contexts, which all its connections share: one that asks peers for nothing, one by set of roots. */
class PreparedCertificate implements TlsCertificate {
  readonly fingerprint: string
  readonly notAfter: Date
  readonly names: readonly string[]
  readonly isFor: (name: string) => boolean
  readonly endPoint: Uint8Array | undefined
  readonly pem: Certificate
  readonly #context: SecureContext
  /** Others than the usual one: by lowest version, and by the roots where peers are asked. */
  readonly #others = new Map<string, SecureContext>()

  constructor(pem: Certificate) {
    const { fingerprint, notAfter, names, isFor, der } = readCertificate(pem.certPem)
    this.endPoint = endPoint(der)
    this.fingerprint = fingerprint
    this.notAfter = notAfter
    this.names = names
    this.isFor = isFor
    this.pem = pem
    // An empty list of roots: a context that never verifies anybody need not hold the system's.
    this.#context = this.#create({ ca: [] })
  }

  context(shown: Pick<TlsServerContext, 'minVersion' | 'peerCa' | 'requestPeerCertificate'>): SecureContext {
    const { requestPeerCertificate: asks, peerCa, minVersion = '1.2' } = shown
    if (!asks && minVersion === '1.2') return this.#context
    const key = `${minVersion} ${asks ? `asks ${peerCa ?? ''}` : ''}`
    let context = this.#others.get(key)
    if (context === undefined) {
      const roots = asks ? (peerCa === undefined ? {} : { ca: peerCa }) : { ca: [] }
      context = this.#create({ ...roots, minVersion: `TLSv${minVersion}` })
      this.#others.set(key, context)
    }
    return context
  }

  #create(options: SecureContextOptions): SecureContext {
    return createSecureContext({ minVersion: OLDEST, ...options, cert: this.pem.certPem, key: this.pem.keyPem })
  }
}

function prepared(certificate: TlsCertificate): PreparedCertificate {
  if (!(certificate instanceof PreparedCertificate))
    throw new TypeError('the certificate was not prepared by this engine')
  return certificate
}

export class RealTls implements Tls {
  /** For a handshake without a certificate to show: it fails with an alert that says so. */
  readonly #bare = createSecureContext({ ca: [], minVersion: OLDEST })
  readonly #clients = new Map<string, SecureContext>()

  prepare(certificate: Certificate): TlsCertificate {
    try {
      return new PreparedCertificate(certificate)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new WorldError('RTK_TLS_BAD_CERTIFICATE', `certificate and key cannot be used together: ${why}`, {
        temporary: false,
        cause: error,
      })
    }
  }

  serverSide(server: TlsServerContext): ServerSide {
    const side: { options: TLSSocketOptions; certificate: PreparedCertificate | undefined } = {
      options: {},
      certificate: undefined,
    }
    const contextFor = (servername: string): SecureContext => {
      const certificate = server.certificateFor(servername)
      side.certificate = certificate === undefined ? undefined : prepared(certificate)
      return side.certificate?.context(server) ?? this.#bare
    }
    const options: TLSSocketOptions & { secureContext: SecureContext } = {
      isServer: true,
      secureContext: contextFor(''),
      requestCert: server.requestPeerCertificate,
      rejectUnauthorized: false,
    }
    // The question stops the handshake in its middle until the next turn of the loop: a tenth of a log-in's CPU.
    if (server.isSameForAll !== true) options.SNICallback = (servername, done) => done(null, contextFor(servername))
    // OpenSSL under Node has two ways only: choose or refuse (RFC 7301 section 3.2), or keep out of it altogether.
    if (server.strictAlpn && server.alpn.length > 0) {
      options.ALPNCallback = ({ protocols }) => server.alpn.find((name) => protocols.includes(name))
    }
    side.options = options
    return side
  }

  clientOptions(client: TlsClientOptions): TLSSocketOptions {
    const options: TLSSocketOptions & { secureContext: SecureContext } = {
      isServer: false,
      secureContext: this.#clientContext(client),
      requestCert: true,
      rejectUnauthorized: false,
    }
    if (client.alpn.length > 0) options.ALPNProtocols = [...client.alpn]
    return options
  }

  /** The name to ask the server for; an address is no name (RFC 6066 section 3). */
  sniOf(client: TlsClientOptions): { readonly servername?: string } {
    return client.servername === '' || isIP(client.servername) !== 0 ? {} : { servername: client.servername }
  }

  serverInfo(socket: TlsLayer, side: ServerSide): TlsInfo {
    return new NodeTlsInfo(socket, undefined, side.certificate)
  }

  clientInfo(socket: TLSSocket, client: TlsClientOptions): TlsInfo {
    return new NodeTlsInfo(socket, client.servername, undefined)
  }

  /** Why a server was not trusted. */
  unverified(peer: PeerCertificate | undefined): CloseCause {
    const code = peer === undefined ? 'RTK_TLS_NO_CERTIFICATE' : peer.error
    return { kind: 'tls', code, text: `the server's certificate was not accepted: ${code}` }
  }

  #clientContext(client: TlsClientOptions): SecureContext {
    const certificate = client.certificate === undefined ? undefined : prepared(client.certificate)
    const key = `${certificate?.fingerprint ?? ''} ${client.ca ?? 'system'}`
    let context = this.#clients.get(key)
    if (context !== undefined) return context
    context =
      certificate === undefined
        ? createSecureContext({ ...(client.ca === undefined ? {} : { ca: client.ca }), minVersion: OLDEST })
        : certificate.context({
            requestPeerCertificate: true,
            ...(client.ca === undefined ? {} : { peerCa: client.ca }),
          })
    if (this.#clients.size >= CLIENT_CONTEXTS_LIMIT) {
      const eldest = this.#clients.keys().next()
      if (eldest.done !== true) this.#clients.delete(eldest.value)
    }
    this.#clients.set(key, context)
    return context
  }
}

/** Asks the live socket; what outlives it (protocol, cipher, names) is noted at once. */
class NodeTlsInfo implements TlsInfo {
  readonly protocol: string
  readonly cipher: string
  readonly alpn: string
  readonly servername: string
  readonly #socket: TlsLayer
  /** The name that a client expects of its server; undefined on the server. */
  readonly #expected: string | undefined
  #peer: PeerCertificate | null | undefined = undefined
  #certificate: X509Certificate | null | undefined = undefined

  readonly #own: ServerSide['certificate']

  constructor(socket: TlsLayer, expected: string | undefined, own: ServerSide['certificate']) {
    this.#socket = socket
    this.#own = own
    this.#expected = expected
    this.protocol = socket.getProtocol() ?? ''
    this.cipher = socket.getCipher().name
    this.alpn = typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : ''
    const asked = (socket as unknown as { servername: unknown }).servername
    this.servername = expected ?? (typeof asked === 'string' ? asked : '')
  }

  get peerCertificate(): PeerCertificate | undefined {
    if (this.#peer === undefined) this.#peer = this.#readPeer() ?? null
    return this.#peer ?? undefined
  }

  channelBinding(type: ChannelBindingType): Uint8Array | undefined {
    if (this.#socket.destroyed) return undefined
    if (type === 'tls-exporter') {
      // On TLS 1.2 it needs the extended master secret (RFC 9266 section 3), and Node does not tell whether that was used.
      if (this.protocol !== 'TLSv1.3') return undefined
      return this.#socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, undefined as never)
    }
    if (this.#expected === undefined) return this.#own?.endPoint
    const certificate = this.#peerX509()
    return certificate === undefined ? undefined : endPoint(certificate.raw)
  }

  /** Asked once: Node 24 takes it out of the chain, and it is not there the second time. */
  #peerX509(): X509Certificate | undefined {
    if (this.#certificate === undefined) this.#certificate = this.#socket.getPeerX509Certificate() ?? null
    return this.#certificate ?? undefined
  }

  #readPeer(): PeerCertificate | undefined {
    const certificate = this.#peerX509()
    if (certificate === undefined) return undefined
    const error = this.#chainError() ?? this.#nameError(certificate)
    return { der: certificate.raw, verified: error === undefined, error: error ?? '' }
  }

  /** The result of OpenSSL's verification, which Node shows only to its own servers and clients (`ssl` is public by name). */
  #chainError(): string | undefined {
    const ssl = (this.#socket as unknown as { ssl: { verifyError?(): Error | null | undefined } | null }).ssl
    if (typeof ssl?.verifyError !== 'function') return 'RTK_TLS_UNVERIFIABLE'
    const error = ssl.verifyError()
    if (error === null || error === undefined) return undefined
    return 'code' in error && typeof error.code === 'string' ? error.code : error.message
  }

  #nameError(certificate: X509Certificate): string | undefined {
    if (this.#expected === undefined) return undefined
    const error = checkServerIdentity(this.#expected, certificate.toLegacyObject())
    if (error === undefined) return undefined
    return 'code' in error && typeof error.code === 'string' ? error.code : error.message
  }
}
