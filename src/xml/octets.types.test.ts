/** Checked by the compiler: bytes and text do not mix by accident. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { x } from './build.ts'
import { escapeAttr } from './escape.ts'
import { ascii, decode, encode, type Octets, own } from './octets.ts'
import { StanzaTemplate, writeStanza } from './serialise.ts'

const text: string = 'Ромео'
const bytes: Octets = encode(text)

test('the compiler tells bytes from text', () => {
  // @ts-expect-error text is not bytes
  const wrong: Octets = text
  // @ts-expect-error a literal is not bytes either; `ascii` says that it is meant
  const literal: Octets = 'abc'
  // @ts-expect-error text cannot be decoded
  assert.equal(typeof decode(text), 'string')
  // @ts-expect-error text cannot be kept as bytes
  const kept: Octets = own(text)
  // @ts-expect-error a slice of bytes is a plain string until somebody says what it is
  const slice: Octets = bytes.substring(0, 2)
  // @ts-expect-error an address must be encoded and escaped before it goes into a tag
  assert.equal(typeof writeStanza(x('message', 'jabber:client'), text, undefined), 'string')
  // @ts-expect-error the same for a copy
  assert.equal(typeof new StanzaTemplate(x('message', 'jabber:client')).copy(text), 'string')
  // @ts-expect-error escaping changes nothing of it: text stays text
  const escaped: Octets = escapeAttr(text)
  const right: Octets = escapeAttr(bytes)
  assert.deepEqual(
    [typeof wrong, literal, typeof kept, slice.length, escaped, right],
    ['string', 'abc', 'string', 2, text, bytes],
  )
  assert.equal(ascii('abc'), 'abc')
})
