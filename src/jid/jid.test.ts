import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encode } from '../xml/octets.ts'
import { Jid, jid, makeJid, parseJid, parseJidOrFault, prepDomain, prepLocal, prepResource } from './index.ts'

const faultOf = (text: string) => {
  const made = parseJidOrFault(text)
  return made instanceof Jid ? 'valid' : made.code
}

// RFC 7622 section 3.5, tables 1 and 2: number, text, local, domain, resource.
const LEGAL: readonly [number, string, string, string, string][] = [
  [1, 'juliet@example.com', 'juliet', 'example.com', ''],
  [2, 'juliet@example.com/foo', 'juliet', 'example.com', 'foo'],
  [3, 'juliet@example.com/foo bar', 'juliet', 'example.com', 'foo bar'],
  [4, 'juliet@example.com/foo@bar', 'juliet', 'example.com', 'foo@bar'],
  [5, 'foo\\20bar@example.com', 'foo\\20bar', 'example.com', ''],
  [6, 'fussball@example.com', 'fussball', 'example.com', ''],
  [7, 'fu\u00dfball@example.com', 'fu\u00dfball', 'example.com', ''],
  [8, '\u03c0@example.com', '\u03c0', 'example.com', ''],
  [9, '\u03a3@example.com/foo', '\u03c3', 'example.com', 'foo'],
  [10, '\u03c3@example.com/foo', '\u03c3', 'example.com', 'foo'],
  [11, '\u03c2@example.com/foo', '\u03c2', 'example.com', 'foo'],
  [12, 'king@example.com/\u265a', 'king', 'example.com', '\u265a'],
  [13, 'example.com', '', 'example.com', ''],
  [14, 'example.com/foobar', '', 'example.com', 'foobar'],
  [15, 'a.example.com/b@example.net', '', 'a.example.com', 'b@example.net'],
]

test('RFC 7622 table 1: legal JIDs', () => {
  for (const [number, text, local, domain, resource] of LEGAL) {
    const made = jid(text)
    assert.deepEqual([made.local, made.domain, made.resource], [local, domain, resource], `example ${number}`)
    assert.equal(made.isBare, resource === '')
  }
  assert.ok(jid('\u03a3@example.com/foo').equals(jid('\u03c3@example.com/foo')))
  assert.ok(!jid('\u03a3@example.com/foo').equals(jid('\u03c2@example.com/foo')))
})

const ILLEGAL: readonly [string, string][] = [
  ['"juliet"@example.com', 'RTK_JID_LOCAL_CHARACTER'], // 16
  ['foo bar@example.com', 'RTK_JID_LOCAL_CHARACTER'], // 17
  ['juliet@example.com/ foo', 'RTK_JID_RESOURCE_SPACE'], // 18
  ['@example.com/', 'RTK_JID_LOCAL_EMPTY'], // 19
  ['henry\u2163@example.com', 'RTK_JID_LOCAL_CHARACTER'], // 20
  ['\u265a@example.com', 'RTK_JID_LOCAL_CHARACTER'], // 21
  ['juliet@', 'RTK_JID_DOMAIN_EMPTY'], // 22
  ['/foobar', 'RTK_JID_DOMAIN_EMPTY'], // 23
  // Beyond the table.
  ['', 'RTK_JID_DOMAIN_EMPTY'],
  ['@', 'RTK_JID_LOCAL_EMPTY'],
  ['/', 'RTK_JID_RESOURCE_EMPTY'],
  ['.', 'RTK_JID_DOMAIN_EMPTY'],
  ['example.com/', 'RTK_JID_RESOURCE_EMPTY'],
  ['a@b@c', 'RTK_JID_DOMAIN_CHARACTER'],
  ['a@b..c', 'RTK_JID_DOMAIN_EMPTY'],
  ['a@-b', 'RTK_JID_DOMAIN_HYPHEN'],
  ['a@b_c', 'RTK_JID_DOMAIN_CHARACTER'],
  ['a@b\u0000', 'RTK_JID_DOMAIN_CHARACTER'],
  ['a@b/\u0000', 'RTK_JID_RESOURCE_CHARACTER'],
  ['a@b/\t', 'RTK_JID_RESOURCE_CHARACTER'],
  ['a@b/\ud800', 'RTK_JID_RESOURCE_CHARACTER'],
  ['a\ud800@b', 'RTK_JID_LOCAL_CHARACTER'],
  ['a@b\udc00', 'RTK_JID_DOMAIN_CHARACTER'],
  // A fullwidth "@" or "/" turns into the character that the localpart must not hold (RFC 7622 section 3.3.1).
  ['evil\uff20bank.example@b', 'RTK_JID_LOCAL_CHARACTER'],
  ['evil\uff0fx@b', 'RTK_JID_LOCAL_CHARACTER'],
  ['b\uff0fx', 'RTK_JID_DOMAIN_CHARACTER'],
]

test('RFC 7622 table 2 and others: what is no JID, with the fault', () => {
  for (const [text, code] of ILLEGAL) {
    assert.equal(faultOf(text), code, JSON.stringify(text))
    assert.equal(parseJid(text), undefined)
    assert.throws(() => jid(text), TypeError)
  }
  for (const character of '"&\'/:<>@ ') assert.equal(makeJid(`a${character}b`, 'c'), undefined)
})

test('limits are in bytes of the prepared form', () => {
  assert.equal(prepLocal('a'.repeat(1023))?.length, 1023)
  assert.equal(faultOf(`${'a'.repeat(1024)}@b`), 'RTK_JID_LOCAL_LONG')
  assert.equal(prepLocal('\u00e4'.repeat(511))?.length, 511)
  assert.equal(faultOf(`${'\u00e4'.repeat(512)}@b`), 'RTK_JID_LOCAL_LONG')
  assert.equal(prepLocal('a\u0308'.repeat(511)), '\u00e4'.repeat(511), 'counted after composition')
  assert.equal(prepLocal('\uff41'.repeat(1023)), 'a'.repeat(1023), 'counted after width mapping')
  assert.equal(prepResource('\u4e00'.repeat(341))?.length, 341)
  assert.equal(faultOf(`b/${'\u4e00'.repeat(342)}`), 'RTK_JID_RESOURCE_LONG')
  assert.equal(faultOf(`b/${'x'.repeat(1024)}`), 'RTK_JID_RESOURCE_LONG')
  assert.equal(prepResource('\u{1f98a}'.repeat(255))?.length, 510)
  assert.equal(prepResource('\u{1f98a}'.repeat(256)), undefined)
  const longest = `${'a'.repeat(1023)}@${`${'b'.repeat(62)}.`.repeat(4)}c/${'d'.repeat(1023)}`
  assert.equal(jid(longest).toString(), longest)
  assert.equal(faultOf('x'.repeat(1_000_000)), 'RTK_JID_DOMAIN_LONG')
})

test('octets are the escaped UTF-8 bytes of the full form', () => {
  assert.equal(jid('a@b/c').octets, 'a@b/c')
  assert.equal(jid('\u00e4@b/<&">\'').octets, encode('\u00e4@b/&lt;&amp;&quot;&gt;&apos;'))
  assert.equal(jid('Romeo@Example.NET').octets, 'romeo@example.net')
})

test('bare, withResource, equals', () => {
  const full = jid('\u00e4@b/one')
  assert.equal(full.bare.toString(), '\u00e4@b')
  assert.equal(full.bare, full.bare)
  assert.equal(full.bare.bare, full.bare)
  assert.equal(full.withResource('two').toString(), '\u00e4@b/two')
  assert.equal(full.withResource('two').bare, full.bare)
  assert.equal(full.withResource('one'), full)
  assert.equal(full.withResource(''), full.bare)
  assert.equal(full.bare.withResource('one').octets, full.octets)
  assert.ok(full.bare.withResource('one').equals(full))
  assert.ok(!full.equals(full.bare))
  assert.equal(JSON.stringify({ full }), '{"full":"\u00e4@b/one"}')
  assert.equal(jid('b/x').withResource('y').toString(), 'b/y')
})

/** Text that often is close to a JID: letters of many scripts, separators, controls, marks, lone surrogates. */
const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 24 }),
  fc
    .array(
      fc.constantFrom(
        'a',
        'B',
        '.',
        '@',
        '/',
        '-',
        'xn--',
        '\u00df',
        '\u03a3',
        '\u0130',
        '\u05d0',
        '\u0661',
        '\u200d',
        '\u30fb',
        '\uff21',
        '\u3002',
        '\u0301',
        '\u1100',
        '\u212b',
        '\ud83e',
        '[',
        ':',
        '1',
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join('')),
)

test('property: parsing never throws, is idempotent and round-trips through its parts', () => {
  fc.assert(
    fc.property(nasty, (text) => {
      const made = parseJid(text)
      if (made === undefined) return
      assert.equal(parseJid(made.toString())?.toString(), made.toString())
      const again = makeJid(made.local, made.domain, made.resource)
      assert.ok(again)
      assert.ok(again.equals(made))
      assert.equal(again.octets, made.octets)
      for (const part of [made.local, made.domain, made.resource]) assert.ok(Buffer.byteLength(part) <= 1023)
    }),
    { numRuns: 5000 },
  )
})

test('property: each part is prepared alone as in the whole', () => {
  fc.assert(
    fc.property(nasty, nasty, nasty, (l, d, r) => {
      const parts = [prepLocal(l), prepDomain(d), prepResource(r)]
      const made = makeJid(l, d, r)
      if (l !== '' && r !== '') assert.equal(made === undefined, parts.includes(undefined))
      for (const prep of [prepLocal, prepDomain, prepResource]) {
        const once = prep(l)
        if (once !== undefined) assert.equal(prep(once), once)
      }
    }),
    { numRuns: 3000 },
  )
})
