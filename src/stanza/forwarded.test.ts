/** XEP-0297, and the note of XEP-0203 inside of it: what is written is what is read, and what is malformed is told. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jid } from '../jid/jid.ts'
import { CodecFault } from '../xml/codec.ts'
import type { Element } from '../xml/element.types.ts'
import { decode } from '../xml/octets.ts'
import { parseElement } from '../xml/parse.ts'
import { serialise } from '../xml/serialise.ts'
import { delayCodec, NS_DELAY, readStamp } from './delay.ts'
import { forwardedCodec } from './forwarded.ts'
import { NS_CLIENT } from './ns.ts'

const text = (el: Element) => decode(serialise(el, ''))
const again = (el: Element) => parseElement(text(el))

const original = `<message xmlns='jabber:client' from='juliet@capulet.lit/orchard' id='0202197' to='romeo@montague.lit' type='chat' xml:lang='it'><body>Yet I should kill thee &amp; with much &lt;cherishing&gt;</body><mood xmlns='http://jabber.org/protocol/mood'><amorous/></mood></message>`

function read(el: Element) {
  const value = forwardedCodec.decode(el)
  if (value instanceof CodecFault) throw new Error(`${value.path}: ${value.text}`)
  return value
}

function fault(inside: string, outside = 'forwarded'): string {
  const value = forwardedCodec.decode(parseElement(`<${outside} xmlns='urn:xmpp:forward:0'>${inside}</${outside}>`))
  return value instanceof CodecFault ? `${value.path}: ${value.text}` : 'none'
}

describe('a forwarded stanza (XEP-0297 §3)', () => {
  it('is what it was, on the wire and back: children, addresses, language (§3.2 rule 1)', () => {
    const el = again(forwardedCodec.encode({ stanza: parseElement(original) }))
    assert.equal(text(read(el).stanza), original)
    assert.equal(read(el).delay, undefined)
  })

  it('keeps its namespace inside of another (§3.2 rule 3)', () => {
    const el = forwardedCodec.encode({ stanza: parseElement(original) })
    assert.match(text(el), /^<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' /)
    const server = original.replace('jabber:client', 'jabber:server')
    assert.equal(read(again(forwardedCodec.encode({ stanza: parseElement(server) }))).stanza.ns, 'jabber:server')
  })

  it('may say when it was received (§3.2 rule 2, example 2)', () => {
    const stamp = new Date(Date.UTC(2010, 6, 10, 23, 8, 25))
    const delay = { from: jid('montague.lit'), stamp, reason: 'Offline' }
    const el = again(forwardedCodec.encode({ stanza: parseElement(original), delay }))
    assert.deepEqual(
      el.elements.map(({ name }) => name),
      ['delay', 'message'],
    )
    assert.equal(read(el).delay?.stamp.getTime(), stamp.getTime())
    assert.equal(read(el).delay?.from?.toString(), 'montague.lit')
    assert.equal(read(el).delay?.reason, 'Offline')
  })

  it('is one message, presence or iq; what else stands beside it does not matter (§8)', () => {
    for (const name of ['message', 'presence', 'iq'])
      assert.equal(fault(`<${name} xmlns='jabber:client'/><x xmlns='urn:x'/>`), 'none')
    assert.equal(fault(''), 'forwarded: It holds no stanza.')
    assert.equal(fault(`<message/>`), 'forwarded: It holds no stanza.', 'of the wrong namespace')
    assert.equal(fault(`<query xmlns='jabber:client'/>`), 'forwarded: It holds no stanza.')
    const two = `<message xmlns='jabber:client'/><message xmlns='jabber:client'/>`
    assert.equal(fault(two), 'forwarded/message: There may be only one stanza.')
    assert.equal(fault(original, 'forward'), 'forwarded: It is another element.')
  })

  it('with two notes of delay, or one that is none, is a fault', () => {
    const note = (stamp: string) => `<delay xmlns='${NS_DELAY}' stamp='${stamp}'/>`
    const good = '2010-07-10T23:08:25Z'
    assert.equal(fault(`${note(good)}${original}`), 'none')
    assert.equal(fault(`${note(good)}${note(good)}${original}`), 'forwarded/delay: There may be only one.')
    assert.match(fault(`${note('yesterday')}${original}`), /^forwarded\/delay\/@stamp: /)
  })
})

describe('a note of delay (XEP-0203 §2)', () => {
  it('with an address that is none is a fault', () => {
    const value = delayCodec.decode(parseElement(`<delay xmlns='${NS_DELAY}' from='@' stamp='2010-07-10T23:08:25Z'/>`))
    assert.ok(value instanceof CodecFault)
    assert.equal(value.path, 'delay/@from')
  })

  it('without an address says when, and no more', () => {
    const value = delayCodec.decode(parseElement(`<delay xmlns='${NS_DELAY}' stamp='2010-07-10T23:08:25Z'/>`))
    assert.ok(!(value instanceof CodecFault))
    assert.equal(value.from, undefined)
    assert.equal(delayCodec.encode(value).attr('from'), undefined)
  })

  it('is no other element', () => {
    assert.ok(delayCodec.decode(parseElement(`<delay xmlns='${NS_CLIENT}'/>`)) instanceof CodecFault)
  })
})

describe('a stamp (XEP-0082 §3.2)', () => {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['1969-07-21T02:56:15Z', '1969-07-21T02:56:15.000Z'],
    ['1969-07-20T21:56:15-05:00', '1969-07-21T02:56:15.000Z'],
    ['2002-09-10T23:08:25.123Z', '2002-09-10T23:08:25.123Z'],
    ['2004-02-29T00:00:00Z', '2004-02-29T00:00:00.000Z'],
    ['2002-02-29T00:00:00Z', undefined],
    ['2002-13-01T00:00:00Z', undefined],
    ['2002-09-10T25:08:25Z', undefined],
    ['2002-09-10', undefined],
    ['2002-09-10T23:08:25', undefined],
    ['20020910T23:08:25', undefined],
    ['', undefined],
    ['soon', undefined],
  ]
  for (const [given, expected] of rows) {
    it(`'${given}' is ${expected ?? 'none'}`, () => assert.equal(readStamp(given)?.toISOString(), expected))
  }
})
