/** Agreement with an independent parser. RATATOSK_LONG=1 makes it 200,000 documents instead of 5,000. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SaxesParser } from 'saxes'
import { XmlError } from './errors.ts'
import { mutated, randomDocument } from './generated.ts'
import { parseBytes } from './parse.ts'
import { type Tree, tree } from './recorded.ts'

const long = process.env['RATATOSK_LONG'] === '1'
const DOCUMENTS = long ? 200_000 : 5_000

type Open = [name: string, ns: string, attrs: string[], children: (Tree | string)[]]

/** What saxes makes of it: a tree, or undefined when it finds a fault. */
function bySaxes(text: string): Tree | undefined {
  const parser = new SaxesParser({ xmlns: true, position: false })
  const stack: Open[] = []
  let root: Open | undefined
  let failed = false
  parser.on('error', () => {
    failed = true
  })
  parser.on('opentag', ({ local, uri, attributes }) => {
    const attrs = Object.values(attributes).filter((attr) => attr.uri !== 'http://www.w3.org/2000/xmlns/')
    const open: Open = [local, uri, attrs.map((attr) => `{${attr.uri}}${attr.local}=${attr.value}`), []]
    stack.at(-1)?.[3].push(open)
    root ??= open
    stack.push(open)
  })
  parser.on('closetag', () => {
    stack.pop()
  })
  const add = (data: string): void => {
    const children = stack.at(-1)?.[3]
    if (children === undefined || data === '') return
    const last = children.at(-1)
    if (typeof last === 'string') children[children.length - 1] = last + data
    else children.push(data)
  }
  parser.on('text', add)
  parser.on('cdata', add)
  parser.write(text)
  parser.close()
  return failed ? undefined : root
}

/** The same by ours, or the code of the fault. */
function byOurs(bytes: Buffer): Tree | string {
  try {
    return tree(parseBytes(bytes))
  } catch (error) {
    if (error instanceof XmlError) return error.code
    throw error
  }
}

/** Where saxes is wrong for XMPP: documents that it accepts and that must be refused, or the other way round. */
const differences: readonly { readonly why: string; readonly bytes: Buffer; readonly ours: string }[] = [
  { why: 'comments pass', bytes: Buffer.from('<a><!-- x --></a>'), ours: 'RTK_XML_COMMENT' },
  { why: 'processing instructions pass', bytes: Buffer.from('<a><?x y?></a>'), ours: 'RTK_XML_INSTRUCTION' },
  { why: 'document types pass', bytes: Buffer.from('<!DOCTYPE a><a/>'), ours: 'RTK_XML_DTD' },
  {
    why: 'the decoder replaces bad UTF-8',
    bytes: Buffer.from([0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e]),
    ours: 'RTK_XML_BAD_UTF8',
  },
  { why: 'XML 1.1 passes', bytes: Buffer.from("<?xml version='1.1'?><a/>"), ours: 'RTK_XML_VERSION' },
  {
    why: 'any encoding passes',
    bytes: Buffer.from("<?xml version='1.0' encoding='latin1'?><a/>"),
    ours: 'RTK_XML_ENCODING',
  },
  {
    why: 'a byte order mark is dropped (RFC 6120 section 11.6: it is a character)',
    bytes: Buffer.from('\ufeff<a/>'),
    ours: 'RTK_XML_NOT_XML',
  },
  {
    why: 'references of any length pass',
    bytes: Buffer.from(`<a>&#x${'0'.repeat(30)}41;</a>`),
    ours: 'RTK_XML_REFERENCE_BYTES',
  },
]

test('saxes errs where the table says so, and only there', () => {
  for (const { why, bytes, ours } of differences) {
    assert.notEqual(bySaxes(bytes.toString('utf8')), undefined, `saxes refuses: ${why}`)
    assert.equal(byOurs(bytes), ours, why)
  }
})

/** Saxes trims namespace names; Namespaces in XML section 2.3 compares them character by character. */
function trimmed([name, ns, attrs, children]: Tree): Tree {
  const short = attrs.map((attr) => attr.replace(/^\{([^}]*)\}/, (_, of: string) => `{${of.trim()}}`))
  return [name, ns.trim(), short, children.map((child) => (typeof child === 'string' ? child : trimmed(child)))]
}

test('a blank in a namespace name is part of it, whatever saxes says', () => {
  const text = "<a xmlns=' urn:x '/>"
  assert.equal(byOurs(Buffer.from(text))[1], ' urn:x ')
  assert.equal(bySaxes(text)?.[1], 'urn:x')
})

/** Saxes may accept what we refuse for one of these reasons; each has its row above. */
const stricter = new Set(differences.map(({ ours }) => ours))

/** For the same reason a prefix bound to blanks is unbound for saxes. */
function isBlankNs(text: string): boolean {
  return /xmlns:[^=]+=\s*(?:'\s+'|"\s+")/.test(text)
}

/** Saxes lets a local name begin with any character of a name; Namespaces in XML section 4 does not. */
function isLooseName(ours: string, text: string): boolean {
  return ours === 'RTK_XML_BAD_NAME' && /:(?:[-.0-9\u00b7]|[\u0300-\u036f])/.test(text)
}

test('a local name begins as names begin, whatever saxes says', () => {
  const text = "<p:1 xmlns:p='u'/>"
  assert.equal(byOurs(Buffer.from(text)), 'RTK_XML_BAD_NAME')
  assert.notEqual(bySaxes(text), undefined)
})

/** Saxes wants the declaration at the very beginning; white space before it belongs to what came before, such as a keep-alive. */
function isLateDeclaration(text: string): boolean {
  return /^[ \t\r\n]+<\?xml/.test(text)
}

test(`RCV-04: agreement with saxes on ${DOCUMENTS} generated documents, half of them mutated`, () => {
  let accepted = 0
  for (let seed = 0; seed < DOCUMENTS; seed++) {
    const whole = Buffer.from(randomDocument(seed))
    const bytes = seed % 2 === 0 ? whole : mutated(whole, seed)
    const text = bytes.toString('utf8')
    const ours = byOurs(bytes)
    const theirs = bySaxes(text)
    if (typeof ours !== 'string') {
      accepted++
      if (theirs === undefined && (isLateDeclaration(text) || isBlankNs(text))) continue
      assert.deepEqual(trimmed(ours), theirs, `seed ${seed}: ${JSON.stringify(text)}`)
    } else if (theirs !== undefined)
      assert.ok(stricter.has(ours) || isLooseName(ours, text), `seed ${seed}: ${ours}: ${JSON.stringify(text)}`)
  }
  // Most whole ones and some mutated ones; a generator that makes only rubbish proves nothing.
  assert.ok(accepted > DOCUMENTS * 0.4 && accepted < DOCUMENTS * 0.9, `${accepted} accepted`)
})
