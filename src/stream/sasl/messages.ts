/** The messages of SCRAM as RFC 5802 section 7 defines them: strict readers and writers, without any state. */
import { readBase64, unescapeName } from './encoding.ts'

/** Optional extensions, which are to be ignored; a mandatory one is found by `hasMandatory`. */
const EXTENSIONS = String.raw`((?:,[A-Za-z]=[^,\0]+)*)`
const BASE64 = '([A-Za-z0-9+/]+={0,2})'
/** Printable ASCII without the comma. */
const NONCE = String.raw`([\x21-\x2b\x2d-\x7e]+)`

const CLIENT_FIRST = new RegExp(
  String.raw`^((?:([ny])|p=([A-Za-z0-9.-]+)),(?:a=([^,\0]+))?,)(m=[^,\0]+,)?n=([^,\0]+),r=${NONCE}${EXTENSIONS}$`,
)
const SERVER_FIRST = new RegExp(`^(m=[^,\\0]+,)?r=${NONCE},s=${BASE64},i=([1-9][0-9]{0,9})${EXTENSIONS}$`)
const CLIENT_FINAL = new RegExp(`^(c=${BASE64},r=${NONCE}${EXTENSIONS}),p=${BASE64}$`)
const SERVER_FINAL = new RegExp(String.raw`^(?:v=${BASE64}|e=([^,\0]+))${EXTENSIONS}$`)

/** 'mandatory': an attribute "m", which no reader may pass over; undefined: not in the grammar. */
type Read<T> = T | 'mandatory' | undefined

function hasMandatory(first: string | undefined, extensions: string | undefined): boolean {
  return first !== undefined || (extensions?.includes(',m=') ?? false)
}

export interface ClientFirst {
  /** With both commas: it comes back, in base64, in the final message. */
  readonly gs2Header: string
  /** 'n': cannot bind channels; 'y': could, but saw no offer; 'p': binds. */
  readonly flag: 'n' | 'y' | 'p'
  /** The type of channel binding behind "p=", '' without. */
  readonly bindingType: string
  /** Unescaped; undefined when there is none. */
  readonly authzid: string | undefined
  /** All behind the header, as it came: part of what is signed. */
  readonly bare: string
  /** Unescaped, not prepared. */
  readonly username: string
  readonly nonce: string
}

export function readClientFirst(text: string): Read<ClientFirst> {
  const match = CLIENT_FIRST.exec(text)
  if (match === null) return undefined
  const [, gs2Header = '', letter, bindingType = '', escapedAuthzid, mandatory, escapedName = '', nonce = '', rest] =
    match
  if (hasMandatory(mandatory, rest)) return 'mandatory'
  const username = unescapeName(escapedName)
  const authzid = escapedAuthzid === undefined ? undefined : unescapeName(escapedAuthzid)
  if (username === undefined || (escapedAuthzid !== undefined && authzid === undefined)) return undefined
  const flag = letter === 'n' || letter === 'y' ? letter : 'p'
  return { gs2Header, flag, bindingType, authzid, bare: text.slice(gs2Header.length), username, nonce }
}

export interface ServerFirst {
  readonly nonce: string
  readonly salt: Uint8Array
  readonly iterations: number
  /** The attribute "h" of XEP-0474, in base64; undefined without. */
  readonly offerHash: string | undefined
}

export function readServerFirst(text: string): Read<ServerFirst> {
  const match = SERVER_FIRST.exec(text)
  if (match === null) return undefined
  const [, mandatory, nonce = '', saltText = '', iterations = '', rest] = match
  if (hasMandatory(mandatory, rest)) return 'mandatory'
  const salt = readBase64(saltText)
  if (salt === undefined) return undefined
  return { nonce, salt, iterations: Number(iterations), offerHash: /,h=([^,]+)/.exec(rest ?? '')?.[1] }
}

export interface ClientFinal {
  /** All before the proof, as it came: part of what is signed. */
  readonly withoutProof: string
  /** Still in base64. */
  readonly channelBinding: string
  readonly nonce: string
  readonly proof: Uint8Array
}

export function readClientFinal(text: string): Read<ClientFinal> {
  const match = CLIENT_FINAL.exec(text)
  if (match === null) return undefined
  const [, withoutProof = '', channelBinding = '', nonce = '', rest, proofText = ''] = match
  if (hasMandatory(undefined, rest)) return 'mandatory'
  const proof = readBase64(proofText)
  return proof === undefined ? undefined : { withoutProof, channelBinding, nonce, proof }
}

/** The signature of the server, or the error that it names. */
export function readServerFinal(text: string): Read<{ readonly signature: Uint8Array } | { readonly error: string }> {
  const match = SERVER_FINAL.exec(text)
  if (match === null) return undefined
  const [, signatureText, error, rest] = match
  if (hasMandatory(undefined, rest)) return 'mandatory'
  if (error !== undefined) return { error }
  const signature = readBase64(signatureText ?? '')
  return signature === undefined ? undefined : { signature }
}
