/** IP addresses and networks as bytes (RFC 4291 section 2.2, RFC 4632), for access rules and PROXY sources. */

/** 4 or 16 bytes. */
export type AddressBytes = readonly number[]

export interface Network {
  readonly bytes: AddressBytes
  /** Length of the prefix in bits. */
  readonly bits: number
}

function parseV4(text: string): number[] | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  const bytes: number[] = []
  for (const part of parts) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    bytes.push(Number(part))
  }
  return bytes
}

function parseGroups(text: string): number[] | undefined {
  if (text === '') return []
  const bytes: number[] = []
  for (const group of text.split(':')) {
    if (!/^[0-9A-Fa-f]{1,4}$/.test(group)) return undefined
    const value = Number.parseInt(group, 16)
    bytes.push(value >> 8, value & 0xff)
  }
  return bytes
}

function parseV6(written: string): number[] | undefined {
  let text = written
  const lastColon = text.lastIndexOf(':')
  let tail: number[] = []
  if (text.indexOf('.', lastColon) > 0) {
    const v4 = parseV4(text.slice(lastColon + 1))
    if (v4 === undefined) return undefined
    tail = v4
    // The colon before the dotted part ends the last group, unless it is half of '::'.
    text = text[lastColon - 1] === ':' ? text.slice(0, lastColon + 1) : text.slice(0, lastColon)
  }
  const gap = text.indexOf('::')
  if (gap < 0) {
    const all = parseGroups(text)
    return all !== undefined && all.length + tail.length === 16 ? [...all, ...tail] : undefined
  }
  const head = parseGroups(text.slice(0, gap))
  const rest = parseGroups(text.slice(gap + 2))
  if (head === undefined || rest === undefined) return undefined
  const missing = 16 - head.length - rest.length - tail.length
  if (missing < 2) return undefined
  return [...head, ...Array<number>(missing).fill(0), ...rest, ...tail]
}

/** Bytes of an IPv4 or IPv6 address; an IPv4-mapped one (`::ffff:192.0.2.1`) comes out as IPv4. A zone is ignored. */
export function parseAddress(text: string): AddressBytes | undefined {
  if (!text.includes(':')) return parseV4(text)
  const zone = text.indexOf('%')
  const bytes = parseV6(zone < 0 ? text : text.slice(0, zone))
  if (bytes === undefined) return undefined
  const mapped = bytes[10] === 0xff && bytes[11] === 0xff && bytes.slice(0, 10).every((byte) => byte === 0)
  return mapped ? bytes.slice(12) : bytes
}

/**
 * What an address is counted under: an IPv6 one by its /64, since one machine has all of it. A Unix socket has none, '',
 * and is not counted.
 */
export function countingKey(address: string): string {
  if (!address.includes(':')) return address
  const bytes = parseAddress(address)
  if (bytes === undefined) return address
  return bytes.length === 4 ? bytes.join('.') : bytes.slice(0, 8).join('.')
}

/** `192.0.2.0/24`, or an address alone. A network with bits set behind its prefix is one too. */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/')
  const bytes = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (bytes === undefined) return undefined
  const width = bytes.length * 8
  if (slash < 0) return { bytes, bits: width }
  const bits = text.slice(slash + 1)
  return /^\d{1,3}$/.test(bits) && Number(bits) <= width ? { bytes, bits: Number(bits) } : undefined
}

export function inNetwork(address: AddressBytes, network: Network): boolean {
  if (address.length !== network.bytes.length) return false
  const whole = network.bits >> 3
  for (let i = 0; i < whole; i++) if (address[i] !== network.bytes[i]) return false
  const rest = network.bits & 7
  if (rest === 0) return true
  const mask = 0xff << (8 - rest)
  return (((address[whole] ?? 0) ^ (network.bytes[whole] ?? 0)) & mask & 0xff) === 0
}
