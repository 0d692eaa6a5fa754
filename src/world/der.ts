/** Writes DER (ITU-T X.690): as much as a certificate of our own needs. */

function length(count: number): readonly number[] {
  if (count < 0x80) return [count]
  const bytes: number[] = []
  for (let rest = count; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return [0x80 | bytes.length, ...bytes]
}

export function derValue(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag, ...length(content.length)]), content])
}

export function derSequence(...parts: readonly Uint8Array[]): Buffer {
  return derValue(0x30, ...parts)
}

export function derSet(...parts: readonly Uint8Array[]): Buffer {
  return derValue(0x31, ...parts)
}

export function derOctets(content: Uint8Array): Buffer {
  return derValue(0x04, content)
}

/** A bit string; `unused` bits of its last byte do not count. */
export function derBits(content: Uint8Array, unused = 0): Buffer {
  return derValue(0x03, Buffer.from([unused]), content)
}

export function derText(text: string): Buffer {
  return derValue(0x0c, Buffer.from(text, 'utf8'))
}

export function derTrue(): Buffer {
  return derValue(0x01, Buffer.from([0xff]))
}

/** A non-negative integer from its bytes, most significant first. */
export function derInteger(bytes: Uint8Array): Buffer {
  let from = 0
  while (from < bytes.length - 1 && bytes[from] === 0) from++
  const trimmed = bytes.subarray(from)
  return (trimmed[0] ?? 0) > 0x7f ? derValue(0x02, Buffer.from([0]), trimmed) : derValue(0x02, trimmed)
}

export function derIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes: number[] = [first * 40 + second]
  for (const part of rest) {
    const groups = [part % 128]
    for (let left = Math.floor(part / 128); left > 0; left = Math.floor(left / 128)) groups.unshift(0x80 | (left % 128))
    bytes.push(...groups)
  }
  return derValue(0x06, Buffer.from(bytes))
}

/** RFC 5280 section 4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050. Whole seconds, UTC. */
export function derTime(date: Date): Buffer {
  const text = `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`
  return date.getUTCFullYear() < 2050 ? derValue(0x17, Buffer.from(text.slice(2))) : derValue(0x18, Buffer.from(text))
}
