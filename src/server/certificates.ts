/**
 * Certificates of a server: those of the configuration, and one of a local authority for hosts that none of them covers
 * (XEP-0368 section 4: the name a client asks for chooses).
 */
import type { Config, ListenerConfig } from '../core/config/index.ts'
import { toAscii } from '../jid/domain.ts'
import type { Certificate, TlsCertificate, TlsServerContext } from '../world/net.types.ts'
import type { World } from '../world/world.types.ts'

/** Files of the local authority in the data directory. The key of the authority never leaves it. */
const files = {
  authority: { cert: 'tls/ca.pem', key: 'tls/ca.key' },
  host: { cert: 'tls/host.pem', key: 'tls/host.key' },
} as const

export interface LocalAuthority {
  /** What clients are told to trust. */
  readonly certPem: string
  /** The same as a file; undefined for a server that writes none. */
  readonly file: string | undefined
  readonly isNew: boolean
}

export class Certificates {
  /** Undefined when every host has a certificate of its own, or the authority is switched off. */
  readonly authority: LocalAuthority | undefined
  readonly #byListener: ReadonlyMap<string, readonly TlsCertificate[]>
  readonly #shared: readonly TlsCertificate[]
  readonly #finders = new Map<string, (domain: string) => TlsCertificate | undefined>()
  readonly #contexts = new Map<string, TlsServerContext>()
  readonly #minVersion: Config['tls']['min_version']
  readonly #clientCa: string | undefined

  private constructor(
    config: Config,
    shared: readonly TlsCertificate[],
    byListener: ReadonlyMap<string, readonly TlsCertificate[]>,
    authority: LocalAuthority | undefined,
    clientCa: string | undefined,
  ) {
    this.#clientCa = clientCa
    this.#minVersion = config.tls.min_version
    this.#shared = shared
    this.#byListener = byListener
    this.authority = authority
  }

  /**
   * Reads and prepares all; what it makes is written to the data directory if `isKept`. Rejects with `WorldError`
   * RTK_DISK_… or RTK_TLS_BAD_CERTIFICATE.
   */
  static async load(config: Config, world: World, isKept: boolean): Promise<Certificates> {
    const prepare = async (list: Config['tls']['certificates']) => {
      const made: TlsCertificate[] = []
      for (const { cert, key } of list) {
        const certPem = await world.disk.readText(cert)
        made.push(world.net.tls.prepare({ certPem, keyPem: await world.disk.readText(key) }))
      }
      return made
    }
    const shared = await prepare(config.tls.certificates)
    const byListener = new Map<string, readonly TlsCertificate[]>()
    for (const listener of config.listeners) byListener.set(listener.name, await prepare(listener.certificates))
    const bare = [...config.hosts.keys()].filter((domain) => find(shared, domain) === undefined)
    const { client_ca: roots, local_ca: isLocal } = config.tls
    const clientCa = roots === undefined ? undefined : await world.disk.readText(roots)
    if (!isLocal || bare.length === 0) return new Certificates(config, shared, byListener, undefined, clientCa)
    const { certificate, authority } = await localCertificate(config, world, bare, isKept)
    return new Certificates(config, [...shared, certificate], byListener, authority, clientCa)
  }

  /** For a listener: its own certificates first. Asked at each handshake. */
  context(listener: ListenerConfig): TlsServerContext {
    const known = this.#contexts.get(listener.name)
    if (known !== undefined) return known
    const first = this.#byListener.get(listener.name)?.[0] ?? this.#shared[0]
    const find = this.#finder(listener)
    const context: TlsServerContext = {
      alpn: alpnOf[listener.protocol] ?? [],
      strictAlpn: listener.tls === 'direct',
      // Others than clients of ours have nothing to sign in to.
      requestPeerCertificate: listener.protocol === 'c2s' && this.#clientCa !== undefined,
      ...(this.#clientCa === undefined ? {} : { peerCa: this.#clientCa }),
      minVersion: this.#minVersion,
      isSameForAll: this.#certificates(listener).length === 1,
      // A client that asks for nothing, or for a name that nobody has, sees the first: it may know better than SNI tells.
      certificateFor: (name) => find(name) ?? first,
    }
    this.#contexts.set(listener.name, context)
    return context
  }

  covers(listener: ListenerConfig, domain: string): boolean {
    return this.#finder(listener)(domain) !== undefined
  }

  #certificates(listener: ListenerConfig): readonly TlsCertificate[] {
    return [...(this.#byListener.get(listener.name) ?? []), ...this.#shared]
  }

  /** Looks a name up among the listener's certificates and the shared ones; each name is compared once. */
  #finder(listener: ListenerConfig): (domain: string) => TlsCertificate | undefined {
    const known = this.#finders.get(listener.name)
    if (known !== undefined) return known
    const certificates = this.#certificates(listener)
    const found = new Map<string, TlsCertificate | undefined>()
    const finder = (domain: string) => {
      if (found.has(domain)) return found.get(domain)
      // Names come from strangers: those that nobody has are not remembered for ever.
      if (found.size >= namesRememberedMax) found.clear()
      const certificate = find(certificates, domain)
      found.set(domain, certificate)
      return certificate
    }
    this.#finders.set(listener.name, finder)
    return finder
  }
}

/** What a client may ask for by ALPN (XEP-0368 section 3, RFC 7301); protocols of modules leave it unanswered. */
const alpnOf: Readonly<Record<string, readonly string[]>> = { c2s: ['xmpp-client'], http: ['http/1.1'] }

/** Names asked for by SNI whose certificate is remembered for each listener. */
const namesRememberedMax = 10_000

function find(certificates: readonly TlsCertificate[], domain: string): TlsCertificate | undefined {
  const name = toAscii(domain).toLowerCase()
  return name === '' ? undefined : certificates.find((certificate) => certificate.isFor(name))
}

async function localCertificate(config: Config, world: World, domains: readonly string[], isKept: boolean) {
  const { disk, clock, net } = world
  const path = (name: string) => disk.resolve(config.data_dir, name)
  const read = async (pair: { cert: string; key: string }): Promise<Certificate | undefined> => {
    if (!isKept || !(await disk.exists(path(pair.cert))) || !(await disk.exists(path(pair.key)))) return undefined
    return { certPem: await disk.readText(path(pair.cert)), keyPem: await disk.readText(path(pair.key)) }
  }
  const authority = await read(files.authority)
  const host = await read(files.host)
  const stored = { ...(authority === undefined ? {} : { authority }), ...(host === undefined ? {} : { host }) }
  const { renewLocalCertificates } = await import('../world/local-ca.ts')
  const made = renewLocalCertificates(stored, domains, clock.now())
  const certificate = net.tls.prepare(made.host)
  const { certPem } = made.authority
  if (!isKept) return { certificate, authority: { certPem, file: undefined, isNew: true } }
  await disk.makeDirectory(path('tls'), 0o700)
  const write = async (pair: { cert: string; key: string }, certificate: Certificate) => {
    await disk.writeText(path(pair.key), certificate.keyPem, 0o600)
    await disk.writeText(path(pair.cert), certificate.certPem, 0o644)
  }
  if (made.authorityIsNew) await write(files.authority, made.authority)
  if (made.hostIsNew) await write(files.host, made.host)
  return { certificate, authority: { certPem, file: path(files.authority.cert), isNew: made.authorityIsNew } }
}
