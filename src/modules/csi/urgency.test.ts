/** What waits for an inactive client and what does not, row by row. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jid } from '../../jid/jid.ts'
import { encode } from '../../xml/octets.ts'
import { waitsUnder } from './urgency.ts'

const me = jid('romeo@montague.net/phone')
const MUC = 'http://jabber.org/protocol/muc#user'
const state = `<composing xmlns='http://jabber.org/protocol/chatstates'/>`
const receipt = `<received xmlns='urn:xmpp:receipts' id='1'/>`
const displayed = `<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>`
const hint = `<no-store xmlns='urn:xmpp:hints'/>`
const event = `<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:n'/></event>`
const addresses = `from='juliet@capulet.com/b' to='romeo@montague.net/phone'`
const message = (inside: string, type = 'chat', at = addresses) => `<message ${at} type='${type}'>${inside}</message>`
const carbon = (direction: string, inside: string, type = 'chat') =>
  message(
    `<${direction} xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>` +
      `<message xmlns='jabber:client' from='juliet@capulet.com/b' to='romeo@montague.net/desk' type='${type}'>${inside}</message>` +
      `</forwarded></${direction}>`,
    type,
    `from='romeo@montague.net' to='romeo@montague.net/phone'`,
  )

/** What a later one replaces it under; 'waits' when nothing does, 'urgent' when it does not wait. */
const rows: readonly (readonly [string, string, string])[] = [
  ['presence', `<presence ${addresses}/>`, 'p juliet@capulet.com/b'],
  ['presence that says more', `<presence ${addresses}><show>away</show></presence>`, 'p juliet@capulet.com/b'],
  ['unavailable', `<presence ${addresses} type='unavailable'/>`, 'p juliet@capulet.com/b'],
  ['quotes of the other kind', `<presence type="unavailable" from="a@b.example/c"/>`, 'p a@b.example/c'],
  ['a request', `<presence ${addresses} type='subscribe'/>`, 'urgent'],
  ['an approval', `<presence ${addresses} type='subscribed'/>`, 'urgent'],
  ['an error of presence', `<presence ${addresses} type='error'/>`, 'urgent'],
  ['presence of nobody', `<presence/>`, 'urgent'],
  ['its own presence', `<presence from='${me}' to='${me}'/>`, 'urgent'],
  ['another resource of the account', `<presence from='romeo@montague.net/desk'/>`, 'p romeo@montague.net/desk'],
  [
    'an occupant of a room',
    `<presence from='r@m.example/n'><x xmlns='${MUC}'><item affiliation='none' role='participant'/></x></presence>`,
    'p r@m.example/n',
  ],
  [
    'itself in a room (XEP-0045 §7.2.2)',
    `<presence from='r@m.example/n'><x xmlns='${MUC}'><status code='110'/></x></presence>`,
    'urgent',
  ],
  ['a request of whatever', `<iq ${addresses} type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>`, 'urgent'],
  ['an answer', `<iq ${addresses} type='result' id='1'/>`, 'urgent'],
  ['a message', message('<body>x</body>'), 'urgent'],
  ['a message with a state', message(`<body>x</body>${state}`), 'urgent'],
  ['a message that is encrypted', message(`<encrypted xmlns='urn:x'/>${hint}`), 'urgent'],
  ['a subject', message('<subject>x</subject>', 'groupchat'), 'urgent'],
  ['an error', message(`${state}<error type='cancel'/>`, 'error'), 'urgent'],
  ['an error with nothing in it', message(state, 'error'), 'urgent'],
  ['a headline with a body', message('<body>x</body>', 'headline'), 'urgent'],
  ['a chat state', message(state), 'm juliet@capulet.com/b'],
  ['a chat state with thread and hint', message(`${state}<thread>1</thread>${hint}`), 'm juliet@capulet.com/b'],
  ['a chat state of an occupant', message(`${state}<x xmlns='${MUC}'/>`), 'waits'],
  ['an invitation to a room', message(`<x xmlns='${MUC}'><invite from='a@b.example'/></x>`), 'urgent'],
  ['a receipt', message(receipt), 'waits'],
  ['a marker', message(`${displayed}<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='a'/>`), 'waits'],
  ['an event', message(event, 'headline'), 'waits'],
  ['an event of the account itself', message(event, 'headline', `from='romeo@montague.net'`), 'urgent'],
  ['a copy of a message', carbon('received', '<body>x</body>'), 'urgent'],
  ['a copy of a message that was sent', carbon('sent', '<body>x</body>'), 'urgent'],
  ['a copy of a chat state', carbon('received', state), 'r juliet@capulet.com/b'],
  ['a copy of a chat state that was sent', carbon('sent', state), 's romeo@montague.net/desk'],
  ['a copy of a marker', carbon('received', displayed), 'waits'],
  ['a copy of a marker that was sent: it was read elsewhere', carbon('sent', displayed), 'urgent'],
  ['a copy of an error', carbon('received', state, 'error'), 'urgent'],
  ['a copy of nothing', message(`<received xmlns='urn:xmpp:carbons:2'/>`), 'urgent'],
  ['a prefix', `<c:message xmlns:c='jabber:client' ${addresses}>${state}</c:message>`, 'urgent'],
  ['a name that begins alike', `<presences ${addresses}/>`, 'urgent'],
]

describe('for an inactive client (XEP-0352 §3.2)', () => {
  for (const [name, text, expected] of rows) {
    it(`${name}: ${expected}`, () => {
      const key = waitsUnder(encode(text), me)
      assert.equal(key === undefined ? 'urgent' : key === '' ? 'waits' : String(key), expected)
    })
  }
})
