/** XEP-0115 §5: what the verification string is made of, and which answers are none. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RealHashing } from '../../world/hashing.ts'
import { decode } from '../../xml/octets.ts'
import { parseElement } from '../../xml/parse.ts'
import { exodus, feature, form, type Program, psi } from './caps.testing.ts'
import { readInfo, verificationInput, verificationString } from './verification.ts'

const hashing = new RealHashing()
const read = (told: string) =>
  readInfo(parseElement(`<query xmlns='http://jabber.org/protocol/disco#info'>${told}</query>`))
const inputOf = (told: string) => decode(verificationInput(read(told) ?? assert.fail('ill-formed')))
const pc = `<identity category='client' type='pc'/>`

describe('the verification string (§5.1)', () => {
  const ver = ({ c }: Program) => parseElement(c).attr('ver')
  for (const [section, example] of [
    ['5.2', exodus],
    ['5.3', psi],
  ] as const) {
    it(`is that of the example in §${section}`, () => {
      const info = read(example.told) ?? assert.fail('ill-formed')
      assert.equal(verificationString(hashing, 'sha-1', info), ver(example))
      assert.equal(info.isConclusive, true)
    })
  }

  it('§5.3: goes by UTF-8, identities by category, type and language', () => {
    assert.match(inputOf(psi.told), /^client\/pc\/el\/Ψ 0\.11<client\/pc\/en\/Psi 0\.11<http:/)
    const two = `<identity category='client' type='web'/><identity category='client-x' type='a'/>`
    assert.equal(inputOf(two), 'client/web//<client-x/a//<')
  })

  it('sorts by octets, not by UTF-16 units', () => {
    // U+FF5E is three bytes from 0xEF, U+10000 four from 0xF0; as UTF-16 the latter begins with 0xD800.
    assert.equal(inputOf(`${feature('\u{10000}')}${feature('\uff5e')}`), '\uff5e<\u{10000}<')
  })

  it('sorts forms, fields and values, and names a field without values', () => {
    const told = form('urn:b', { z: ['2', '10'], y: [] }) + form('urn:a', {})
    assert.equal(inputOf(told), 'urn:a<urn:b<y<z<10<2<')
  })

  it('§5.1, the note: a < in what is told stays &lt;', () => {
    const told = `<identity category='client' type='pc' name='SomeClient&lt;http://jabber.org/protocol/muc'/>`
    assert.equal(inputOf(told), 'client/pc//SomeClient&lt;http://jabber.org/protocol/muc<')
  })

  it('§9.1: knows SHA-1, and the longer ones; others not', () => {
    const info = read(pc) ?? assert.fail('ill-formed')
    assert.equal(verificationString(hashing, 'sha-256', info)?.length, 44)
    assert.equal(verificationString(hashing, 'sha-512', info)?.length, 88)
    assert.equal(verificationString(hashing, 'md5', info), undefined)
    assert.equal(verificationString(hashing, 'SHA-1', info), undefined)
  })
})

describe('an answer is ill-formed (§5.4)', () => {
  const twice = (text: string) => text + text
  const cases: readonly (readonly [string, string])[] = [
    ['rule 3.3: with an identity twice', twice(pc)],
    ['rule 3.4: with a feature twice', twice(feature('urn:f'))],
    ['rule 3.5: with two forms of one FORM_TYPE', form('urn:f', { a: ['1'] }) + form('urn:f', { b: ['1'] })],
    [
      'rule 3.5: with two FORM_TYPEs in a form',
      `<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>a</value><value>b</value></field></x>`,
    ],
    ['with a feature without name', '<feature/>'],
    ['with an identity without type', `<identity category='client'/>`],
    ['with an identity without category', `<identity type='pc'/>`],
    ['with a slash in a category', `<identity category='client/pc' type='x'/>`],
    ['with a slash in a language', `<identity category='client' type='pc' xml:lang='en/x'/>`],
    ['with a feature as an identity (§9.3)', `<identity category='http:' type='' name='jabber.org/protocol/muc'/>`],
    [
      'with a field twice',
      `<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>a</value></field><field var='b'/><field var='b'/></x>`,
    ],
    [
      'with a field without name',
      `<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>a</value></field><field/></x>`,
    ],
  ]
  for (const [name, told] of cases) it(name, () => assert.equal(read(told), undefined))

  it('rule 3.6: but not with a form without a hidden FORM_TYPE, which does not count', () => {
    assert.equal(inputOf(form('urn:f', { a: ['1'] }, 'text-single')), '')
    assert.equal(inputOf(`<x xmlns='jabber:x:data'><field var='a'><value>1</value></field></x>`), '')
    assert.equal(inputOf(`<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'/></x>`), '')
  })
})

describe('an answer that makes the hash of another (§9.3)', () => {
  it('by a form in the place of features is not conclusive', () => {
    const honest = pc + ['urn:a', 'urn:b', 'urn:c'].map(feature).join('')
    const forged = pc + feature('urn:a') + form('urn:b', { 'urn:c': [] })
    assert.equal(inputOf(forged), inputOf(honest))
    assert.equal(read(honest)?.isConclusive, true)
    assert.equal(read(forged)?.isConclusive, false)
  })

  it('by features in the place of a form that is trusted is a form of another name, and not conclusive', () => {
    const honest = pc + form('urn:xmpp:dataforms:softwareinfo', { os: ['Mac'] })
    const forged = pc + feature('urn:xmpp:dataforms:softwareinfo') + form('os', { Mac: [] })
    assert.equal(inputOf(forged), inputOf(honest))
    assert.equal(read(honest)?.isConclusive, true)
    assert.equal(read(forged)?.isConclusive, false)
  })
})
