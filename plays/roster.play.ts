/** RFC 6121 sections 2 and 3: the roster, and who may see whom. */
import { play, xml } from './language/index.ts'

const cast = { romeo: 'romeo@localhost/orchard', juliet: 'juliet@localhost/balcony', phone: 'romeo@localhost/phone' }

export default [
  play('every resource that asked for the roster is told of a change', { cast }, async ({ romeo, phone }) => {
    await romeo.connects()
    await phone.connects()
    romeo.sends(xml`<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>`)
    await romeo.receives(
      xml`<iq from='${romeo.bare}' type='result' id='1'><query xmlns='jabber:iq:roster' ver='*'/></iq>`,
    )
    romeo.sends(
      xml`<iq type='set' id='2'>
        <query xmlns='jabber:iq:roster'><item jid='juliet@localhost' name='Джульетта'><group>Friends</group></item></query>
      </iq>`,
    )
    const item = xml`<iq from='${romeo.bare}' type='set'>
      <query xmlns='jabber:iq:roster' ver='*'>
        <item jid='juliet@localhost' name='Джульетта' subscription='none'><group>Friends</group></item>
      </query>
    </iq>`
    await romeo.receives(item, xml`<iq from='${romeo.bare}' type='result' id='2'/>`)
    // The phone did not ask (section 2.1.6): it learns it when it does.
    phone.sends(xml`<iq type='get' id='3'><query xmlns='jabber:iq:roster'/></iq>`)
    await phone.receives(
      xml`<iq from='${phone.bare}' type='result' id='3'>
        <query xmlns='jabber:iq:roster' ver='*'>
          <item jid='juliet@localhost' name='Джульетта' subscription='none'><group>Friends</group></item>
        </query>
      </iq>`,
    )
    phone.sends(
      xml`<iq type='set' id='4'>
        <query xmlns='jabber:iq:roster'><item jid='juliet@localhost' subscription='remove'/></query>
      </iq>`,
    )
    const removal = xml`<iq from='${romeo.bare}' type='set'>
      <query xmlns='jabber:iq:roster' ver='*'><item jid='juliet@localhost' subscription='remove'/></query>
    </iq>`
    await phone.receives(removal, xml`<iq from='${phone.bare}' type='result' id='4'/>`)
    await romeo.receives(removal)
  }),

  play('nobody reads the roster of another', { cast }, async ({ romeo }) => {
    await romeo.connects()
    romeo.sends(xml`<iq to='juliet@localhost' type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>`)
    await romeo.receives(
      xml`<iq from='juliet@localhost' type='error' id='1'>…
        <error type='*'>… <forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>
      </iq>`,
    )
  }),

  play('he asks, she agrees, and they see each other', { cast }, async ({ romeo, juliet }) => {
    for (const actor of [romeo, juliet]) {
      await actor.connects()
      actor.sends(xml`<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>`)
      await actor.receives(
        xml`<iq from='${actor.bare}' type='result' id='roster'><query xmlns='jabber:iq:roster' ver='*'/></iq>`,
      )
      actor.sends(xml`<presence/>`)
      await actor.receives(xml`<presence from='${actor.full}'/>`)
    }
    const push = (of: { bare: string }, contact: { bare: string }, subscription: string) =>
      xml`<iq from='${of.bare}' type='set'>
        <query xmlns='jabber:iq:roster' ver='*'><item jid='${contact.bare}' subscription='${subscription}'/></query>
      </iq>`
    romeo.sends(xml`<presence to='${juliet.bare}' type='subscribe'><status>It is I</status></presence>`)
    await romeo.receives(
      xml`<iq from='${romeo.bare}' type='set'>
        <query xmlns='jabber:iq:roster' ver='*'><item jid='${juliet.bare}' subscription='none' ask='subscribe'/></query>
      </iq>`,
    )
    await juliet.receives(xml`<presence from='${romeo.bare}' type='subscribe'><status>It is I</status></presence>`)

    juliet.sends(xml`<presence to='${romeo.bare}' type='subscribed'/>`)
    await juliet.receives(push(juliet, romeo, 'from'))
    await romeo.receives(
      xml`<presence from='${juliet.bare}' type='subscribed'/>`,
      push(romeo, juliet, 'to'),
      xml`<presence from='${juliet.full}'/>`,
    )

    juliet.sends(xml`<presence to='${romeo.bare}' type='subscribe'/>`)
    await juliet.receives(
      xml`<iq from='${juliet.bare}' type='set'>
        <query xmlns='jabber:iq:roster' ver='*'><item jid='${romeo.bare}' subscription='from' ask='subscribe'/></query>
      </iq>`,
    )
    await romeo.receives(xml`<presence from='${juliet.bare}' type='subscribe'/>`)
    romeo.sends(xml`<presence to='${juliet.bare}' type='subscribed'/>`)
    await romeo.receives(push(romeo, juliet, 'both'))
    await juliet.receives(
      xml`<presence from='${romeo.bare}' type='subscribed'/>`,
      push(juliet, romeo, 'both'),
      xml`<presence from='${romeo.full}'/>`,
    )

    // Section 3.2: she takes it back; he learns that she is gone from his sight.
    juliet.sends(xml`<presence to='${romeo.bare}' type='unsubscribed'/>`)
    await juliet.receives(push(juliet, romeo, 'to'))
    await romeo.receives(
      xml`<presence from='${juliet.bare}' type='unsubscribed'/>`,
      push(romeo, juliet, 'from'),
      xml`<presence from='${juliet.full}' type='unavailable'/>`,
    )
  }),

  play('a request waits for somebody who is away', { cast }, async ({ romeo, juliet }, stage) => {
    await romeo.connects()
    romeo.sends(xml`<presence to='${juliet.bare}' type='subscribe'/>`)
    await stage.settles()
    await juliet.comesOnline()
    await juliet.receives(xml`<presence from='${romeo.bare}' to='${juliet.bare}' type='subscribe'/>`)
    await juliet.closes()
    // Section 3.1.3: until it is answered.
    await juliet.comesOnline()
    await juliet.receives(xml`<presence from='${romeo.bare}' to='${juliet.bare}' type='subscribe'/>`)
  }),
]
