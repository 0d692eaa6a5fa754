/** Certificate revocation lists (RFC 5280 section 5): as much of them as who configures one has to be told of. */
import { X509Certificate } from 'node:crypto'
import { WorldError } from './error.ts'
import type { RevocationList } from './net.types.ts'
import { readDer, subjectOf, type Value } from './x509.ts'

const block = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/g

/** All lists of a file: PEM with one or several, or the DER of one. Throws `WorldError` RTK_TLS_BAD_CRL. */
export function readRevocationLists(file: Uint8Array): readonly RevocationList[] {
  const text = Buffer.from(file).toString('latin1')
  if (file[0] === 0x30) return [readList(file)]
  const lists = [...text.matchAll(block)].map(([, base64 = '']) => readList(Buffer.from(base64, 'base64')))
  if (lists.length > 0) return lists
  const other = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1]
  throw bad(other === undefined ? 'it is neither PEM nor DER' : `it holds a ${other}`)
}

function bad(why: string): WorldError {
  return new WorldError('RTK_TLS_BAD_CRL', `this is no revocation list: ${why}`, { temporary: false })
}

/** CertificateList ::= { tbsCertList { version?, signature, issuer, thisUpdate, nextUpdate?, … }, algorithm, signature } */
function readList(der: Uint8Array): RevocationList {
  const list = within(der, 0, [0x30])
  if (list.end !== der.length) throw bad('there is something behind it')
  const body = within(der, list.start, [0x30])
  const first = within(der, body.start, [0x02, 0x30])
  const algorithm = first.tag === 0x02 ? within(der, first.end, [0x30]) : first
  const issuer = within(der, algorithm.end, [0x30])
  const thisUpdate = within(der, issuer.end, times)
  const next = thisUpdate.end < body.end ? readDer(der, thisUpdate.end) : undefined
  const nextUpdate = next !== undefined && times.includes(next.tag) ? timeOf(der, next) : undefined
  const base64 =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return {
    pem: `-----BEGIN X509 CRL-----\n${base64.join('\n')}\n-----END X509 CRL-----\n`,
    issuer: nameOf(der, issuer),
    issuerKey: Buffer.from(der.subarray(algorithm.end, issuer.end)).toString('base64'),
    thisUpdate: timeOf(der, thisUpdate),
    nextUpdate,
  }
}

const times: readonly number[] = [0x17, 0x18]

function within(der: Uint8Array, at: number, tags: readonly number[]): Value {
  const value = readDer(der, at)
  if (value === undefined || !tags.includes(value.tag)) throw bad('its form is another')
  return value
}

/** RFC 5280 section 5.1.2.4: YYMMDDhhmmssZ until 2049, YYYYMMDDhhmmssZ from then on. */
function timeOf(der: Uint8Array, { tag, start, end }: Value): Date {
  const text = Buffer.from(der.subarray(start, end)).toString('latin1')
  const century = Number(text.slice(0, 2)) < 50 ? '20' : '19'
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(tag === 0x17 ? century + text : text)
  if (parts === null) throw bad('a time in it is none')
  const [year = 0, month = 0, ...rest] = parts.slice(1).map(Number)
  const [day, hour, minute, second] = rest
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second))
}

/** The values of a distinguished name, one behind the other. */
function nameOf(der: Uint8Array, name: Value): string {
  const values: string[] = []
  for (let at = name.start; at < name.end; ) {
    const set = within(der, at, [0x31])
    const pair = within(der, set.start, [0x30])
    const key = within(der, pair.start, [0x06])
    const value = readDer(der, key.end)
    if (value === undefined) throw bad('its form is another')
    values.push(Buffer.from(der.subarray(value.start, value.end)).toString('utf8'))
    at = set.end
  }
  return values.join(', ')
}

/** Authorities that have none of the lists, by name. Those that are not written as the lists write them are taken for others. */
export function authoritiesWithout(lists: readonly RevocationList[], rootsPem: string): readonly string[] {
  const known = new Set(lists.map(({ issuerKey }) => issuerKey))
  const roots = rootsPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return roots.flatMap((pem) => {
    const root = readRoot(pem)
    if (root === undefined || known.has(Buffer.from(subjectOf(root.raw)).toString('base64'))) return []
    return [(root.subject ?? '').replace(/^[A-Za-z]+=/gm, '').replaceAll('\n', ', ')]
  })
}

/** One that cannot be read vouches for nobody: OpenSSL says so itself. */
function readRoot(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}
