import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkAsciiDomain, OK } from './ascii.ts'
import { hasRtl } from './bidi.ts'
import { enforceAnyDomain, enforceDomain } from './domain.ts'
import { prepDomain, toAscii } from './index.ts'
import { decodePunycode, encodePunycode } from './punycode.ts'
import { idna, PVALID } from './tables.ts'

const codeOf = (text: string) => {
  const made = enforceDomain(text)
  return typeof made === 'string' ? made : made.code
}

test('names: canonical form or fault', () => {
  const rows: readonly [string, string][] = [
    ['Example.COM', 'example.com'],
    ['example.com.', 'example.com'],
    ['example.com..', 'RTK_JID_DOMAIN_EMPTY'],
    ['localhost', 'localhost'],
    ['127.0.0.1', '127.0.0.1'],
    ['B\u00fccher.example', 'b\u00fccher.example'],
    ['bu\u0308cher.example', 'b\u00fccher.example'],
    ['xn--bcher-kva.example', 'b\u00fccher.example'],
    ['XN--BCHER-KVA.example', 'b\u00fccher.example'],
    ['fa\u00df.de', 'fa\u00df.de'],
    ['xn--fa-hia.de', 'fa\u00df.de'],
    ['fass.de', 'fass.de'],
    ['\u03b2\u03cc\u03bb\u03bf\u03c2.com', '\u03b2\u03cc\u03bb\u03bf\u03c2.com'],
    ['xn--nxasmm1c.com', '\u03b2\u03cc\u03bb\u03bf\u03c2.com'],
    ['\u0130.example', 'i\u0307.example'],
    ['\uff21\uff22.example', 'ab.example'],
    ['a\u3002b\uff0ec\uff61d', 'a.b.c.d'],
    ['a.b\u3002', 'a.b'],
    ['\u4f8b\u3048.\u30c6\u30b9\u30c8', '\u4f8b\u3048.\u30c6\u30b9\u30c8'],
    ['\u{1f600}.example', 'RTK_JID_DOMAIN_CHARACTER'],
    ['xn--e28h.example', 'RTK_JID_DOMAIN_CHARACTER'], // the same as A-label
    ['xn--', 'RTK_JID_DOMAIN_PUNYCODE'],
    ['xn--a', 'RTK_JID_DOMAIN_CHARACTER'], // U+0080,
    ['xn--a-', 'RTK_JID_DOMAIN_PUNYCODE'],
    ['xn--abc-.x', 'RTK_JID_DOMAIN_PUNYCODE'],
    ['xn--bcher-kva\u00fc.example', 'RTK_JID_DOMAIN_HYPHEN'],
    ['xn--u-ccb.example', 'RTK_JID_DOMAIN_PUNYCODE'], // not in NFC
    ['xn--a-ecp.ru', 'RTK_JID_DOMAIN_CHARACTER'],
    ['xn--99999999', 'RTK_JID_DOMAIN_PUNYCODE'],
    ['ab--cd.example', 'RTK_JID_DOMAIN_HYPHEN'],
    ['a--b.example', 'a--b.example'],
    ['\u{10400}b--c', 'RTK_JID_DOMAIN_HYPHEN'],
    ['\u{10400}--c', '\u{10428}--c'],
    ['a-.example', 'RTK_JID_DOMAIN_HYPHEN'],
    ['\u0301a.example', 'RTK_JID_DOMAIN_CHARACTER'],
    ['l\u00b7l.example', 'l\u00b7l.example'],
    ['l\u00b7.example', 'RTK_JID_DOMAIN_CHARACTER'],
    ['\u05d0\u05d1.example', '\u05d0\u05d1.example'],
    ['\u05d0.1example', 'RTK_JID_DOMAIN_BIDI'],
    ['1.\u05d0', 'RTK_JID_DOMAIN_BIDI'],
    ['a.\u05d0b', 'RTK_JID_DOMAIN_BIDI'],
    ['a b', 'RTK_JID_DOMAIN_CHARACTER'],
    ['a\u00adb', 'RTK_JID_DOMAIN_CHARACTER'],
    [`${'a'.repeat(63)}.b`, `${'a'.repeat(63)}.b`],
    [`${'a'.repeat(64)}.b`, 'RTK_JID_DOMAIN_LONG'],
    [`${'\u00e4'.repeat(57)}`, '\u00e4'.repeat(57)],
    [`${'\u00e4'.repeat(64)}`, 'RTK_JID_DOMAIN_LONG'],
    ['a.'.repeat(126).concat('a'), 'a.'.repeat(126).concat('a')],
    ['a.'.repeat(127).concat('a'), 'RTK_JID_DOMAIN_LONG'],
    [`${`${'\u00e4'.repeat(40)}.`.repeat(8)}a`, 'RTK_JID_DOMAIN_LONG'],
  ]
  for (const [text, expected] of rows) assert.equal(codeOf(text), expected, JSON.stringify(text))
})

test('IPv6 in brackets: one form (RFC 5952)', () => {
  const rows: readonly [string, string | undefined][] = [
    ['[::1]', '[::1]'],
    ['[::]', '[::]'],
    ['[0:0:0:0:0:0:0:1]', '[::1]'],
    ['[2001:DB8:0:0:8:800:200C:417A]', '[2001:db8::8:800:200c:417a]'],
    ['[2001:db8:0:1:1:1:1:1]', '[2001:db8:0:1:1:1:1:1]'],
    ['[2001:db8::1:1:1:1:1]', '[2001:db8:0:1:1:1:1:1]'],
    ['[2001:0:0:1:0:0:0:1]', '[2001:0:0:1::1]'],
    ['[2001:db8:0:0:1:0:0:1]', '[2001:db8::1:0:0:1]'],
    ['[1::]', '[1::]'],
    ['[::ffff:192.0.2.1]', '[::ffff:192.0.2.1]'],
    ['[::ffff:c000:201]', '[::ffff:192.0.2.1]'],
    ['[64:ff9b::192.0.2.33]', '[64:ff9b::c000:221]'],
    ['[::1', undefined],
    ['[]', undefined],
    ['[:]', undefined],
    ['[:::]', undefined],
    ['[1::2::3]', undefined],
    ['[1:2:3:4:5:6:7]', undefined],
    ['[1:2:3:4:5:6:7:8:9]', undefined],
    ['[1:2:3:4:5:6:7::8]', undefined],
    ['[12345::]', undefined],
    ['[::1.2.3]', undefined],
    ['[::1.2.3.256]', undefined],
    ['[::1.2.3.04]', undefined],
    ['[1.2.3.4]', undefined],
    ['[fe80::1%eth0]', undefined],
    ['[v1.x]', undefined],
    ['[::1].', undefined],
    ['::1', undefined],
  ]
  for (const [text, expected] of rows) assert.equal(prepDomain(text), expected, text)
})

test('RFC 3492 section 7.1: samples in lower case, both ways', () => {
  const rows: readonly [string, string][] = [
    [
      '\u0644\u064a\u0647\u0645\u0627\u0628\u062a\u0643\u0644\u0645\u0648\u0634\u0639\u0631\u0628\u064a\u061f',
      'egbpdaj6bu4bxfgehfvwxn',
    ],
    ['\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587', 'ihqwcrb4cv8a8dqg056pqjye'],
    ['\u4ed6\u5011\u7232\u4ec0\u9ebd\u4e0d\u8aaa\u4e2d\u6587', 'ihqwctvzc91f659drss3x8bo0yb'],
    [
      '\u05dc\u05de\u05d4\u05d4\u05dd\u05e4\u05e9\u05d5\u05d8\u05dc\u05d0\u05de\u05d3\u05d1\u05e8\u05d9\u05dd\u05e2\u05d1\u05e8\u05d9\u05ea',
      '4dbcagdahymbxekheh6e0a7fei0b',
    ],
    ['3\u5e74b\u7d44\u91d1\u516b\u5148\u751f', '3b-ww4c5e180e575a65lsy2b'],
    ['\u305d\u306e\u30b9\u30d4\u30fc\u30c9\u3067', 'd9juau41awczczp'],
    ['-> $1.00 <-', '-> $1.00 <--'],
  ]
  for (const [unicode, ace] of rows) {
    assert.equal(encodePunycode(unicode), ace)
    assert.equal(decodePunycode(ace), unicode)
  }
})

test('property: Punycode round-trips, and decoding never throws', () => {
  const bmp = fc.integer({ min: 0x80, max: 0xd7ff }).map((c) => String.fromCodePoint(c))
  const unit = fc.oneof(
    bmp,
    fc.integer({ min: 0x10000, max: 0x10ffff }).map((c) => String.fromCodePoint(c)),
    fc.constantFrom(...'az09-'),
  )
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 63 }), (text) => {
      const ace = encodePunycode(text)
      assert.ok(ace !== undefined)
      // Without a delta the last hyphen would be taken for the delimiter; U-labels always have one.
      if (/[^ -~]/.test(text)) assert.equal(decodePunycode(ace), text)
    }),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii', maxLength: 60 }), (text) => {
      const decoded = decodePunycode(text)
      if (decoded !== undefined) assert.ok(decoded.isWellFormed() && decoded.length <= 2 * text.length)
    }),
    { numRuns: 2000 },
  )
})

const points = Array.from({ length: 0x20000 }, (_, c) => c).filter((c) => idna.at(c) === PVALID)
const label = fc.string({
  unit: fc.constantFrom(...points).map((c) => String.fromCodePoint(c)),
  minLength: 1,
  maxLength: 8,
})

test('property: what is accepted is what the URL standard calls the same host, and A-labels lead back', () => {
  let accepted = 0
  fc.assert(
    fc.property(fc.array(label, { minLength: 1, maxLength: 3 }), (labels) => {
      const prepared = prepDomain(labels.join('.'))
      if (prepared === undefined) return
      accepted++
      const ace = toAscii(prepared)
      assert.equal(prepDomain(prepared), prepared)
      assert.equal(prepDomain(ace), prepared)
      assert.equal(prepDomain(ace.toUpperCase()), prepared)
      // A last label that looks like a number makes a URL host an IPv4 address.
      if (/^[0-9]|^0x/.test(ace.split('.').at(-1) ?? '')) return
      // Node's URL takes Bidi classes from a Unicode before 14, so of right-to-left names it refuses some that are right.
      const url = URL.parse(`http://${prepared}`)
      if (url !== null || !labels.some(hasRtl)) assert.equal(url?.hostname, ace)
    }),
    { numRuns: 3000 },
  )
  assert.ok(accepted > 300, `only ${accepted} of 3000 were names`)
})

test('property: the ASCII path agrees with the general one', () => {
  const near = fc
    .array(fc.constantFrom('a', 'b', '1', '-', '.', 'xn--', 'A', '_', 'a'.repeat(30)), { maxLength: 12 })
    .map((parts) => parts.join(''))
  let quick = 0
  fc.assert(
    fc.property(near, (text) => {
      if (checkAsciiDomain(text) !== OK) return
      quick++
      assert.equal(enforceAnyDomain(text), text)
    }),
    { numRuns: 5000 },
  )
  assert.ok(quick > 200, `only ${quick} of 5000 took the ASCII path`)
})
