/** XEP-0191 and XEP-0016: who is blocked, and what a list of one session lets through. */
import { type Actor, befriend, play, type Stage, xml } from './language/index.ts'

const cast = { romeo: 'romeo@localhost/orchard', juliet: 'juliet@localhost/balcony', phone: 'romeo@localhost/phone' }
const stanzaErrors = 'urn:ietf:params:xml:ns:xmpp-stanzas'

/** Both are friends and see each other. */
async function lovers(romeo: Actor, juliet: Actor, stage: Stage): Promise<void> {
  await befriend(romeo, juliet, stage)
  romeo.sends(xml`<presence/>`)
  await romeo.receives(xml`<presence from='${romeo.full}'/>`)
  juliet.sends(xml`<presence/>`)
  for (const actor of [juliet, romeo]) await actor.receives(xml`<presence from='${juliet.full}'/>`)
  await juliet.receives(xml`<presence from='${romeo.full}'/>`)
}

/** As if nobody were there. */
const refused = (kind: 'iq' | 'message', from: string, id: string) =>
  xml`<${kind} from='${from}' type='error' id='${id}'>…
    <error type='cancel'>… <service-unavailable xmlns='${stanzaErrors}'/></error>
  </${kind}>`

export default [
  play('SES-04: who is blocked sees him go and is told nothing more', { cast }, async ({ romeo, juliet }, stage) => {
    await lovers(romeo, juliet, stage)
    romeo.sends(xml`<iq type='get' id='1'><blocklist xmlns='urn:xmpp:blocking'/></iq>`)
    await romeo.receives(xml`<iq from='${romeo.bare}' type='result' id='1'><blocklist xmlns='urn:xmpp:blocking'/></iq>`)
    romeo.sends(xml`<iq type='set' id='2'><block xmlns='urn:xmpp:blocking'><item jid='${juliet.bare}'/></block></iq>`)
    await juliet.receives(xml`<presence from='${romeo.full}' type='unavailable'/>`)
    await romeo.receives(
      xml`<presence from='${juliet.full}' type='unavailable'/>`,
      xml`<iq from='${romeo.bare}' type='set'><query xmlns='jabber:iq:privacy'><list name='blocklist'/></query></iq>`,
      xml`<iq from='${romeo.bare}' type='set'><block xmlns='urn:xmpp:blocking'><item jid='${juliet.bare}'/></block></iq>`,
      xml`<iq from='${romeo.bare}' type='result' id='2'/>`,
    )

    juliet.sends(xml`<message to='${romeo.bare}' id='3'><body>wherefore?</body></message>`)
    await juliet.receives(refused('message', romeo.bare, '3'))
    juliet.sends(xml`<iq to='${romeo.full}' type='get' id='4'><query xmlns='jabber:iq:version'/></iq>`)
    await juliet.receives(refused('iq', romeo.full, '4'))
    juliet.sends(xml`<presence to='${romeo.bare}' type='probe'/>`, xml`<presence><show>away</show></presence>`)
    await juliet.receives(xml`<presence from='${juliet.full}'><show>away</show></presence>`)
    romeo.sends(xml`<message to='${juliet.bare}' id='5'><body>hear me!</body></message>`)
    await romeo.receives(
      xml`<message from='${juliet.bare}' type='error' id='5'>
        <error type='cancel'><not-acceptable xmlns='${stanzaErrors}'/><blocked xmlns='urn:xmpp:blocking:errors'/></error>
      </message>`,
    )

    romeo.sends(xml`<iq type='set' id='6'><unblock xmlns='urn:xmpp:blocking'/></iq>`)
    await juliet.receives(xml`<presence from='${romeo.full}'/>`)
    await romeo.receives(
      xml`<presence from='${juliet.full}'><show>away</show></presence>`,
      xml`<iq from='${romeo.bare}' type='set'><query xmlns='jabber:iq:privacy'><list name='blocklist'/></query></iq>`,
      xml`<iq from='${romeo.bare}' type='set'><unblock xmlns='urn:xmpp:blocking'/></iq>`,
      xml`<iq from='${romeo.bare}' type='result' id='6'/>`,
    )
    juliet.sends(xml`<message to='${romeo.bare}' id='7'><body>again!</body></message>`)
    await romeo.receives(xml`<message from='${juliet.full}' id='7'><body>again!</body></message>`)
  }),

  play('SES-04: a list that one resource has made active is its own', { cast }, async ({ romeo, juliet, phone }) => {
    for (const actor of [romeo, juliet]) await actor.comesOnline()
    await phone.connects()
    phone.sends(
      xml`<iq type='set' id='1'><query xmlns='jabber:iq:privacy'>
        <list name='quiet'><item type='subscription' value='none' action='deny' order='1'><message/></item></list>
      </query></iq>`,
    )
    const push = xml`<iq from='${romeo.bare}' type='set'><query xmlns='jabber:iq:privacy'><list name='quiet'/></query></iq>`
    await phone.receives(push, xml`<iq from='${romeo.bare}' type='result' id='1'/>`)
    await romeo.receives(push)
    phone.sends(xml`<iq type='set' id='2'><query xmlns='jabber:iq:privacy'><active name='quiet'/></query></iq>`)
    await phone.receives(xml`<iq from='${romeo.bare}' type='result' id='2'/>`)
    for (const [id, to] of [
      ['3', phone.full],
      ['4', romeo.full],
    ] as const) {
      juliet.sends(xml`<message to='${to}' type='chat' id='${id}'><body>x</body></message>`)
    }
    await juliet.receives(refused('message', phone.full, '3'))
    await romeo.receives(xml`<message from='${juliet.full}' type='chat' id='4'><body>x</body></message>`)
  }),
]
