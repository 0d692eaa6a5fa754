/**
 * Byte strings: UTF-8 bytes carried in one-byte JavaScript strings, one character a byte (DESIGN.md section 4).
 * XML travels as `Octets` from socket to socket and is decoded only where a handler reads text.
 */
declare const octets: unique symbol

/** A string whose characters are bytes (0 to 255) of UTF-8. Only `encode`, `ascii` and `decode` cross to `string`. */
export type Octets = string & { readonly [octets]: true }

// RFC 6120 section 11.6: U+FEFF is a character like any other, at the beginning too.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** True when bytes and text are the same. */
export function isAscii(text: string): boolean {
  // Node counts the UTF-8 bytes of a long string many at a time; for a short one the call costs more than the loop.
  if (text.length > 32) return Buffer.byteLength(text, 'utf8') === text.length
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

interface Latin1Slicing {
  latin1Slice(this: Uint8Array, start: number, end: number): string
}

// Node's own method behind toString('latin1', start, end), without the search for the encoding's name; not in its typings.
const { latin1Slice } = Buffer.prototype as unknown as Latin1Slicing

/** The bytes from `start` to `end` as one flat string that shares no memory with them. */
export function fromBytes(bytes: Uint8Array, start = 0, end: number = bytes.length): Octets {
  return latin1Slice.call(bytes, start, end) as Octets
}

/** Text to its UTF-8 bytes. Lone surrogates become U+FFFD, as TextEncoder does. */
export function encode(text: string): Octets {
  if (isAscii(text)) return text as Octets
  return fromBytes(Buffer.from(text, 'utf8'))
}

/** UTF-8 bytes to text. The bytes were checked by the scanner; a bad sequence from elsewhere becomes U+FFFD. */
export function decode(bytes: Octets): string {
  if (isAscii(bytes)) return bytes
  return utf8.decode(Buffer.from(bytes, 'latin1'))
}

/** A literal that is known to be ASCII; free of cost. */
export function ascii(literal: string): Octets {
  return literal as Octets
}

/**
 * A flat copy that shares no memory with the chunk it was sliced from. A slice keeps its whole parent alive, so
 * whatever outlives its stanza (queues, caches, tables) is copied by `own` first.
 */
export function own(bytes: Octets): Octets {
  return fromBytes(Buffer.from(bytes, 'latin1'))
}
