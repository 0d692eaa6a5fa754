/** The XMPP addresses in a certificate: subjectAltName entries of the form id-on-xmppAddr (RFC 6120 section 13.7.1.4, RFC 5280). */
import { readDer, type Value } from './x509.ts'

/** 2.5.29.17 and 1.3.6.1.5.5.7.8.5, as their bytes. */
const SUBJECT_ALT_NAME = Buffer.from([0x55, 0x1d, 0x11])
const ID_ON_XMPP_ADDR = Buffer.from([0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x05])

const OBJECT_IDENTIFIER = 0x06
const OCTET_STRING = 0x04
const UTF8_STRING = 0x0c
const CONTEXT_0 = 0xa0
const CONTEXT_3 = 0xa3

/** More are not looked at. */
const addressesMax = 100

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** As text, not prepared; empty for a certificate without any, and for one that is none. */
export function xmppAddresses(der: Uint8Array): readonly string[] {
  const certificate = readDer(der, 0)
  const body = certificate === undefined ? undefined : readDer(der, certificate.start)
  const extensions = body === undefined ? undefined : inside(der, body).find(({ tag }) => tag === CONTEXT_3)
  const list = extensions === undefined ? undefined : inside(der, extensions)[0]
  const found: string[] = []
  for (const extension of list === undefined ? [] : inside(der, list)) {
    const [name, ...rest] = inside(der, extension)
    const value = rest.at(-1)
    if (!isIdentifier(der, name, SUBJECT_ALT_NAME) || value?.tag !== OCTET_STRING) continue
    const names = readDer(der, value.start)
    for (const general of names === undefined ? [] : inside(der, names)) {
      const address = addressOf(der, general)
      if (address !== undefined && found.length < addressesMax) found.push(address)
    }
  }
  return found
}

/** otherName [0] { type-id, value [0] EXPLICIT UTF8String }. */
function addressOf(der: Uint8Array, general: Value): string | undefined {
  if (general.tag !== CONTEXT_0) return undefined
  const [type, value] = inside(der, general)
  if (!isIdentifier(der, type, ID_ON_XMPP_ADDR) || value?.tag !== CONTEXT_0) return undefined
  const text = readDer(der, value.start)
  if (text?.tag !== UTF8_STRING || text.end > value.end) return undefined
  try {
    return utf8.decode(der.subarray(text.start, text.end))
  } catch {
    return undefined
  }
}

/** The values one after the other in another; none where one is cut short. */
function inside(der: Uint8Array, outer: Value): readonly Value[] {
  const values: Value[] = []
  for (let at = outer.start; at < outer.end; ) {
    const value = readDer(der, at)
    if (value === undefined || value.end > outer.end) return []
    values.push(value)
    at = value.end
  }
  return values
}

function isIdentifier(der: Uint8Array, value: Value | undefined, identifier: Uint8Array): boolean {
  if (value?.tag !== OBJECT_IDENTIFIER) return false
  return Buffer.compare(der.subarray(value.start, value.end), identifier) === 0
}
