/**
 * A client that waits for nothing, over Node's own TLS and a socket of the system: header, sign-in by SASL2, binding and the first
 * stanzas in one flight (XEP-0388, XEP-0386), and its session again in another (XEP-0198 section 9.2).
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, it } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import { type Served, serveWith } from '../listeners.testing.ts'

const SM = `xmlns='urn:xmpp:sm:3'`
const stream = `<stream:stream from='romeo@localhost' to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`
const ping = (id: string) => `<iq type='get' id='${id}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`
const toSelf = (id: string) => `<message to='romeo@localhost' type='chat' id='${id}'><body>x</body></message>`

function flight(inside: string, behind: string): string {
  const response = `<initial-response>${btoa('\0romeo\0secret')}</initial-response>`
  const bind = `<bind xmlns='urn:xmpp:bind:0'><tag>Quick</tag><enable ${SM} resume='true'/></bind>`
  return `${stream}<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>${response}${inside}${bind}</authenticate>${behind}`
}

let served: Served
before(async () => {
  served = await serveWith({
    listeners: [{ name: 'direct', protocol: 'c2s', tls: 'direct', address: '127.0.0.1', port: 0 }],
  })
})
after(() => served[Symbol.asyncDispose]())

/** What came until this did, and the socket. */
async function flies(text: string, until: RegExp): Promise<{ readonly all: string; readonly socket: TLSSocket }> {
  const place = served.place('direct')
  assert.ok(place.kind === 'tcp')
  const to = { host: '127.0.0.1', port: place.port, servername: 'localhost', ca: served.ca }
  const socket = connect({ ...to, ALPNProtocols: ['xmpp-client'] })
  // With the end of the handshake.
  socket.write(text)
  let all = ''
  while (!until.test(all)) {
    const [bytes] = await once(socket, 'data')
    all += bytes
  }
  return { all, socket }
}

it('one flight signs in, binds and is answered; another goes on with the session', async () => {
  // The message waits for what is kept for the account, which presence asks for.
  const answered = /^(?=.*<a [^>]*h='3'\/>)(?=.*<message [^>]*id='m')/s
  const first = await flies(flight('', `<presence/>${toSelf('m')}${ping('p')}<r ${SM}/>`), answered)
  const order = /<\/stream:features><success .*<bound [^>]*><enabled .*<\/success><stream:features.*<presence .*id='p'/
  assert.match(first.all, order)
  const address = /<authorization-identifier>(romeo@localhost\/Quick\/[^<]+)</.exec(first.all)?.[1] ?? assert.fail()
  const id = /<enabled [^>]* id='([^']*)'/.exec(first.all)?.[1] ?? assert.fail()
  // Presence, message and answer: he has had the first of them.
  first.socket.destroy()
  const resume = `<resume ${SM} previd='${id}' h='1'/>`
  const second = await flies(flight(resume, `${ping('q')}<r ${SM}/>`), /<a [^>]*\/>/)
  const behind = second.all.slice(second.all.indexOf('<success '))
  assert.ok(
    behind.includes(`<authorization-identifier>${address}</authorization-identifier><resumed ${SM} h='3'`),
    behind,
  )
  assert.doesNotMatch(behind, /<stream:features|<bound |<presence /)
  assert.match(behind, /<\/success>.*<message [^>]*id='m'.*<iq [^>]*id='q'.*<a [^>]*h='4'\/>$/)
  second.socket.destroy()
})

it('one flight with a wrong password gets its failure, and what is behind it is of nobody', async () => {
  const { all, socket } = await flies(
    flight('', toSelf('never')).replace(btoa('\0romeo\0secret'), btoa('\0romeo\0wrong')),
    /<\/stream:stream>/,
  )
  assert.match(all, /<failure [^>]*><not-authorized .*<stream:error><not-authorized /)
  assert.doesNotMatch(all, /never|<success /)
  socket.destroy()
})
