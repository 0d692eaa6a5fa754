import assert from 'node:assert/strict'
import { test } from 'node:test'
import { derIdentifier, derInteger, derOctets, derSequence, derText, derTrue, derValue } from './der.ts'
import { xmppAddresses } from './xmpp-addresses.ts'

const XMPP_ADDR = '1.3.6.1.5.5.7.8.5'
const otherName = (type: string, text: Buffer) => derValue(0xa0, derIdentifier(type), derValue(0xa0, text))
const address = (text: string) => otherName(XMPP_ADDR, derText(text))
const dns = (name: string) => derValue(0x82, Buffer.from(name))

/** A certificate as far as it is read: RFC 5280 section 4.1. */
function certificate(names: readonly Buffer[], critical = false): Buffer {
  const constraint = derSequence(derIdentifier('2.5.29.19'), derTrue(), derOctets(derSequence()))
  const flag = critical ? [derTrue()] : []
  const alternative = derSequence(derIdentifier('2.5.29.17'), ...flag, derOctets(derSequence(...names)))
  const body = derSequence(
    derValue(0xa0, derInteger(Buffer.from([2]))),
    derInteger(Buffer.from([1])),
    derSequence(derIdentifier('1.2.840.10045.4.3.2')),
    derValue(0xa3, derSequence(constraint, alternative)),
  )
  return derSequence(body, derSequence(derIdentifier('1.2.840.10045.4.3.2')))
}

test('RFC 6120 section 13.7.1.4: addresses among other names, in their order', () => {
  const names = [dns('example.org'), address('juliet@example.org'), address('romeo@münchen.example')]
  assert.deepEqual(xmppAddresses(certificate(names)), ['juliet@example.org', 'romeo@münchen.example'])
  assert.deepEqual(xmppAddresses(certificate(names, true)), ['juliet@example.org', 'romeo@münchen.example'])
})

test('other kinds of otherName, other types of string, and bad UTF-8 are no addresses', () => {
  const names = [
    otherName('1.3.6.1.4.1.311.20.2.3', derText('juliet@example.org')),
    otherName('1.3.6.1.5.5.7.8.7', derValue(0x16, Buffer.from('_xmpp-client.example.org'))),
    otherName(XMPP_ADDR, derValue(0x16, Buffer.from('juliet@example.org'))),
    otherName(XMPP_ADDR, derValue(0x0c, Buffer.from([0xff]))),
  ]
  assert.deepEqual(xmppAddresses(certificate(names)), [])
  assert.deepEqual(xmppAddresses(certificate([])), [])
})

test('a hundred at most', () => {
  const names = Array.from({ length: 150 }, (_, n) => address(`u${n}@example.org`))
  assert.equal(xmppAddresses(certificate(names)).length, 100)
})

test('what is cut short or changed anywhere yields addresses of it, or none, and no exception', () => {
  const whole = certificate([address('juliet@example.org'), address('romeo@example.org')])
  const known = new Set(['juliet@example.org', 'romeo@example.org'])
  for (let end = 0; end < whole.length; end++) {
    for (const found of xmppAddresses(whole.subarray(0, end))) assert.ok(known.has(found))
  }
  for (let at = 0; at < whole.length; at++) {
    for (const byte of [0x00, 0x7f, 0x80, 0x84, 0xff]) {
      const changed = Buffer.from(whole)
      changed[at] = byte
      assert.ok(xmppAddresses(changed).length <= 2)
    }
  }
})
