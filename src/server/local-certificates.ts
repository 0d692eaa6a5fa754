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

/** A certificate that was made for some hosts is made anew when less than this is left, at a reload. */
const renewBeforeMs = 30 * 86_400_000

/** Hosts that share a certificate, which is made when the first client asks for one of them. */
interface Group {
  readonly domains: readonly string[]
  certificate: TlsCertificate | undefined
}

interface Pair {
  readonly authority: Certificate
  readonly host: Certificate
}

/** A name as certificates write it; '' for what is none. */
export function asked(domain: string): string {
  return toAscii(domain).toLowerCase()
}

export class LocalCertificates {
  readonly authority: LocalAuthority
  /** Of the first hosts, and of loopback: the one that is kept in a file. */
  readonly first: TlsCertificate
  /** Certificates, those included that nobody has asked for. */
  readonly size: number
  readonly #made: Pair
  /** By each of its domains. */
  readonly #groups = new Map<string, Group>()
  readonly #make: (domains: readonly string[]) => TlsCertificate

  private constructor(
    authority: LocalAuthority,
    made: Pair,
    first: TlsCertificate,
    domains: readonly string[],
    make: (domains: readonly string[]) => TlsCertificate,
  ) {
    this.authority = authority
    this.#made = made
    this.first = first
    this.#make = make
    let size = 0
    for (let at = 0; at < domains.length; at += hostsInCertificate, size++) {
      const own = domains.slice(at, at + hostsInCertificate)
      const group: Group = { domains: own, certificate: at === 0 ? first : undefined }
      for (const domain of group.domains) this.#groups.set(asked(domain), group)
    }
    this.size = size
  }

  /**
   * Takes what is kept in the data directory and is good, or was made `before` for the same hosts, and makes the rest; it is
   * written to the data directory if `isKept`. Rejects with `WorldError`.
   */
  static async load(
    dataDir: string,
    world: Pick<World, 'clock' | 'disk' | 'net'>,
    domains: readonly string[],
    isKept: boolean,
    before?: LocalCertificates,
  ): Promise<LocalCertificates> {
    const { disk, clock, net } = world
    const path = (name: string) => disk.resolve(dataDir, name)
    const read = async (pair: { cert: string; key: string }): Promise<Certificate | undefined> => {
      if (!isKept || !(await disk.exists(path(pair.cert))) || !(await disk.exists(path(pair.key)))) return undefined
      return { certPem: await disk.readText(path(pair.cert)), keyPem: await disk.readText(path(pair.key)) }
    }
    // Without files a reload goes on with what there was.
    const old = before === undefined ? undefined : before.#made
    const authority = isKept ? await read(files.authority) : old?.authority
    const host = isKept ? await read(files.host) : old?.host
    const stored = { ...(authority === undefined ? {} : { authority }), ...(host === undefined ? {} : { host }) }
    const { makeHostCertificate, renewLocalCertificates } = await import('../world/local-ca.ts')
    const made = renewLocalCertificates(stored, domains.slice(0, hostsInCertificate), clock.now())
    const isSame = before !== undefined && old?.host.certPem === made.host.certPem
    const first = isSame ? before.first : net.tls.prepare(made.host)
    const make = maker(world, made.authority, makeHostCertificate)
    const { certPem } = made.authority
    const loaded = (authority: LocalAuthority) => {
      const one = new LocalCertificates(authority, made, first, domains, make)
      if (before !== undefined && old?.authority.certPem === certPem) one.#inherit(before, clock.wallMs())
      return one
    }
    if (!isKept) return loaded({ certPem, file: undefined, isNew: true })
    await disk.makeDirectory(path('tls'), 0o700)
    const write = async (pair: { cert: string; key: string }, certificate: Certificate) => {
      await disk.writeText(path(pair.key), certificate.keyPem, 0o600)
      await disk.writeText(path(pair.cert), certificate.certPem, 0o644)
    }
    if (made.authorityIsNew) await write(files.authority, made.authority)
    if (made.hostIsNew) await write(files.host, made.host)
    const file = path(files.authority.cert)
    return loaded({ certPem, file, isNew: made.authorityIsNew })
  }

  #inherit(before: LocalCertificates, nowMs: number): void {
    for (const group of new Set(this.#groups.values())) group.certificate ??= before.#madeFor(group.domains, nowMs)
  }

  /** What was made for exactly these, if it is good for a while. */
  #madeFor(domains: readonly string[], nowMs: number): TlsCertificate | undefined {
    const group = this.#groups.get(asked(domains[0] ?? ''))
    const isSame = group?.domains.length === domains.length && group.domains.every((one, n) => one === domains[n])
    const certificate = isSame ? group.certificate : undefined
    return certificate !== undefined && certificate.notAfter.getTime() - nowMs > renewBeforeMs ? certificate : undefined
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

/** Not in `load`: what is made there would hold the certificates from before the reload, and those theirs. */
function maker(
  { clock, net }: Pick<World, 'clock' | 'net'>,
  authority: Certificate,
  make: (authority: Certificate, domains: readonly string[], now: Date) => Certificate,
): (domains: readonly string[]) => TlsCertificate {
  return (domains) => net.tls.prepare(make(authority, domains, clock.now()))
}
