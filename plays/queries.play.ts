/** RFC 6121 section 8.5 for iq, and what the server itself answers: XEP-0030, 0092, 0199 and 0202. */
import { befriend, play, xml } from './language/index.ts'

const cast = { romeo: 'romeo@localhost/orchard', juliet: 'juliet@localhost/balcony' }

export default [
  play('the server answers ping, version, time and disco', { cast }, async ({ romeo }) => {
    await romeo.connects()
    romeo.sends(xml`<iq to='localhost' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>`)
    await romeo.receives(xml`<iq from='localhost' type='result' id='1'/>`)
    romeo.sends(xml`<iq to='localhost' type='get' id='2'><query xmlns='jabber:iq:version'/></iq>`)
    await romeo.receives(
      xml`<iq from='localhost' type='result' id='2'>
        <query xmlns='jabber:iq:version'><name>Ratatosk</name><version>*</version></query>
      </iq>`,
    )
    romeo.sends(xml`<iq to='localhost' type='get' id='3'><time xmlns='urn:xmpp:time'/></iq>`)
    await romeo.receives(
      xml`<iq from='localhost' type='result' id='3'>
        <time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>*</utc></time>
      </iq>`,
    )
    romeo.sends(xml`<iq to='localhost' type='get' id='4'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`)
    await romeo.receives(
      xml`<iq from='localhost' type='result' id='4'>
        <query xmlns='http://jabber.org/protocol/disco#info'>…
          <identity category='server' type='im' name='Ratatosk'/>
          <feature var='http://jabber.org/protocol/disco#info'/>
          <feature var='http://jabber.org/protocol/disco#items'/>
          <feature var='urn:xmpp:ping'/>
          <feature var='urn:xmpp:time'/>
          <feature var='jabber:iq:version'/>
          <feature var='jabber:iq:roster'/>
          <feature var='msgoffline'/>
        </query>
      </iq>`,
    )
    romeo.sends(xml`<iq to='localhost' type='get' id='5'><query xmlns='urn:example:unknown'/></iq>`)
    await romeo.receives(
      xml`<iq from='localhost' type='error' id='5'>…
        <error type='cancel'>… <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>
      </iq>`,
    )
  }),

  play('a request to the resource of a friend, and its answer', { cast }, async ({ romeo, juliet }, stage) => {
    await befriend(romeo, juliet, stage)
    await stage.settles()
    for (const actor of [romeo, juliet]) actor.sends(xml`<presence/>`)
    await romeo.receives(xml`<presence from='${romeo.full}'/>`, xml`<presence from='${juliet.full}'/>`)
    await juliet.receives(xml`<presence from='${romeo.full}'/>`, xml`<presence from='${juliet.full}'/>`)
    romeo.sends(xml`<iq to='${juliet.full}' type='get' id='1'><query xmlns='jabber:iq:last'/></iq>`)
    await juliet.receives(
      xml`<iq from='${romeo.full}' to='${juliet.full}' type='get' id='1'><query xmlns='jabber:iq:last'/></iq>`,
    )
    juliet.sends(xml`<iq to='${romeo.full}' type='result' id='1'><query xmlns='jabber:iq:last' seconds='7'/></iq>`)
    await romeo.receives(
      xml`<iq from='${juliet.full}' to='${romeo.full}' type='result' id='1'>
        <query xmlns='jabber:iq:last' seconds='7'/>
      </iq>`,
    )
  }),

  // Section 8.5.3.1: the answer is that for a resource which is not there.
  play('a request of a stranger does not reach a resource', { cast }, async ({ romeo, juliet }) => {
    await romeo.comesOnline()
    await juliet.comesOnline()
    const refusal = (to: string, id: string) => xml`<iq from='${to}' type='error' id='${id}'>…
      <error type='cancel'>… <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>
    </iq>`
    romeo.sends(xml`<iq to='${juliet.full}' type='get' id='1'><query xmlns='jabber:iq:version'/></iq>`)
    await romeo.receives(refusal(juliet.full, '1'))
    const nowhere = `${juliet.bare}/nowhere`
    romeo.sends(xml`<iq to='${nowhere}' type='get' id='2'><query xmlns='jabber:iq:version'/></iq>`)
    await romeo.receives(refusal(nowhere, '2'))
    // Directed presence opens the door.
    juliet.sends(xml`<presence to='${romeo.full}'/>`)
    await romeo.receives(xml`<presence from='${juliet.full}'/>`)
    romeo.sends(xml`<iq to='${juliet.full}' type='get' id='3'><query xmlns='jabber:iq:version'/></iq>`)
    await juliet.receives(xml`<iq from='${romeo.full}' type='get' id='3'><query xmlns='jabber:iq:version'/></iq>`)
  }),
]
