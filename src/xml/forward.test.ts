/** What comes in by one stream means the same on any other, lazily copied or built anew. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BuiltContent, BuiltElement } from './element.ts'
import type { Element } from './element.types.ts'
import { XmlError } from './errors.ts'
import { randomElement } from './generated.ts'
import { LazyElement, RAW_PAYLOAD } from './lazy.ts'
import { defaultLimits } from './limits.ts'
import { NS_CLIENT } from './ns.ts'
import { encode, type Octets } from './octets.ts'
import { parseElement, parseOctets } from './parse.ts'
import { type Tree, tree } from './recorded.ts'
import { Scanner } from './scanner.ts'
import { StanzaTemplate, serialise, writeStanza } from './serialise.ts'

const RUNS = process.env['RATATOSK_LONG'] === '1' ? 30_000 : 1_500
const STREAMS = "xmlns:stream='http://etherx.jabber.org/streams'"

/** First-level elements of a stream with this header and content; those with a fault are left out. */
function received(header: string, content: string, elements: readonly string[]): Element[] {
  const found: Element[] = []
  for (const element of elements) {
    const sink = {
      streamOpen: () => undefined,
      stanza: (e: Element) => void found.push(e),
      streamClose: () => undefined,
      fault: () => undefined,
    }
    const scanner = new Scanner('stream', defaultLimits, sink, { contentNs: content })
    scanner.write(Buffer.from(header + element))
  }
  return found
}

/** Attributes in order of name, because a copy may order them otherwise. */
function sorted([name, ns, attrs, children]: Tree): Tree {
  return [name, ns, [...attrs].sort(), children.map((child) => (typeof child === 'string' ? child : sorted(child)))]
}

function withAttr([name, ns, attrs, children]: Tree, key: string, value: string): Tree {
  return [name, ns, [...attrs.filter((attr) => !attr.startsWith(`{}${key}=`)), `{}${key}=${value}`], children]
}

function withLang([name, ns, attrs, children]: Tree, lang: string): Tree {
  const key = '{http://www.w3.org/XML/1998/namespace}lang='
  return attrs.some((attr) => attr.startsWith(key))
    ? [name, ns, attrs, children]
    : [name, ns, [...attrs, key + lang], children]
}

/** All in values and nodes, nothing of the bytes left. */
function rebuilt(element: Element): Element {
  const children = element.children.map((node) => (typeof node === 'string' ? node : rebuilt(node)))
  return new BuiltElement(element.name, element.ns, element.attrs, new BuiltContent(children, element.ns))
}

/** Read again as a stanza of a plain stream. */
function reread(bytes: Octets): Tree {
  const header = `<stream:stream xmlns='jabber:client' ${STREAMS}>`
  const found: Element[] = []
  const sink = {
    streamOpen: () => undefined,
    stanza: (e: Element) => void found.push(e),
    streamClose: () => undefined,
    fault: () => assert.fail(bytes),
  }
  const scanner = new Scanner('stream', { ...defaultLimits, attributes: 99, prefixes: 99 }, sink)
  scanner.write(Buffer.from(header + bytes, 'latin1'))
  assert.equal(found.length, 1, bytes)
  return tree(found[0]!)
}

const headers = [
  [`<stream:stream xmlns='jabber:client' ${STREAMS} xml:lang='de'>`, 'jabber:client'],
  [
    `<stream:stream xmlns='jabber:client' ${STREAMS} xmlns:p='urn:p' xmlns:q='jabber:client' xml:lang='de'>`,
    'jabber:client',
  ],
  [`<stream:stream xmlns='jabber:server' ${STREAMS} xmlns:p='jabber:server' xml:lang='de'>`, 'jabber:server'],
  ["<stream xmlns='http://etherx.jabber.org/streams' xml:lang='de'>", 'jabber:client'],
  [`<stream:stream xmlns='jabber:component:accept' ${STREAMS} xml:lang='de'>`, 'jabber:component:accept'],
] as const

test('a stanza means the same on another stream, as copied, stamped, or built anew', () => {
  let stanzas = 0
  let raw = 0
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...headers), fc.boolean(), (seed, [header, content], declared) => {
      const prefixes = header.includes('xmlns:p') ? ['p', 'stream'] : header.includes('stream:') ? ['stream'] : []
      const text = randomElement(seed, prefixes)
      // Half of them name the content namespace themselves, as WebSocket clients do.
      const wrapped = declared
        ? `<message xmlns='${content}' from='x' to='y'>${text}</message>`
        : `<message id="1" from = 'x'>${text}</message>`
      for (const element of received(header, content, [text, wrapped])) {
        // Asked before anything else has built the children.
        const names = element.childNames
        const texts = names.map((child) => element.childText(child.name, child.ns))
        const built = rebuilt(element)
        assert.deepEqual(names, built.childNames)
        assert.deepEqual(
          texts,
          names.map((child) => built.childText(child.name, child.ns)),
        )
        const expected = sorted(withLang(tree(element), 'de'))
        if (element.ns === NS_CLIENT) stanzas++
        if (element instanceof LazyElement && (element.flags & RAW_PAYLOAD) !== 0) raw++
        assert.deepEqual(sorted(reread(serialise(element, NS_CLIENT))), expected)
        assert.deepEqual(sorted(reread(writeStanza(element, undefined, undefined))), expected)
        assert.deepEqual(sorted(withLang(reread(serialise(rebuilt(element), NS_CLIENT)), 'de')), expected)
        const document = serialise(element, '')
        assert.deepEqual(sorted(tree(parseOctets(document))), expected)
        checkStamps(element, expected)
        checkEdits(element)
      }
    }),
    { numRuns: RUNS },
  )
  assert.ok(stanzas > RUNS / 4 && raw > RUNS / 4, `${stanzas} stanzas, ${raw} raw`)
})

function checkStamps(element: Element, expected: Tree): void {
  const from = encode('ä&amp;b')
  const to = encode("o'&lt;k".replace("'", '&apos;'))
  const stamped = sorted(withAttr(withAttr(expected, 'from', 'ä&b'), 'to', "o'<k"))
  assert.deepEqual(sorted(reread(writeStanza(element, from, to))), stamped)
  assert.deepEqual(sorted(reread(writeStanza(element, from, undefined))), sorted(withAttr(expected, 'from', 'ä&b')))
  assert.deepEqual(sorted(reread(writeStanza(element, undefined, to))), sorted(withAttr(expected, 'to', "o'<k")))
  assert.deepEqual(sorted(reread(new StanzaTemplate(element, from).copy(to))), stamped)
  assert.deepEqual(sorted(reread(new StanzaTemplate(element).copy(to, from))), stamped)
  assert.deepEqual(sorted(reread(new StanzaTemplate(element).copy(to))), sorted(withAttr(expected, 'to', "o'<k")))
  const note = { name: 'note', ns: 'urn:note', bytes: encode(`<note xmlns='urn:note' a='>/>'/>`) }
  const noted = reread(new StanzaTemplate(element, from, note).copy(to))
  const last = noted[3].at(-1)
  assert.deepEqual(sorted([noted[0], noted[1], noted[2], noted[3].slice(0, -1)]), stamped)
  assert.deepEqual(last, tree(parseElement(`<note xmlns='urn:note' a='>/>'/>`)))
}

function checkEdits(element: Element): void {
  const built = rebuilt(element)
  const names = element.childNames
  assert.deepEqual(names, built.childNames)
  const odd = (_: unknown, index: number): boolean => index % 2 === 1
  const less = element.withoutChildren(odd)
  assert.equal(less === element, names.length < 2)
  assert.deepEqual(merged(tree(less)[3]), merged(tree(built.withoutChildren(odd))[3]))
  const more = less.withChild(element)
  assert.deepEqual(more.childNames, [...less.childNames, { name: element.name, ns: element.ns }])
  assert.deepEqual(sorted(reread(serialise(more, NS_CLIENT)))[3].length, merged(tree(more)[3]).length)
  assert.deepEqual(tree(element.withAttrs({ id: 'new' }))[3], tree(element)[3])
  assert.equal(element.withAttrs({ id: 'new' }).withAttrs({ id: undefined }).attr('id'), undefined)
}

/** Texts side by side become one when they are read again. */
function merged(nodes: Tree[3]): Tree[3] {
  const out: (Tree | string)[] = []
  for (const node of nodes) {
    const last = out.at(-1)
    if (typeof node === 'string' && typeof last === 'string') out[out.length - 1] = last + node
    else out.push(node)
  }
  return out
}

test('RCV-06: parse and serialise are each other’s reverse on the canonical form', () => {
  let documents = 0
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const element = parsed(randomElement(seed))
      if (element === undefined) return
      documents++
      const canonical = serialise(rebuilt(element), '')
      const again = parseOctets(canonical)
      assert.equal(serialise(again, ''), canonical)
      assert.equal(serialise(rebuilt(again), ''), canonical)
      assert.deepEqual(tree(again), tree(element))
    }),
    { numRuns: RUNS },
  )
  assert.ok(documents > RUNS / 2, `${documents} documents`)
})

/** Undefined for the few that the generator makes ill-formed. */
function parsed(text: string): Element | undefined {
  try {
    return parseElement(text)
  } catch (error) {
    assert.ok(error instanceof XmlError)
    return undefined
  }
}

test('a payload that uses prefixes of its stanza’s own tag goes out as it came, one that leans on the stream does not', () => {
  const header = `<stream:stream xmlns='jabber:client' ${STREAMS} xmlns:h='urn:h'>`
  const forwarded = (stanza: string): string => {
    const [element] = received(header, NS_CLIENT, [stanza])
    assert.ok(element, stanza)
    return writeStanza(element, encode('romeo@montague.example'), undefined)
  }
  const own = "<p:x/><y p:z='1'/></message>"
  assert.equal(
    forwarded(`<message xmlns:p='urn:p' id='1'>${own}`),
    `<message from='romeo@montague.example' xmlns:p='urn:p' id='1'>${own}`,
  )
  assert.equal(
    forwarded(`<message from='x' p:k='v' xmlns:p='urn:p'>${own}`),
    `<message from='romeo@montague.example' p:k='v' xmlns:p='urn:p'>${own}`,
  )
  assert.ok(!forwarded('<message><h:x/></message>').includes('h:x'))
  assert.ok(!forwarded("<message xmlns:p='jabber:client'><p:body/></message>").includes('p:body'))
})
