/** Certificates of the local authority, for hosts that have none (world/local-ca.ts makes them). */
import { toAscii } from '../jid/domain.ts'
import type { Certificate, TlsCertificate } from '../world/net.types.ts'
import type { World } from '../world/world.types.ts'

/** Files of the local authority in the data directory. The key of the authority never leaves it. */
const files = {
  authority: { cert: 'tls/ca.pem', key: 'tls/ca.key' },
  host: { cert: 'tls/host.pem', key: 'tls/host.key' },
} as const

/**
 * Hosts in one certificate. Clients take no certificate of any size (OpenSSL none above 100 KB), each handshake carries it
 * whole, and it tells who asks for one host of the others.
 */
export const hostsInCertificate = 50

export interface LocalAuthority {
  /** What clients are told to trust. */
  readonly certPem: string
  /** The same as a file; undefined for a server that writes none. */
  readonly file: string | undefined
  readonly isNew: boolean
}

/** Hosts that share a certificate, which is made when the first client asks for one of them. */
interface Group {
  readonly domains: readonly string[]
  certificate: TlsCertificate | undefined
}

export class LocalCertificates {
  readonly authority: LocalAuthority
  /** Of the first hosts, and of loopback: the one that is kept in a file. */
  readonly first: TlsCertificate
  /** Certificates, those included that nobody has asked for. */
  readonly size: number
  readonly #groups = new Map<string, Group>()
  readonly #make: (domains: readonly string[]) => TlsCertificate

  private constructor(
    authority: LocalAuthority,
    first: TlsCertificate,
    domains: readonly string[],
    make: (domains: readonly string[]) => TlsCertificate,
  ) {
    this.authority = authority
    this.first = first
    this.#make = make
    let size = 0
    for (let at = 0; at < domains.length; at += hostsInCertificate, size++) {
      const group: Group = {
        domains: domains.slice(at, at + hostsInCertificate),
        certificate: at === 0 ? first : undefined,
      }
      for (const domain of group.domains) this.#groups.set(toAscii(domain).toLowerCase(), group)
    }
    this.size = size
  }

  /** Takes what is kept in the data directory and is good, and makes the rest; it is written there if `isKept`. Rejects with `WorldError`. */
  static async load(
    dataDir: string,
    world: Pick<World, 'clock' | 'disk' | 'net'>,
    domains: readonly string[],
    isKept: boolean,
  ): Promise<LocalCertificates> {
    const { disk, clock, net } = world
    const path = (name: string) => disk.resolve(dataDir, name)
    const read = async (pair: { cert: string; key: string }): Promise<Certificate | undefined> => {
      if (!isKept || !(await disk.exists(path(pair.cert))) || !(await disk.exists(path(pair.key)))) return undefined
      return { certPem: await disk.readText(path(pair.cert)), keyPem: await disk.readText(path(pair.key)) }
    }
    const authority = await read(files.authority)
    const host = await read(files.host)
    const stored = { ...(authority === undefined ? {} : { authority }), ...(host === undefined ? {} : { host }) }
    const { makeHostCertificate, renewLocalCertificates } = await import('../world/local-ca.ts')
    const made = renewLocalCertificates(stored, domains.slice(0, hostsInCertificate), clock.now())
    const first = net.tls.prepare(made.host)
    const make = (group: readonly string[]) => net.tls.prepare(makeHostCertificate(made.authority, group, clock.now()))
    const { certPem } = made.authority
    if (!isKept) return new LocalCertificates({ certPem, file: undefined, isNew: true }, first, domains, make)
    await disk.makeDirectory(path('tls'), 0o700)
    const write = async (pair: { cert: string; key: string }, certificate: Certificate) => {
      await disk.writeText(path(pair.key), certificate.keyPem, 0o600)
      await disk.writeText(path(pair.cert), certificate.certPem, 0o644)
    }
    if (made.authorityIsNew) await write(files.authority, made.authority)
    if (made.hostIsNew) await write(files.host, made.host)
    const file = path(files.authority.cert)
    return new LocalCertificates({ certPem, file, isNew: made.authorityIsNew }, first, domains, make)
  }

  covers(name: string): boolean {
    return this.#groups.has(name)
  }

  /** The certificate for a name in ASCII and lower case, made now if nobody has asked before (about a millisecond); loopback has the first. */
  find(name: string): TlsCertificate | undefined {
    const group = this.#groups.get(name)
    if (group === undefined) return this.first.isFor(name) ? this.first : undefined
    group.certificate ??= this.#make(group.domains)
    return group.certificate
  }
}
