import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { least } from '../../tools/lib/least.ts'
import { prepDomain, prepLocal, prepPassword, prepResource, prepUsernameForSasl } from './index.ts'
import { enforceAnyLocal, enforceAnyResource, enforceLocal, enforceResource } from './precis.ts'
import { bidiClass, idna, precis } from './tables.ts'
import { UNICODE } from './unicode.generated.ts'

test('the runtime normalises the Unicode version of the tables', () => {
  assert.equal(process.versions['unicode'], UNICODE)
})

test('derived properties: samples from RFC 5892 appendix B and RFC 8264', () => {
  // code point, PRECIS, IDNA: 0 disallowed, 1 PVALID, 2 contextual, 3 FREE_PVAL
  const rows: readonly [number, number, number][] = [
    [0x00, 0, 0],
    [0x20, 3, 0],
    [0x2d, 1, 1],
    [0x41, 1, 0],
    [0x61, 1, 1],
    [0x7f, 0, 0],
    [0xa0, 3, 0],
    [0xad, 0, 0],
    [0xb7, 2, 2],
    [0xd7, 3, 0],
    [0xdf, 1, 1],
    [0x0132, 3, 0],
    [0x0141, 1, 0],
    [0x0301, 1, 1],
    [0x0340, 3, 0],
    [0x0378, 0, 0],
    [0x0640, 0, 0],
    [0x0661, 2, 2],
    [0x1100, 0, 0],
    [0x200c, 2, 2],
    [0x200d, 2, 2],
    [0x200e, 0, 0],
    [0x2028, 0, 0],
    [0x20d0, 1, 0],
    [0x2163, 3, 0],
    [0x265a, 3, 0],
    [0x3007, 1, 1],
    [0x302e, 0, 0],
    [0x30fb, 2, 2],
    [0xac00, 1, 1],
    [0xd800, 0, 0],
    [0xe000, 0, 0],
    [0xfe0f, 0, 0],
    [0xfffe, 0, 0],
    [0x10000, 1, 1],
    [0x1f600, 3, 0],
    [0xe0001, 0, 0],
    [0x10ffff, 0, 0],
  ]
  for (const [c, p, i] of rows) assert.deepEqual([precis.at(c), idna.at(c)], [p, i], `U+${c.toString(16)}`)
  assert.deepEqual(
    [0x41, 0x5d0, 0x627, 0x660, 0x30, 0x2d, 0x2e, 0x24, 0x21, 0xad, 0x300, 0x202a].map((c) => bidiClass.at(c)),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0],
  )
})

test('RFC 8265 section 3.6: usernames', () => {
  const rows: readonly [string, string | undefined][] = [
    ['fussball', 'fussball'],
    ['fu\u00dfball', 'fu\u00dfball'],
    ['\u03c0', '\u03c0'],
    ['\u03a3', '\u03c3'],
    ['\u03c3', '\u03c3'],
    ['\u03c2', '\u03c2'],
    ['foo bar', undefined],
    ['', undefined],
    ['henry\u2163', undefined],
    ['\u221e', undefined],
    ['juliet@example.com', undefined], // legal there, excluded by RFC 7622 section 3.3.1
  ]
  for (const [text, prepared] of rows) {
    assert.equal(prepLocal(text), prepared, text)
    assert.equal(prepUsernameForSasl(text), prepared, text)
  }
})

test('UsernameCaseMapped: width, case, composition', () => {
  const rows: readonly [string, string | undefined][] = [
    ['Alice', 'alice'],
    ['\uff21\uff4c\uff49\uff43\uff45', 'alice'],
    ['\uff76\uff9e', '\u30ac'], // halfwidth KA and voiced mark compose
    ['\u00c5', '\u00e5'],
    ['A\u030a', '\u00e5'],
    ['\u212b', undefined], // has a compatibility equivalent, and preparation comes first
    ['\u212a', undefined],
    ['\u0130', 'i\u0307'],
    ['\u01c5', undefined], // titlecase letter with a compatibility equivalent
    ['\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3', '\u03bf\u03b4\u03c5\u03c3\u03c3\u03b5\u03c5\u03c3'],
    ['\u13a0', '\uab70'], // Cherokee has lower case since Unicode 8
    ['a\u00ad', undefined],
    ['a\u200b', undefined],
    ['a\ufe0f', undefined],
    ['\u{1f600}', undefined],
    ['\u0378', undefined],
    ['\u{10400}', '\u{10428}'],
  ]
  for (const [text, prepared] of rows) assert.equal(prepLocal(text), prepared, JSON.stringify(text))
})

test('RFC 5893 section 2: each condition of the Bidi rule', () => {
  const rows: readonly [string, boolean, string][] = [
    ['\u05d0\u05d1', true, 'Hebrew'],
    ['\u0627\u0628', true, 'Arabic'],
    ['1\u05d0', false, '1: begins with EN'],
    ['\u0661\u0627', false, '1: begins with AN'],
    ['\u0301\u05d0', false, '1: begins with NSM'],
    ['\u05d0a\u05d1', false, '2: L in an RTL string'],
    ['\u05d0-\u05d1', true, '2: ES inside'],
    ['\u05d0+', false, '3: ends with ES'],
    ['\u05d0\u05b0', true, '3: NSM may follow the end'],
    ['\u05d01', true, '3: ends with EN'],
    ['\u0627\u0661', true, '3: ends with AN'],
    ['\u05d0-\u05b0', false, '3: NSM after ES'],
    ['\u06271\u0628', true, '4: EN alone'],
    ['\u06271\u0661', false, '4: EN and AN'],
    ['a\u05d0', false, '5: R in an LTR string'],
    ['a\u0661', false, '5: AN in an LTR string'],
    ['a-', true, '6 does not apply without RTL characters'],
  ]
  for (const [text, valid, why] of rows) assert.equal(prepLocal(text) !== undefined, valid, why)
  assert.equal(prepResource('1\u05d0'), '1\u05d0', 'OpaqueString has no directionality rule')
})

test('RFC 5892 appendix A: each contextual rule', () => {
  const rows: readonly [string, boolean, string][] = [
    ['\u0915\u094d\u200c\u0937', true, 'A.1 after a virama'],
    ['\u0628\u200c\u0628', true, 'A.1 between joining letters'],
    ['\u0628\u064b\u200c\u064b\u0628', true, 'A.1 with transparent characters'],
    ['\u0627\u200c\u0628', false, 'A.1: ALEF does not join to the left'],
    ['\u0628\u200c', false, 'A.1 at the end'],
    ['\u200c\u0628', false, 'A.1 at the beginning'],
    ['a\u200cb', false, 'A.1 between Latin letters'],
    ['\u0915\u094d\u200d\u0937', true, 'A.2 after a virama'],
    ['\u0628\u200d\u0628', false, 'A.2 between joining letters'],
    ['\u200d', false, 'A.2 alone'],
    ['l\u00b7l', true, 'A.3'],
    ['L\u00b7L', true, 'A.3 after the mapping of case'],
    ['l\u00b7', false, 'A.3 at the end'],
    ['a\u00b7l', false, 'A.3 after another letter'],
    ['\u0375\u03b1', true, 'A.4'],
    ['\u0375a', false, 'A.4 before Latin'],
    ['\u0375', false, 'A.4 at the end'],
    ['\u05d0\u05f3', true, 'A.5'],
    ['\u05f3', false, 'A.5 alone'],
    ['\u05d0\u05f4', true, 'A.6'],
    ['a\u05f4', false, 'A.6 after Latin'],
    ['\u30fb\u4e00', true, 'A.7 with Han'],
    ['a\u30fb\u3042', true, 'A.7 with Hiragana'],
    ['\u30fba', false, 'A.7 without'],
    ['\u0627\u0661\u0662', true, 'A.8'],
    ['\u0627\u0661\u06f1', false, 'A.8 and A.9 mixed'],
    ['\u0627\u06f1', true, 'A.9'],
  ]
  for (const [text, valid, why] of rows) assert.equal(prepLocal(text) !== undefined, valid, `localpart: ${why}`)
  for (const [text, valid, why] of rows) {
    // A resourcepart keeps its case, so that a capital L is no neighbour for a middle dot.
    assert.equal(prepResource(text) !== undefined, valid && !text.startsWith('L'), `resourcepart: ${why}`)
  }
})

test('RFC 8265 section 4.3: passwords', () => {
  const rows: readonly [string, string | undefined][] = [
    ['correct horse battery staple', 'correct horse battery staple'],
    ['Correct Horse Battery Staple', 'Correct Horse Battery Staple'],
    ['\u03c0\u00df\u00e5', '\u03c0\u00df\u00e5'],
    ['Jack of \u2666s', 'Jack of \u2666s'],
    ['foo\u1680bar', 'foo bar'],
    ['', undefined],
    ['my cat is a \tby', undefined],
    [' leading space', ' leading space'],
    ['a\u030a', '\u00e5'],
    ['\uff21', '\uff21'],
    ['\ud800', undefined],
    ['x'.repeat(4097), undefined],
  ]
  for (const [text, prepared] of rows) assert.equal(prepPassword(text), prepared, JSON.stringify(text.slice(0, 20)))
})

test('OpaqueString: resourceparts', () => {
  const rows: readonly [string, string | undefined][] = [
    ['Foo Bar ', 'Foo Bar '],
    ['a\u3000b\u00a0c', 'a b c'],
    ['\u3000b', undefined], // becomes a leading space
    ['\uff21', '\uff21'],
    ['\u2163', '\u2163'],
    ['\u212b', '\u00c5'],
    ['\u{1f469}\u200d\u{1f4bb}', undefined], // U+200D has no virama before it
    ['\u1100\u1161', undefined], // conjoining Jamo, although they would compose
    ['\uac00', '\uac00'],
    ['\u0085', undefined],
    ['\u2028', undefined],
    ['\ufdd0', undefined],
    ['\ue000', undefined],
  ]
  for (const [text, prepared] of rows) assert.equal(prepResource(text), prepared, JSON.stringify(text))
})

const ascii = fc.string({ unit: 'binary-ascii', maxLength: 40 })

test('property: the ASCII path agrees with the general one', () => {
  fc.assert(
    fc.property(ascii, (text) => {
      assert.equal(enforceLocal(text), enforceAnyLocal(text))
      assert.equal(enforceResource(text), enforceAnyResource(text))
    }),
    { numRuns: 5000 },
  )
  for (const length of [1022, 1023, 1024]) {
    assert.equal(enforceLocal('a'.repeat(length)), enforceAnyLocal('a'.repeat(length)))
    assert.equal(enforceResource('a'.repeat(length)), enforceAnyResource('a'.repeat(length)))
  }
})

test('every code point alone: prepared once, it stays as it is', () => {
  for (let c = 0; c < 0x110000; c++) {
    if (precis.at(c) === 0) continue
    const text = `l${String.fromCodePoint(c)}`
    for (const prep of [prepLocal, prepResource, prepPassword]) {
      const once = prep(text)
      if (once !== undefined && once !== text) assert.equal(prep(once), once, `U+${c.toString(16)}`)
    }
  }
})

test('more than 30 combining marks in a row are refused', () => {
  for (const prep of [prepLocal, prepResource, prepPassword]) {
    assert.equal(prep(`a${'\u0327'.repeat(30)}b${'\u0327'.repeat(30)}`) === undefined, false)
    assert.equal(prep(`a${'\u0327'.repeat(31)}`), undefined)
  }
  assert.equal(prepDomain(`a${'\u0327'.repeat(30)}.example`) === undefined, false)
  assert.equal(prepDomain(`a${'\u0327'.repeat(31)}.example`), undefined)
})

test('hostile input: CPU time grows with the length, not with its square', async () => {
  const marks = '\u3099\u0327'
  const hostile = [
    '\u0301',
    '\u0628\u200c',
    '\u30fb',
    '\u064b\u200c',
    '\u0661',
    marks,
    `a${marks.repeat(15)}`,
    '\u{1d165}',
  ]
  const time = (text: string, times: number) => {
    const before = process.cpuUsage()
    for (let i = 0; i < times; i++) {
      prepPassword(text)
      prepDomain(text)
      prepResource(text)
    }
    // The sum is exact; how the kernel splits it is sampled.
    const { user, system } = process.cpuUsage(before)
    return (user + system) / times
  }
  const best = (text: string, times: number) => Math.min(...Array.from({ length: 5 }, () => time(text, times)))
  for (const unit of hostile) {
    const count = Math.floor(250 / unit.length)
    const times = await least(16, () => {
      const short = best(`a${unit.repeat(count)}`, 40)
      const long = best(`a${unit.repeat(count * 8)}`, 10)
      // Some room for a clock that counts in steps.
      return (long - 100) / short
    })
    // Twice the factor; a square would be 64.
    assert.ok(times < 16, `${JSON.stringify(unit)}: eight times the length costs ${times} times`)
  }
})
