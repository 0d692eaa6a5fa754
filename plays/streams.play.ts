/** RFC 6120: how streams begin, are secured, and end. */
import assert from 'node:assert/strict'
import { jid } from '../src/jid/index.ts'
import { header, play, xml } from './language/index.ts'

const cast = { romeo: 'romeo@localhost/orchard', juliet: 'juliet@localhost/balcony' }

/** How the server says that somebody signed in. */
const mechanismOf = (stage: Parameters<ReturnType<typeof play>['act']>[1], full: string) =>
  stage.server.core.sessions.find(jid(full))?.info.auth

export default [
  play('the client closes its stream', { cast }, async ({ romeo, juliet }, stage) => {
    await romeo.comesOnline()
    await juliet.comesOnline()
    romeo.sends(
      xml`<presence to='${juliet.full}'/>`,
      xml`<message to='${juliet.full}'><body>last words</body></message>`,
    )
    await romeo.closes()
    await juliet.receives(xml`<presence from='${romeo.full}'/>`)
    await juliet.receives(xml`<message from='${romeo.full}'><body>last words</body></message>`)
    await juliet.receives(xml`<presence from='${romeo.full}' type='unavailable'/>`)
    assert.ok(stage.server.core.sessions.find(romeo.jid) === undefined)
  }),

  play('the server closes all streams when it stops', { cast }, async ({ romeo, juliet }, stage) => {
    await romeo.connects()
    await juliet.comesOnline()
    const stopped = stage.server.close()
    await romeo.isClosed('system-shutdown')
    await juliet.isClosed('system-shutdown')
    await stopped
  }),

  play('an account that is removed is signed out', { cast }, async ({ romeo, juliet }, stage) => {
    await romeo.connects()
    await juliet.connects()
    await stage.server.accounts.remove(jid(juliet.bare))
    await juliet.isClosed('not-authorized')
    await juliet.isRefused('not-authorized')
    await romeo.catchesUp()
  }),

  play('a client that was cut off comes back', { cast, only: 'simulated' }, async ({ romeo, juliet }, stage) => {
    await juliet.comesOnline()
    await romeo.comesOnline()
    romeo.sends(xml`<presence to='${juliet.full}'/>`)
    await juliet.receives(xml`<presence from='${romeo.full}'/>`)
    stage.cuts(romeo)
    await romeo.isCutOff()
    await juliet.receives(xml`<presence from='${romeo.full}' type='unavailable'/>`)
    await romeo.comesOnline()
    juliet.sends(xml`<message to='${romeo.full}'><body>there thou art</body></message>`)
    await romeo.receives(xml`<message from='${juliet.full}'><body>there thou art</body></message>`)
  }),

  play('LST-01: STARTTLS stands alone and comes before everything (section 5.3.1)', { cast }, async (_, stage) => {
    const wire = await stage.wire()
    wire.says(header('localhost'))
    const features = await wire.hears(/<\/stream:features>/)
    assert.match(features, /<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required\/><\/starttls>/)
    assert.doesNotMatch(features, /mechanism/)
    wire.says("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    await wire.hears(/<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'\/>/)
    await wire.secures({ servername: 'localhost', alpn: [], ca: stage.ca, verify: true })
    wire.says(header('localhost'))
    const secured = await wire.hears(/<\/stream:features>/)
    assert.match(secured, /<mechanism>SCRAM-SHA-512-PLUS<\/mechanism>.*<mechanism>PLAIN<\/mechanism>/)
    assert.doesNotMatch(secured, /starttls/)
    wire.says('</stream:stream>')
    await wire.hears(/<\/stream:stream>/)
    await wire.isClosed()
  }),

  play('LST-01, AUTH-01: PLAIN is refused before TLS (section 6.5.4)', { cast }, async (_, stage) => {
    const wire = await stage.wire()
    wire.says(header('localhost'))
    await wire.hears(/<\/stream:features>/)
    wire.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHJvbWVvAHg=</auth>")
    await wire.hears(/<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><encryption-required\/>/)
    wire.closes()
  }),

  // Seen of slixmpp 1.8.3: tls-unique on TLS 1.3, then `y` for the mechanisms without -PLUS (RFC 5802 section 6).
  play('a client that knows other channel bindings only comes to PLAIN', { cast }, async (_, stage) => {
    const wire = await stage.wire('direct')
    await wire.secures({ servername: 'localhost', alpn: [], ca: stage.ca, verify: true })
    wire.says(header('localhost'))
    await wire.hears(/<\/stream:features>/)
    const auth = (mechanism: string, text: string) =>
      wire.says(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='${mechanism}'>${btoa(text)}</auth>`)
    const hashes = ['SHA-512', 'SHA-256', 'SHA-1']
    for (const hash of hashes) auth(`SCRAM-${hash}-PLUS`, 'p=tls-unique,,n=romeo,r=0698')
    for (const hash of hashes) auth(`SCRAM-${hash}`, 'y,,n=romeo,r=0698')
    for (let n = 0; n < 6; n++) await wire.hears(/<not-authorized\/>/)
    auth('PLAIN', '\0romeo\0the password of romeo')
    await wire.hears(/<success /)
    wire.closes()
  }),

  play('AUTH-10: guesses at a password come to an end (section 6.4.5)', { cast }, async (_, stage) => {
    const wire = await stage.wire('direct')
    await wire.secures({ servername: 'localhost', alpn: [], ca: stage.ca, verify: true })
    wire.says(header('localhost'))
    await wire.hears(/<\/stream:features>/)
    const plain = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${btoa('\0romeo\0guess')}</auth>`
    for (let n = 0; n < 3; n++) {
      wire.says(plain)
      await wire.hears(/<not-authorized\/>/)
    }
    await wire.hears(/<policy-violation /)
    await wire.isClosed()
  }),

  play('AUTH-10: a wrong password and an unknown name are refused alike', { cast }, async ({ romeo }) => {
    await romeo.isRefused('not-authorized', { password: 'the password of juliet' })
    await romeo.isRefused('not-authorized', { as: 'paris@localhost' })
    await romeo.isRefused('host-unknown', { as: 'romeo@verona.example', tls: 'none' })
    await romeo.connects()
  }),

  play('nobody trusts a server with another name', { cast }, async ({ romeo }) => {
    await romeo.isRefused('ERR_TLS_CERT_ALTNAME_INVALID', { as: 'romeo@verona.example', tls: 'direct' })
  }),

  play('direct TLS, and a name that the server makes', { cast }, async ({ romeo }) => {
    await romeo.connects({ tls: 'direct', as: 'romeo@localhost', sasl: { profile: 'rfc6120' } })
    assert.match(romeo.resource, /^.{8,}$/)
  }),

  play('XEP-0388: whoever wants a resource of his own binds it by RFC 6120', { cast }, async ({ romeo, juliet }) => {
    await romeo.connects()
    assert.ok(romeo.client.success !== undefined && !romeo.client.success.hasChild('bound', 'urn:xmpp:bind:0'))
    assert.equal(romeo.full, 'romeo@localhost/orchard')
    await juliet.connects({ sasl: { profile: 'rfc6120' } })
    assert.equal(juliet.client.success, undefined)
  }),

  play('XEP-0386: one go to a resource that stays the same', { cast }, async ({ romeo, juliet }) => {
    const agent = { id: 'd4565fa7-4d72-4749-b3d3-740edbf87770', software: 'play', device: 'a stage' }
    const phone = { as: 'romeo@localhost', sasl: { agent, tag: 'phone' } }
    await romeo.connects(phone)
    const { full } = romeo
    assert.match(full, /^romeo@localhost\/phone\/[\w-]{11}$/)
    await juliet.comesOnline()
    romeo.sends(xml`<presence to='${juliet.full}'/>`)
    await juliet.receives(xml`<presence from='${full}'/>`)
    await romeo.vanishes()
    await juliet.receives(xml`<presence from='${full}' type='unavailable'/>`)
    await romeo.connects(phone)
    assert.equal(romeo.full, full)
  }),

  play(
    'XEP-0386: the same client comes again before its old connection is gone',
    { cast },
    async ({ romeo, juliet }) => {
      const agent = { id: 'd4565fa7-4d72-4749-b3d3-740edbf87770', software: '', device: '' }
      await romeo.connects({ as: 'romeo@localhost', sasl: { agent } })
      await juliet.connects({ as: 'romeo@localhost', sasl: { agent } })
      await romeo.isClosed('conflict')
      assert.equal(juliet.full, romeo.full)
    },
  ),

  play(
    'AUTH-05: SCRAM is bound to the channel; without a binding it goes too',
    { cast },
    async ({ romeo, juliet }, stage) => {
      await romeo.connects({ tls: 'direct' })
      assert.equal(mechanismOf(stage, romeo.full), 'SCRAM-SHA-512-PLUS')
      await juliet.connects({ sasl: { bindsChannel: false } })
      assert.equal(mechanismOf(stage, juliet.full), 'SCRAM-SHA-512')
    },
  ),

  // RFC 9266: the data are those of this very connection, as the TLS library exports them.
  play(
    'AUTH-05: SCRAM-PLUS with tls-exporter on TLS 1.3',
    { cast, only: 'sockets' },
    async ({ romeo, juliet }, stage) => {
      for (const [actor, tls] of [
        [romeo, 'direct'],
        [juliet, 'starttls'],
      ] as const) {
        await actor.connects({ tls })
        assert.equal(actor.client.transport.tls?.protocol, 'TLSv1.3')
        assert.equal(actor.client.transport.tls?.channelBinding('tls-exporter')?.length, 32)
        assert.equal(mechanismOf(stage, actor.full), 'SCRAM-SHA-512-PLUS')
      }
    },
  ),
]
