/** XEP-0280 and XEP-0352: an account on several devices, and one that nobody looks at. */
import { play, xml } from './language/index.ts'

const cast = { romeo: 'romeo@localhost/orchard', juliet: 'juliet@localhost/balcony', phone: 'juliet@localhost/phone' }

export default [
  play('both sides of a conversation are on every device that wants them', { cast }, async (actors) => {
    const { romeo, juliet, phone } = actors
    await romeo.connects()
    await juliet.comesOnline()
    await phone.connects()
    phone.sends(xml`<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>`)
    await phone.receives(xml`<iq from='${phone.bare}' type='result' id='c'/>`)

    romeo.sends(xml`<message to='${juliet.full}' type='chat' id='m1'><body>Кто ты?</body></message>`)
    await juliet.receives(xml`<message from='${romeo.full}' type='chat' id='m1'><body>Кто ты?</body></message>`)
    await phone.receives(
      xml`<message from='${phone.bare}' to='${phone.full}' type='chat'>
        <received xmlns='urn:xmpp:carbons:2'>
          <forwarded xmlns='urn:xmpp:forward:0'>
            <message xmlns='jabber:client' from='${romeo.full}' to='${juliet.full}' type='chat' id='m1'>
              <body>Кто ты?</body>
            </message>
          </forwarded>
        </received>
      </message>`,
    )

    juliet.sends(xml`<message to='${romeo.full}' type='chat' id='m2'><body>Neither</body></message>`)
    await romeo.receives(xml`<message from='${juliet.full}' type='chat' id='m2'><body>Neither</body></message>`)
    await phone.receives(
      xml`<message from='${phone.bare}' to='${phone.full}' type='chat'>
        <sent xmlns='urn:xmpp:carbons:2'>
          <forwarded xmlns='urn:xmpp:forward:0'>
            <message xmlns='jabber:client' from='${juliet.full}' to='${romeo.full}' type='chat' id='m2'>
              <body>Neither</body>
            </message>
          </forwarded>
        </sent>
      </message>`,
    )

    romeo.sends(
      xml`<message to='${juliet.full}' type='chat'>
        <body>private</body><private xmlns='urn:xmpp:carbons:2'/><no-copy xmlns='urn:xmpp:hints'/>
      </message>`,
    )
    await juliet.receives(
      xml`<message from='${romeo.full}' type='chat'>
        <body>private</body><private xmlns='urn:xmpp:carbons:2'/><no-copy xmlns='urn:xmpp:hints'/>
      </message>`,
    )
  }),

  play('nobody else makes a copy', { cast }, async ({ romeo, juliet }) => {
    await romeo.connects()
    await juliet.comesOnline()
    romeo.sends(
      xml`<message to='${juliet.full}' type='chat'>
        <received xmlns='urn:xmpp:carbons:2'>
          <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='${juliet.bare}'/></forwarded>
        </received>
      </message>`,
    )
    await romeo.receives(
      xml`<message from='${juliet.full}' type='error'>…
        <error type='auth'>… <forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>
      </message>`,
    )
  }),

  play(
    'a client that nobody looks at is sent the last presence when somebody does',
    { cast },
    async (actors, stage) => {
      const { romeo, juliet } = actors
      await romeo.connects()
      await juliet.comesOnline()
      juliet.sends(xml`<inactive xmlns='urn:xmpp:csi:0'/>`)
      await stage.settles()
      for (const show of ['away', 'xa']) romeo.sends(xml`<presence to='${juliet.full}'><show>${show}</show></presence>`)
      await stage.settles()
      juliet.sends(
        xml`<active xmlns='urn:xmpp:csi:0'/>`,
        xml`<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`,
      )
      await juliet.receives(
        xml`<presence from='${romeo.full}'>
        <show>xa</show><delay xmlns='urn:xmpp:delay' from='localhost' stamp='*'/>
      </presence>`,
      )
      await juliet.receives(xml`<iq from='localhost' type='result' id='p'/>`)

      juliet.sends(xml`<inactive xmlns='urn:xmpp:csi:0'/>`)
      await stage.settles()
      romeo.sends(
        xml`<presence to='${juliet.full}'><show>dnd</show></presence>`,
        xml`<message to='${juliet.full}' type='chat'><body>urgent</body></message>`,
      )
      await juliet.receives(
        xml`<presence from='${romeo.full}'>
        <show>dnd</show><delay xmlns='urn:xmpp:delay' from='localhost' stamp='*'/>
      </presence>`,
      )
      await juliet.receives(xml`<message from='${romeo.full}' type='chat'><body>urgent</body></message>`)
    },
  ),
]
