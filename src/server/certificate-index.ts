/** Certificates by the names in them: with 10,000 hosts each handshake and each reload would have to try them all. */
import type { TlsCertificate } from '../world/net.types.ts'

interface Entry {
  readonly certificate: TlsCertificate
  /** The first of those that are for a name counts. */
  readonly order: number
}

export class CertificateIndex {
  readonly first: TlsCertificate | undefined
  readonly size: number
  /** By name, `*.example.org` included. */
  readonly #byName = new Map<string, Entry>()
  /** Those whose names say not all: without any, or with a wildcard of another form. */
  readonly #others: Entry[] = []

  constructor(certificates: readonly TlsCertificate[]) {
    this.first = certificates[0]
    this.size = certificates.length
    for (const [order, certificate] of certificates.entries()) {
      const entry = { certificate, order }
      const { names } = certificate
      if (names.length === 0 || names.some((name) => name.lastIndexOf('*') > 0 || name === '*'))
        this.#others.push(entry)
      for (const name of names) if (!this.#byName.has(name)) this.#byName.set(name, entry)
    }
  }

  /** The certificate for a name in ASCII and lower case, or for an address. */
  find(name: string): TlsCertificate | undefined {
    const dot = name.indexOf('.')
    let found: Entry | undefined
    const offer = (entry: Entry | undefined) => {
      if (entry === undefined || (found !== undefined && found.order < entry.order)) return
      if (entry.certificate.isFor(name)) found = entry
    }
    offer(this.#byName.get(name))
    if (dot > 0) offer(this.#byName.get(`*${name.slice(dot)}`))
    for (const entry of this.#others) offer(entry)
    return found?.certificate
  }
}
