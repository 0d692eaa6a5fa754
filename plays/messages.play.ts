/** RFC 6121 sections 5 and 8.5: messages, and what becomes of those that nobody takes. */
import { play, xml } from './language/index.ts'

const cast = { romeo: 'romeo@localhost/orchard', juliet: 'juliet@localhost/balcony' }
const twoJuliets = { ...cast, phone: 'juliet@localhost/phone' }

export default [
  play('a message to a full JID', { cast }, async ({ romeo, juliet }) => {
    await romeo.connects()
    await juliet.connects()
    romeo.sends(
      xml`<message to='${juliet.full}' type='chat' id='1' xml:lang='it'>
        <body>È &lt;amore&gt; &amp; « Ромео » 🌹</body>
        <thread>e0ffe42b</thread>
      </message>`,
    )
    await juliet.receives(
      xml`<message from='${romeo.full}' to='${juliet.full}' type='chat' id='1' xml:lang='it'>
        <body>È &lt;amore&gt; &amp; « Ромео » 🌹</body>
        <thread>e0ffe42b</thread>
      </message>`,
    )
  }),

  play('SES-09: messages keep their order', { cast }, async ({ romeo, juliet }) => {
    await romeo.connects()
    await juliet.connects()
    const body = (n: number) => `${n} ${'x'.repeat(n * 37)}`
    for (let n = 0; n < 200; n++) romeo.sends(xml`<message to='${juliet.full}'><body>${body(n)}</body></message>`)
    for (let n = 0; n < 200; n++) {
      await juliet.receives(xml`<message from='${romeo.full}'><body>${body(n)}</body></message>`)
    }
  }),

  // Section 8.5.2.1.1: one of the most available resources, or all of them; ours takes all with the highest priority.
  play('a chat to a bare JID reaches the resource with the highest priority', { cast: twoJuliets }, async (actors) => {
    const { romeo, juliet, phone } = actors
    await romeo.connects()
    await juliet.comesOnline(xml`<presence><priority>5</priority></presence>`)
    await phone.comesOnline(xml`<presence><priority>1</priority></presence>`)
    await juliet.receives(xml`<presence from='${phone.full}'><priority>1</priority></presence>`)
    await phone.receives(xml`<presence from='${juliet.full}'><priority>5</priority></presence>`)
    romeo.sends(xml`<message to='${juliet.bare}' type='chat'><body>Hist!</body></message>`)
    await juliet.receives(
      xml`<message from='${romeo.full}' to='${juliet.bare}' type='chat'><body>Hist!</body></message>`,
    )
    romeo.sends(xml`<message to='${juliet.bare}' type='headline'><body>News</body></message>`)
    await juliet.receives(xml`<message from='${romeo.full}' type='headline'><body>News</body></message>`)
    await phone.receives(xml`<message from='${romeo.full}' type='headline'><body>News</body></message>`)
  }),

  play('a resource with negative priority gets only what names it', { cast }, async ({ romeo, juliet }) => {
    await romeo.connects()
    await juliet.comesOnline(xml`<presence><priority>-1</priority></presence>`)
    romeo.sends(xml`<message to='${juliet.bare}' type='headline'><body>for any</body></message>`)
    romeo.sends(xml`<message to='${juliet.full}' type='headline'><body>for this one</body></message>`)
    await juliet.receives(xml`<message from='${romeo.full}' type='headline'><body>for this one</body></message>`)
  }),

  // Section 8.5.3.2.1: a chat to a resource that left goes on as if to the account; other types come back.
  play('a message to a resource that is gone', { cast: twoJuliets }, async ({ romeo, juliet, phone }, stage) => {
    await romeo.connects()
    await phone.comesOnline()
    // Until what waited was handed over, and be it nothing, what comes joins it.
    while (stage.server.core.sessions.find(phone.jid)?.takesMessages === false) await stage.settles()
    romeo.sends(xml`<message to='${juliet.full}' type='chat'><body>Art thou gone?</body></message>`)
    await phone.receives(
      xml`<message from='${romeo.full}' to='${juliet.full}' type='chat'><body>Art thou gone?</body></message>`,
    )
    romeo.sends(xml`<message to='${juliet.full}' id='2'><body>normal</body></message>`)
    await romeo.receives(
      xml`<message from='${juliet.full}' id='2' type='error'>…
        <error type='cancel'>… <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>
      </message>`,
    )
  }),

  play('an unknown domain and an unknown account', { cast, strangers: ['juliet@localhost'] }, async ({ romeo }) => {
    await romeo.connects()
    romeo.sends(xml`<message to='nurse@verona.example' id='1'><body>?</body></message>`)
    await romeo.receives(
      xml`<message from='nurse@verona.example' id='1' type='error'>…
        <error type='cancel'>… <remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>
      </message>`,
    )
    romeo.sends(xml`<message to='juliet@localhost' id='2' type='chat'><body>?</body></message>`)
    await romeo.receives(
      xml`<message from='juliet@localhost' id='2' type='error'>…
        <error type='cancel'>… <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>
      </message>`,
    )
    // RFC 6121 section 8.5.1: nobody learns by presence or an error that there is no such account.
    romeo.sends(xml`<message to='juliet@localhost' type='error'><body>?</body></message>`)
    romeo.sends(xml`<presence to='juliet@localhost'/>`)
    romeo.sends(xml`<iq to='juliet@localhost' type='get' id='3'><query xmlns='jabber:iq:version'/></iq>`)
    await romeo.receives(
      xml`<iq from='juliet@localhost' id='3' type='error'>…
        <error type='cancel'>… <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>
      </iq>`,
    )
  }),

  // RFC 6120 sections 8.1.2.1: the server says who sends; a client may not say otherwise.
  play('SES-08: a sender cannot pretend to be another', { cast }, async ({ romeo, juliet }) => {
    await romeo.connects()
    await juliet.connects()
    romeo.sends(xml`<message from='${romeo.bare}' to='${juliet.full}'><body>bare is allowed</body></message>`)
    await juliet.receives(xml`<message from='${romeo.full}'><body>bare is allowed</body></message>`)
    romeo.sends(xml`<message from='${juliet.full}' to='${juliet.full}'><body>it is you</body></message>`)
    await romeo.isClosed('invalid-from')
  }),

  play('two hosts of one server', { cast: { ...cast, tybalt: 'tybalt@capulet.example/sword' } }, async (actors) => {
    const { romeo, tybalt } = actors
    await romeo.connects()
    await tybalt.connects()
    tybalt.sends(xml`<message to='${romeo.full}' type='chat'><body>thou art a villain</body></message>`)
    await romeo.receives(xml`<message from='${tybalt.full}' type='chat'><body>thou art a villain</body></message>`)
  }),
]
