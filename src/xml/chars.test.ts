/** Character classes and UTF-8 against other people's tables. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { BAD_CHARACTER, charLength, illegalChar, isChar, isLocalName, isNamePart, isNameStart, MORE } from './chars.ts'

interface Xmlchars {
  isChar(c: number): boolean
  isNCNameStartChar(c: number): boolean
  isNCNameChar(c: number): boolean
}

const require = createRequire(import.meta.url)
const { isChar: theirChar } = require('xmlchars/xml/1.0/ed5') as Xmlchars
const { isNCNameStartChar, isNCNameChar } = require('xmlchars/xmlns/1.0/ed3') as Xmlchars

test('every code point is in the classes that xmlchars has it in', () => {
  for (let c = 0; c <= 0x10ffff; c++) {
    if (isChar(c) !== theirChar(c)) assert.fail(`Char ${c.toString(16)}`)
    if (isNameStart(c) !== isNCNameStartChar(c)) assert.fail(`NameStartChar ${c.toString(16)}`)
    if (isNamePart(c) !== isNCNameChar(c)) assert.fail(`NameChar ${c.toString(16)}`)
  }
})

test('every code point has its UTF-8 length, and wants the bytes that are missing', () => {
  for (let c = 0x80; c <= 0x10ffff; c += c < 0x10000 ? 1 : 61) {
    if (c >= 0xd800 && c <= 0xdfff) continue
    const bytes = Buffer.from(String.fromCodePoint(c))
    const expected = c === 0xfffe || c === 0xffff ? BAD_CHARACTER : bytes.length
    if (charLength(bytes, 0, bytes.length) !== expected) assert.fail(c.toString(16))
    if (charLength(bytes, 0, bytes.length - 1) !== MORE) assert.fail(`cut ${c.toString(16)}`)
  }
})

test('RCV-04: every sequence of three bytes is judged as a strict decoder judges it', () => {
  const strict = new TextDecoder('utf-8', { fatal: true })
  const bytes = Buffer.alloc(4)
  const isValid = (length: number): boolean => {
    try {
      return [...strict.decode(bytes.subarray(0, length))].length === 1
    } catch {
      return false
    }
  }
  const samples = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbe, 0xbf, 0xc0, 0xc2, 0xff]
  for (let first = 0x80; first < 0x100; first++) {
    for (const second of samples) {
      for (const third of samples) {
        bytes.set([first, second, third, 0x80])
        const length = charLength(bytes, 0, 4)
        const expected = first < 0xe0 ? isValid(2) : first < 0xf0 ? isValid(3) : isValid(4)
        assert.equal(length > 0 || length === BAD_CHARACTER, expected, bytes.toString('hex'))
      }
    }
  }
})

test('texts and names are checked where they are built', () => {
  assert.equal(illegalChar('a\t\n\r😀\ufffd'), -1)
  assert.deepEqual(['\0', 'a\x1f', '\ud800', '\udc00', 'ab\ufffe', '😀\ud83d'].map(illegalChar), [0, 1, 0, 0, 2, 2])
  assert.deepEqual(['a', '名', 'a-b.c·', '_1', '𐀀'].map(isLocalName), [true, true, true, true, true])
  assert.deepEqual(['', '1', '-a', 'a:b', 'a b', '\u0301'].map(isLocalName), [false, false, false, false, false, false])
})
