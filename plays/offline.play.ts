/** XEP-0160 and XEP-0203: messages that wait. */
import { play, xml } from './language/index.ts'

const cast = { romeo: 'romeo@localhost/orchard', juliet: 'juliet@localhost/balcony', phone: 'juliet@localhost/phone' }

export default [
  play('what came while she was away comes first, in order, with its time', { cast }, async (actors, stage) => {
    const { romeo, juliet } = actors
    await romeo.connects()
    for (const n of [1, 2, 3]) romeo.sends(xml`<message to='${juliet.bare}' type='chat'><body>${n}</body></message>`)
    romeo.sends(xml`<message to='${juliet.bare}' type='headline'><body>not kept</body></message>`)
    romeo.sends(
      xml`<message to='${juliet.bare}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
    )
    await stage.settles()
    await juliet.comesOnline()
    for (const n of [1, 2, 3]) {
      await juliet.receives(
        xml`<message from='${romeo.full}' to='${juliet.bare}' type='chat'>
          <body>${n}</body>
          <delay xmlns='urn:xmpp:delay' from='localhost' stamp='*'>Offline Storage</delay>
        </message>`,
      )
    }
    // Until the hand-over has ended, what comes joins it.
    while (stage.server.core.sessions.find(juliet.jid)?.takesMessages === false) await stage.settles()
    romeo.sends(xml`<message to='${juliet.bare}' type='chat'><body>live</body></message>`)
    await juliet.receives(xml`<message from='${romeo.full}' type='chat'><body>live</body></message>`)
  }),

  play('each waiting message is handed over once', { cast }, async ({ romeo, juliet, phone }, stage) => {
    await romeo.connects()
    romeo.sends(xml`<message to='${juliet.bare}'><body>once</body></message>`)
    await stage.settles()
    await juliet.comesOnline(xml`<presence><priority>-5</priority></presence>`)
    await phone.comesOnline()
    await juliet.receives(xml`<presence from='${phone.full}'/>`)
    await phone.receives(
      xml`<presence from='${juliet.full}'><priority>-5</priority></presence>`,
      xml`<message from='${romeo.full}'><body>once</body><delay xmlns='urn:xmpp:delay' from='localhost' stamp='*'>*</delay></message>`,
    )
    await phone.closes()
    await juliet.receives(xml`<presence from='${phone.full}' type='unavailable'/>`)
    juliet.sends(xml`<presence/>`)
    await juliet.receives(xml`<presence from='${juliet.full}'/>`)
  }),
]
