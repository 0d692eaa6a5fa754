/** Clients with capabilities, for tests: what they advertise, and what they answer when they are asked. */
import { RealHashing } from '../../world/hashing.ts'
import { parseElement } from '../../xml/parse.ts'
import { readInfo, verificationString } from './verification.ts'

const INFO = 'http://jabber.org/protocol/disco#info'

export interface Program {
  /** The `<c/>` of its presence. */
  readonly c: string
  /** Children of its answer. */
  readonly told: string
}

/** XEP-0115 §5.2. */
export const exodus: Program = {
  c: advertised('http://code.google.com/p/exodus', 'QgayPKawpkPSDYmwT/WM94uAlu0='),
  told: [
    `<identity category='client' name='Exodus 0.9.1' type='pc'/>`,
    ...['caps', 'disco#info', 'disco#items', 'muc'].map((one) => feature(`http://jabber.org/protocol/${one}`)),
  ].join(''),
}

/** XEP-0115 §5.3. */
export const psi: Program = {
  c: advertised('http://psi-im.org', 'q07IKJEyjvHSyhy//CH0CxmKi8w='),
  told: [
    `<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>`,
    `<identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>`,
    ...['caps', 'disco#info', 'disco#items', 'muc'].map((one) => feature(`http://jabber.org/protocol/${one}`)),
    form('urn:xmpp:dataforms:softwareinfo', {
      ip_version: ['ipv4', 'ipv6'],
      os: ['Mac'],
      os_version: ['10.5.1'],
      software: ['Psi'],
      software_version: ['0.11'],
    }),
  ].join(''),
}

export function advertised(node: string, ver: string, hash = 'sha-1'): string {
  return `<c xmlns='http://jabber.org/protocol/caps' hash='${hash}' node='${node}' ver='${ver}'/>`
}

export function feature(name: string): string {
  return `<feature var='${name}'/>`
}

export function form(formType: string, fields: Readonly<Record<string, readonly string[]>>, type = 'hidden'): string {
  const value = (text: string) => `<value>${text}</value>`
  const rest = Object.entries(fields).map(
    ([name, texts]) => `<field var='${name}'>${texts.map(value).join('')}</field>`,
  )
  const head = `<field var='FORM_TYPE' type='${type}'>${value(formType)}</field>`
  return `<x xmlns='jabber:x:data' type='result'>${head}${rest.join('')}</x>`
}

/** An honest program that tells this. */
export function program(told: string, hash = 'sha-1', node = 'urn:example:program'): Program {
  const info = readInfo(parseElement(`<query xmlns='${INFO}'>${told}</query>`))
  const ver = info === undefined ? undefined : verificationString(new RealHashing(), hash, info)
  if (ver === undefined) throw new Error('this cannot be hashed')
  return { c: advertised(node, ver, hash), told }
}

/** One with nothing but an identity and these features. */
export function featured(...features: readonly string[]): Program {
  return program(`<identity category='client' type='pc'/>${features.map(feature).join('')}`)
}

/** The answer to a question, as text of the wire. */
export function answerTo(question: string, told: string): string {
  const id = /<iq [^>]*\bid='([^']*)'/.exec(question)?.[1]
  const from = /<iq [^>]*\bfrom='([^']*)'/.exec(question)?.[1]
  return `<iq type='result' id='${id}' to='${from}'><query xmlns='${INFO}'>${told}</query></iq>`
}
