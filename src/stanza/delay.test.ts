/** XEP-0203: notes on bytes are those on elements. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jid } from '../jid/index.ts'
import { decode, encode } from '../xml/octets.ts'
import { parseOctets } from '../xml/parse.ts'
import { writeStanza } from '../xml/serialise.ts'
import { DelayNotes, withDelay } from './delay.ts'

const since = new Date(Date.UTC(2026, 10, 21, 22, 0, 0, 7))
const from = jid('juliet@capulet.com/balcony')
const to = jid('romeo@montague.net')

describe('a note on a message that is bytes', () => {
  const messages: readonly (readonly [string, string, boolean])[] = [
    ['with children', `<message xmlns='jabber:client'><body>a &lt; b</body><x xmlns='u:y'/></message>`, true],
    ['with text alone', `<message xmlns='jabber:client'>né</message>`, true],
    [
      'with a note of somebody else',
      `<message xmlns='jabber:client'><delay xmlns='urn:xmpp:delay' from='a.b' stamp='s'/></message>`,
      true,
    ],
    ['with a child of its own name', `<message xmlns='jabber:client'><message xmlns='u:y'></message></message>`, true],
    ['without children', `<message xmlns='jabber:client' id='1'/>`, false],
    ['with a prefix', `<c:message xmlns:c='jabber:client' xmlns='u:y'><c:body>x</c:body></c:message>`, true],
    ['with an end tag of its own kind', `<message xmlns='jabber:client'><body/></message\n>`, false],
  ]
  for (const by of ['montague.net', 'bücher.example'].map((text) => jid(text))) {
    const notes = new DelayNotes(by, 'Off & line')
    for (const [name, text, isUsual] of messages) {
      it(`${name}, by ${by}: is the note on the element, or none`, () => {
        const el = parseOctets(encode(text))
        const written = writeStanza(el, from.octets, to.octets)
        const added = notes.added(written, since)
        const expected = writeStanza(withDelay(el, by, since, 'Off & line'), from.octets, to.octets)
        assert.equal(added === undefined, !isUsual, decode(written))
        if (added !== undefined) assert.equal(decode(added), decode(expected))
      })
    }
  }

  it('§5: another that pretends to speak for the same is taken off, however the address is written; others stay', () => {
    const note = (by: string) => `<delay xmlns='urn:xmpp:delay' from='${by}' stamp='2002-09-10T23:08:25Z'/>`
    const notes = note('MONTAGUE.net') + note('capulet.com') + note('montague.net')
    const el = parseOctets(encode(`<message xmlns='jabber:client'><body>x</body>${notes}</message>`))
    const late = withDelay(el, jid('montague.net'), since)
    assert.deepEqual(
      late.childrenNamed('delay', 'urn:xmpp:delay').map((one) => [one.attr('from'), one.attr('stamp')]),
      [
        ['capulet.com', '2002-09-10T23:08:25Z'],
        ['montague.net', since.toISOString()],
      ],
    )
  })

  it('without a reason has none', () => {
    const el = parseOctets(encode(`<message xmlns='jabber:client'><body>x</body></message>`))
    const added = new DelayNotes(to).added(writeStanza(el, from.octets, to.octets), since)
    assert.equal(added, writeStanza(withDelay(el, to, since), from.octets, to.octets))
  })
})
