/** IPv6 addresses in the one form of RFC 5952, for domainparts in brackets. */

/** Groups of one to four hexadecimal digits; undefined when one is not. */
function groupsOf(text: string): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  for (const part of text.split(':')) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined
    groups.push(Number.parseInt(part, 16))
  }
  return groups
}

/** A dotted quad at the end becomes two groups (RFC 4291 section 2.2, form 3; no leading zeros, RFC 3986). */
function foldIpv4(text: string): string | undefined {
  if (!text.includes('.')) return text
  const colon = text.lastIndexOf(':')
  const octets = text.slice(colon + 1).split('.')
  if (colon < 0 || octets.length !== 4) return undefined
  const [a = 0, b = 0, c = 0, d = 0] = octets.map((o) => (/^(0|[1-9][0-9]{0,2})$/.test(o) ? Number(o) : 256))
  if (Math.max(a, b, c, d) > 255) return undefined
  return `${text.slice(0, colon + 1)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
}

function parse(text: string): number[] | undefined {
  const folded = text.length > 45 ? undefined : foldIpv4(text)
  if (folded === undefined) return undefined
  const gap = folded.indexOf('::')
  if (gap < 0) {
    const groups = groupsOf(folded)
    return groups?.length === 8 ? groups : undefined
  }
  const head = groupsOf(folded.slice(0, gap))
  const tail = groupsOf(folded.slice(gap + 2))
  // '::' stands for at least one group (RFC 4291 section 2.2, form 2).
  if (head === undefined || tail === undefined || head.length + tail.length > 7) return undefined
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail]
}

/** The first of the longest runs of at least two zero groups (RFC 5952 section 4.2). */
function longestZeros(groups: readonly number[]): { at: number; length: number } {
  let best = { at: -1, length: 1 }
  for (let at = 0; at < 8; at++) {
    let length = 0
    while (groups[at + length] === 0) length++
    if (length > best.length) best = { at, length }
    at += length
  }
  return best
}

/** The canonical text of an IPv6 address without brackets; undefined when it is none. Zones are not part of a JID. */
export function canonicalIpv6(text: string): string | undefined {
  const groups = parse(text)
  if (groups === undefined) return undefined
  const hex = groups.map((group) => group.toString(16))
  const [, , , , , mapped = 0, high = 0, low = 0] = groups
  // RFC 5952 section 5: the prefix of IPv4-mapped addresses is well known.
  if (mapped === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return `::ffff:${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
  }
  const zeros = longestZeros(groups)
  if (zeros.at < 0) return hex.join(':')
  return `${hex.slice(0, zeros.at).join(':')}::${hex.slice(zeros.at + zeros.length).join(':')}`
}
