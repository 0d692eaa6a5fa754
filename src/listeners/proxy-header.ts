/**
 * The PROXY protocol, versions 1 and 2 (HAProxy Technologies, 2020-03-05), receiver's side: a balancer says in front of
 * the stream who the client is. A header may come in pieces, but not with more bytes than the protocol allows.
 */
import { parseAddress } from '../core/network.ts'
import type { Endpoint } from '../world/net.types.ts'

export type ProxyReading =
  /** Not whole yet. */
  | { readonly kind: 'more' }
  /** `source` is undefined for LOCAL and UNKNOWN: the balancer speaks for itself (a health check). */
  | { readonly kind: 'header'; readonly source: Endpoint | undefined; readonly length: number }
  | { readonly kind: 'fault'; readonly text: string }

/** Section 2.1: the longest line of version 1, its end included. */
const lineMax = 107
/** Section 2.2: signature, version and command, family, length. */
const fixedLength = 16
/** The longest version 2 header that is taken; TLVs of real balancers stay far below. */
const headerMax = 4096

const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

const more: ProxyReading = { kind: 'more' }

function fault(text: string): ProxyReading {
  return { kind: 'fault', text }
}

/** Reads a header from the first bytes of a connection. */
export function readProxyHeader(bytes: Uint8Array): ProxyReading {
  if (bytes.length === 0) return more
  return bytes[0] === signature[0] ? readBinary(bytes) : readLine(bytes)
}

// Section 2.1
function readLine(bytes: Uint8Array): ProxyReading {
  const end = bytes.subarray(0, lineMax).indexOf(0x0a)
  const line = String.fromCharCode(...bytes.subarray(0, end < 0 ? Math.min(bytes.length, lineMax) : end))
  if (!'PROXY '.startsWith(line.slice(0, 6))) return fault('the connection does not begin with a PROXY header')
  if (end < 0) return bytes.length >= lineMax ? fault('the PROXY line is too long') : more
  if (!line.endsWith('\r')) return fault('the PROXY line does not end with CR LF')
  const [, family, source, destination, sourcePort, destinationPort, ...rest] = line.slice(0, -1).split(' ')
  const length = end + 1
  if (family === 'UNKNOWN') return { kind: 'header', source: undefined, length }
  if (family !== 'TCP4' && family !== 'TCP6') return fault('the PROXY line names no known family')
  const port = portOf(sourcePort)
  const isComplete = rest.length === 0 && destination !== undefined && portOf(destinationPort) !== undefined
  if (source === undefined || port === undefined || !isComplete) return fault('the PROXY line is not complete')
  if (!isOf(family, source) || !isOf(family, destination)) return fault('the PROXY line has no address of its family')
  return { kind: 'header', source: { host: source, port }, length }
}

/** IPv6 as groups of hexadecimal digits only in the letter, but balancers write mapped addresses with a dotted end. */
function isOf(family: 'TCP4' | 'TCP6', address: string): boolean {
  const isRight = family === 'TCP4' ? !address.includes(':') : /^[0-9A-Fa-f:.]+$/.test(address) && address.includes(':')
  return isRight && parseAddress(address) !== undefined
}

function portOf(text: string | undefined): number | undefined {
  return text !== undefined && /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined
}

// Section 2.2
function readBinary(bytes: Uint8Array): ProxyReading {
  for (let i = 0; i < Math.min(bytes.length, signature.length); i++) {
    if (bytes[i] !== signature[i]) return fault('the connection does not begin with a PROXY header')
  }
  if (bytes.length < fixedLength) return more
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const command = view.getUint8(12)
  if (command >> 4 !== 2) return fault('the PROXY header has another version than 2')
  const length = fixedLength + view.getUint16(14)
  if (length > headerMax) return fault('the PROXY header is too long')
  if (bytes.length < length) return more
  if ((command & 0xf) === 0) return { kind: 'header', source: undefined, length }
  if ((command & 0xf) !== 1) return fault('the PROXY header has an unknown command')
  const family = view.getUint8(13) >> 4
  if (family === 1) {
    if (length < fixedLength + 12) return fault('the PROXY header is too short for IPv4')
    const host = [16, 17, 18, 19].map((at) => view.getUint8(at)).join('.')
    return { kind: 'header', source: { host, port: view.getUint16(24) }, length }
  }
  if (family === 2) {
    if (length < fixedLength + 36) return fault('the PROXY header is too short for IPv6')
    const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(16 + 2 * i).toString(16))
    return { kind: 'header', source: { host: groups.join(':'), port: view.getUint16(48) }, length }
  }
  // A Unix socket at the balancer, or unspecified: nothing is known of the client.
  return { kind: 'header', source: undefined, length }
}
