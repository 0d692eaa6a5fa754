/** How SASL data is written: UTF-8, base64, and the escaped names of SCRAM. All reading is strict. */

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Undefined when the bytes are not UTF-8. A byte order mark stays, so that the bytes can be had back. */
export function readUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

export function toUtf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** RFC 4648 section 4: the alphabet, full padding, no white space, unused bits zero. Undefined otherwise. */
export function readBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

/**
 * Content of `<auth/>`, `<response/>`, `<challenge/>` or `<success/>` (RFC 6120 section 6.4.2): '=' is data of no bytes, nothing
 * at all is no data. 'bad' calls for `incorrect-encoding`.
 */
export function readPayload(text: string): Uint8Array | undefined | 'bad' {
  if (text === '') return undefined
  return text === '=' ? new Uint8Array(0) : (readBase64(text) ?? 'bad')
}

/** The opposite of `readPayload`. */
export function writePayload(data: Uint8Array | undefined): string {
  if (data === undefined) return ''
  return data.length === 0 ? '=' : toBase64(data)
}

/** RFC 5802 section 5.1: ',' and '=' of a name. */
export function escapeName(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C')
}

/** Undefined when a '=' is not followed by 2C or 3D, or when the name is empty. */
export function unescapeName(text: string): string | undefined {
  if (text === '' || /=(?!2C|3D)/.test(text)) return undefined
  return text.replaceAll('=2C', ',').replaceAll('=3D', '=')
}
