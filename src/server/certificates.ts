/**
 * Certificates of a server: those of the configuration, and one of a local authority for hosts that none of them covers
 * (XEP-0368 section 4: the name a client asks for chooses).
 */
import type { Config, ListenerConfig } from '../core/config/index.ts'
import type { TlsCertificate, TlsServerContext } from '../world/net.types.ts'
import type { World } from '../world/world.types.ts'
import { CertificateIndex } from './certificate-index.ts'
import { asked, type LocalAuthority, LocalCertificates } from './local-certificates.ts'

export class Certificates {
  /** Undefined when every host has a certificate of its own, or the authority is switched off. */
  get authority(): LocalAuthority | undefined {
    return this.#local?.authority
  }

  readonly #local: LocalCertificates | undefined
  readonly #byListener: ReadonlyMap<string, CertificateIndex>
  readonly #shared: CertificateIndex
  readonly #finders = new Map<string, (domain: string) => TlsCertificate | undefined>()
  readonly #contexts = new Map<string, TlsServerContext>()
  readonly #minVersion: Config['tls']['min_version']
  readonly #clientCa: string | undefined
  readonly #prepared: ReadonlyMap<string, TlsCertificate>
  /** Files of certificates that were not in use before, with these very contents. */
  readonly fresh: readonly string[]

  private constructor(
    config: Config,
    prepared: ReadonlyMap<string, TlsCertificate>,
    fresh: readonly string[],
    shared: CertificateIndex,
    byListener: ReadonlyMap<string, CertificateIndex>,
    local: LocalCertificates | undefined,
    clientCa: string | undefined,
  ) {
    this.#prepared = prepared
    this.fresh = fresh
    this.#clientCa = clientCa
    this.#minVersion = config.tls.min_version
    this.#shared = shared
    this.#byListener = byListener
    this.#local = local
  }

  /**
   * Reads and prepares all; what it makes is written to the data directory if `isKept`. What is as `before` is taken over as
   * it was prepared (a third of a millisecond and 36 KB each). Rejects with `WorldError` RTK_DISK_… or RTK_TLS_BAD_CERTIFICATE.
   */
  static async load(config: Config, world: World, isKept: boolean, before?: Certificates): Promise<Certificates> {
    const prepared = new Map<string, TlsCertificate>()
    const known = before === undefined ? prepared : before.#prepared
    const fresh = new Set<string>()
    const prepare = async (list: Config['tls']['certificates']) => {
      const made: TlsCertificate[] = []
      for (const { cert, key } of list) {
        const certPem = await world.disk.readText(cert)
        const keyPem = await world.disk.readText(key)
        const text = certPem + keyPem
        const one = prepared.get(text) ?? known.get(text) ?? world.net.tls.prepare({ certPem, keyPem })
        if (!known.has(text)) fresh.add(cert)
        prepared.set(text, one)
        made.push(one)
      }
      return new CertificateIndex(made)
    }
    const shared = await prepare(config.tls.certificates)
    const byListener = new Map<string, CertificateIndex>()
    for (const listener of config.listeners) byListener.set(listener.name, await prepare(listener.certificates))
    const bare = [...config.hosts.keys()].filter((domain) => shared.find(asked(domain)) === undefined)
    const { client_ca: roots, local_ca: isLocal } = config.tls
    const clientCa = roots === undefined ? undefined : await world.disk.readText(roots)
    const needsLocal = isLocal && bare.length > 0
    const local = needsLocal
      ? await LocalCertificates.load(
          config.data_dir,
          world,
          bare,
          isKept,
          before === undefined ? before : before.#local,
        )
      : undefined
    return new Certificates(config, prepared, [...fresh], shared, byListener, local, clientCa)
  }

  /** For a listener: its own certificates first. Asked at each handshake. */
  context(listener: ListenerConfig): TlsServerContext {
    const known = this.#contexts.get(listener.name)
    if (known !== undefined) return known
    const own = this.#byListener.get(listener.name)
    const first = own?.first ?? this.#shared.first ?? this.#local?.first
    const find = this.#finder(listener)
    const context: TlsServerContext = {
      alpn: alpnOf[listener.protocol] ?? [],
      strictAlpn: listener.tls === 'direct',
      // Others than clients of ours have nothing to sign in to.
      requestPeerCertificate: listener.protocol === 'c2s' && this.#clientCa !== undefined,
      ...(this.#clientCa === undefined ? {} : { peerCa: this.#clientCa }),
      minVersion: this.#minVersion,
      isSameForAll: (own?.size ?? 0) + this.#shared.size + (this.#local?.size ?? 0) === 1,
      // A client that asks for nothing, or for a name that nobody has, sees the first: it may know better than SNI tells.
      certificateFor: (name) => find(name) ?? first,
    }
    this.#contexts.set(listener.name, context)
    return context
  }

  covers(listener: ListenerConfig, domain: string): boolean {
    return this.#local?.covers(asked(domain)) === true || this.#finder(listener)(domain) !== undefined
  }

  /** Looks a name up among the listener's certificates, then the shared ones, then those of the local authority. */
  #finder(listener: ListenerConfig): (domain: string) => TlsCertificate | undefined {
    const known = this.#finders.get(listener.name)
    if (known !== undefined) return known
    const own = this.#byListener.get(listener.name)
    const finder = (domain: string) => {
      const name = asked(domain)
      return name === '' ? undefined : (own?.find(name) ?? this.#shared.find(name) ?? this.#local?.find(name))
    }
    this.#finders.set(listener.name, finder)
    return finder
  }
}

/** What a client may ask for by ALPN (XEP-0368 section 3, RFC 7301); protocols of modules leave it unanswered. */
const alpnOf: Readonly<Record<string, readonly string[]>> = { c2s: ['xmpp-client'], http: ['http/1.1'] }
