/** Attributes that stand twice, in tags of all sizes; and declarations that are over. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultLimits } from './limits.ts'
import { Scanner } from './scanner.ts'

/** The fault of a stream with these stanzas, 'none' for none. */
function faultOf(...stanzas: readonly string[]): string {
  let found = 'none'
  const scanner = new Scanner(
    'stream',
    { ...defaultLimits, attributes: 1024, stanzaBytes: 1_000_000 },
    {
      streamOpen: () => undefined,
      stanza: () => undefined,
      streamClose: () => undefined,
      fault: ({ code }) => {
        found = code
      },
    },
  )
  scanner.write(Buffer.from(`<s:s xmlns:s='urn:s' xmlns='jabber:client'>${stanzas.join('')}`))
  return found
}

const letters = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_']
const names: Readonly<Record<string, (k: number) => string>> = {
  'one letter': (k) => letters[k % letters.length] ?? '',
  'two letters': (k) => `${letters[k % 53]}${letters[(k * 7) % 53]}`,
  long: (k) => `name-${k}-of-many`,
  'not ASCII': (k) => `é${String.fromCharCode(0x430 + (k % 32))}`,
}

test('an attribute that stands twice is found wherever it stands, and nothing else is', () => {
  for (const [kind, name] of Object.entries(names)) {
    for (const count of [2, 7, 8, 9, 10, 32]) {
      const all = Array.from({ length: count }, (_, k) => name(k))
      const tag = (attributes: readonly string[]): string => `<a ${attributes.map((a) => `${a}='${a}'`).join(' ')}/>`
      assert.equal(faultOf(`<a>${tag(all)}${tag(all)}</a>`, tag(all)), 'none', `${count} of ${kind}`)
      for (const again of [0, 1, count - 1]) {
        const bad = tag([...all, name(again)])
        assert.equal(faultOf(tag(all), bad), 'RTK_XML_DUPLICATE_ATTRIBUTE', bad)
        assert.equal(faultOf(`<a>${tag(all)}${bad}</a>`), 'RTK_XML_DUPLICATE_ATTRIBUTE', bad)
      }
    }
  }
})

test('two prefixes of one namespace make one name', () => {
  const own = "xmlns:p='urn:x' xmlns:q='urn:&#x78;' xmlns:r='urn:y' xmlns:t='urn:s'"
  for (const more of [
    '',
    ...[6, 30].map((n) =>
      letters
        .slice(1, n)
        .map((c) => ` ${c}='' r:${c}=''`)
        .join(''),
    ),
  ]) {
    assert.equal(faultOf(`<a ${own} p:a='' r:a='' a=''${more}/>`), 'none')
    assert.equal(faultOf(`<a ${own}${more} p:a='' q:a=''/>`), 'RTK_XML_DUPLICATE_ATTRIBUTE')
    assert.equal(faultOf(`<a ${own}><b${more} s:a='' t:a=''/></a>`), 'RTK_XML_DUPLICATE_ATTRIBUTE')
    assert.equal(faultOf(`<a ${own}><b xmlns:q='urn:z'${more} p:a='' q:a=''/></a>`), 'none')
  }
  assert.equal(faultOf("<a xmlns:p='urn:x' xmlns:p='urn:y'/>"), 'RTK_XML_DUPLICATE_ATTRIBUTE')
})

test('a table of slots that has come round its last tag still tells names apart', () => {
  const tag = (more: string): string =>
    `<a ${letters
      .slice(0, 9)
      .map((c) => `${c}${c}=''`)
      .join(' ')}${more}/>`
  const many = `<message>${tag('').repeat(10_000)}</message>`
  assert.equal(faultOf(...Array<string>(7).fill(many)), 'none')
  assert.equal(faultOf(...Array<string>(7).fill(many), tag(" aa=''")), 'RTK_XML_DUPLICATE_ATTRIBUTE')
})

test('a declaration ends with its element, an empty one too', () => {
  for (const inner of ["<b xmlns:p='urn:x'/>", "<b xmlns:p='urn:x'></b>", "<b xmlns:p='urn:x'><p:c/></b>"]) {
    assert.equal(faultOf(`<a>${inner}</a>`), 'none')
    assert.equal(faultOf(`<a>${inner}<p:c/></a>`), 'RTK_XML_UNBOUND_PREFIX')
    assert.equal(faultOf(`<a>${inner}</a>`, '<a><p:c/></a>'), 'RTK_XML_UNBOUND_PREFIX')
    assert.equal(faultOf(`<a xmlns:p='urn:y'>${inner}<p:c/></a>`), 'none')
  }
  assert.equal(faultOf("<a xmlns:p='urn:x'/>", '<p:a/>'), 'RTK_XML_UNBOUND_PREFIX')
})
