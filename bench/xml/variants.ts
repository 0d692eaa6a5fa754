/** The parsers that are measured, ours in four uses. */
import LtxElement from 'ltx/src/Element.js'
import Parser from 'ltx/src/parsers/ltx.js'
import { SaxesParser } from 'saxes'
import { ascii, defaultLimits, type Element, Scanner, writeStanza } from '../../src/xml/index.ts'
import { HEADER } from './mix.ts'

const FROM = ascii('romeo@montague.example/orchard')

type Feed = (bytes: Buffer) => void
/** Makes a parser that has read the header; `seen` counts its stanzas. */
export type Make = (seen: () => void) => Feed

function ours(each: (element: Element) => unknown): Make {
  return (seen) => {
    const shared = Buffer.allocUnsafeSlow(131_072)
    let kept: unknown
    const scanner = new Scanner(
      'stream',
      { ...defaultLimits, prefixes: 16 },
      {
        streamOpen: () => undefined,
        streamClose: () => undefined,
        fault: ({ code }) => {
          throw new Error(code)
        },
        stanza: (element) => {
          seen()
          kept = each(element)
        },
      },
    )
    scanner.write(Buffer.from(HEADER))
    return (bytes) => {
      // As a socket does it: into one buffer that is always the same.
      bytes.copy(shared)
      scanner.write(shared, 0, bytes.length)
      if (kept === shared) throw new Error('unreachable; it keeps the result alive')
    }
  }
}

function dom(element: Element): number {
  let count = element.text.length + element.attrs.length
  for (const child of element.elements) count += dom(child)
  return count
}

/** As @xmpp/xml uses it: elements are built, first-level ones are reported and let go. */
function ltx(seen: () => void): Feed {
  const parser = new Parser()
  let root: LtxElement | undefined
  let element: LtxElement | undefined
  parser.on('startElement', (name, attrs) => {
    const child = new LtxElement(name, attrs)
    if (root === undefined) root = child
    else if (element === undefined) child.parent = root
    else element.cnode(child)
    if (child !== root) element = child
  })
  parser.on('endElement', () => {
    const { parent } = element ?? {}
    element = parent === root || parent === null ? undefined : parent
    if (element === undefined) seen()
  })
  parser.on('text', (text) => element?.t(text))
  const decoder = new TextDecoder()
  parser.write(HEADER.slice(HEADER.indexOf('?>') + 2))
  return (bytes) => parser.write(decoder.decode(bytes, { stream: true }))
}

function saxes(xmlns: boolean): Make {
  return (seen) => {
    const parser = new SaxesParser({ xmlns, position: false })
    let depth = 0
    parser.on('opentag', () => {
      depth++
    })
    parser.on('closetag', () => {
      if (--depth === 1) seen()
    })
    parser.on('text', () => undefined)
    parser.on('error', (error) => {
      throw error
    })
    const decoder = new TextDecoder()
    parser.write(HEADER)
    return (bytes) => parser.write(decoder.decode(bytes, { stream: true }))
  }
}

export const variants = {
  scan: ours(() => undefined),
  'scan+rewrite': ours((element) => writeStanza(element, FROM, undefined)),
  'scan+names': ours((element) => element.childNames),
  'lazy dom': ours(dom),
  ltx,
  'saxes xmlns:false': saxes(false),
  'saxes xmlns:true': saxes(true),
} satisfies Readonly<Record<string, Make>>

export type Variant = keyof typeof variants
