/**
 * An @xmpp/client that is told what to do on standard input and tells what happens on standard output, in lines of JSON.
 * Arguments: JID, password, port, 'starttls' or 'direct', and what it asks for while it binds ('copies', 'inactive');
 * 'resumes' if it is to come back when its connection is lost (XEP-0198). Trusted roots come with NODE_EXTRA_CA_CERTS.
 */
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { client, jid, xml } from '@xmpp/client'

const [account, password, port, tls, ...asks] = process.argv.slice(2)
const { local, domain, resource } = jid(account)

function tell(event, more = {}) {
  console.log(JSON.stringify({ event, ...more }))
}

const xmpp = client({
  service: `${tls === 'direct' ? 'xmpps' : 'xmpp'}://localhost:${port}`,
  domain,
  username: local,
  password,
  resource,
})
// Milliseconds for an answer; it gives two seconds, and machines that test have much to do.
xmpp.timeout = 20_000
const resumes = asks.includes('resumes')
/** Messages that it was told to say while it had no connection, or that could not be written, by their numbers. */
const kept = new Map()
let said = 0
if (resumes) {
  xmpp.reconnect.delay = 100
  // How soon it takes a silent connection for lost.
  Object.assign(xmpp.streamManagement, { requestAckInterval: 500, timeout: 6000 })
  xmpp.on('disconnect', () => tell('suspended'))
  xmpp.streamManagement.on('resumed', () => {
    // It is online a moment later.
    queueMicrotask(() => {
      const again = [...kept].sort(([one], [other]) => one - other)
      kept.clear()
      for (const [number, stanza] of again) say(stanza, number)
    })
  })
} else xmpp.reconnect.stop()
const inline = { copies: ['urn:xmpp:carbons:2', 'enable'], inactive: ['urn:xmpp:csi:0', 'inactive'] }
for (const [ns, name] of asks.flatMap((one) => (one in inline ? [inline[one]] : []))) {
  xmpp.bind2.use(ns, () => xml(name, ns))
}
let mechanism = ''

xmpp.on('error', (error) => {
  if (resumes && mechanism !== '') {
    // Lost in the middle of a handshake, it would not try again.
    if (xmpp.socket === null && xmpp.status === 'opening') {
      xmpp.status = 'disconnect'
      xmpp.reconnect.scheduleReconnect()
    }
    return
  }
  tell('failed', { why: `${error.code ?? error.name}: ${error.message}` })
  process.exit(1)
})
xmpp.on('send', (el) => {
  if (el.is('auth') || el.is('authenticate')) mechanism = el.attrs.mechanism
})
xmpp.on('online', async (address) => {
  // Not by its `iqCaller`: answers that come to that are not counted (XEP-0198), as of 0.14.
  const answered = new Promise((resolve) =>
    xmpp.on('stanza', (stanza) => stanza.is('iq') && stanza.attrs.id === 'roster' && resolve(stanza)),
  )
  await xmpp.send(xml('iq', { type: 'get', id: 'roster' }, xml('query', 'jabber:iq:roster')))
  const answer = await answered
  const items = answer.getChild('query').getChildren('item')
  const roster = JSON.stringify(Object.fromEntries(items.map(({ attrs }) => [attrs.jid, attrs.subscription])))
  await xmpp.send(xml('presence'))
  tell('online', { jid: String(address), mechanism, roster })
})
xmpp.streamManagement.on('resumed', () => tell('resumed', { jid: String(xmpp.jid), mechanism }))
xmpp.on('disconnect', () => tell('disconnected'))
xmpp.on('stanza', (stanza) => {
  const { from, type } = stanza.attrs
  const copy = stanza.getChildByAttr('xmlns', 'urn:xmpp:carbons:2')
  const original = copy?.getChild('forwarded', 'urn:xmpp:forward:0')?.getChild('message')
  if (original) tell(copy.name, { from: original.attrs.from, to: original.attrs.to, body: original.getChildText('body') })
  else if (stanza.is('message')) tell('message', { from, type, body: stanza.getChildText('body') })
  else if (stanza.is('presence') && jid(from).bare().toString() !== jid(account).bare().toString()) {
    if (type === undefined || type === 'unavailable') {
      tell('presence', { from, type: type ?? 'available', status: stanza.getChildText('status') ?? '' })
    } else tell(type, { from })
  } else if (stanza.is('iq') && type === 'set' && stanza.getChild('query', 'jabber:iq:roster')) {
    const { attrs } = stanza.getChild('query').getChild('item')
    tell('pushed', { jid: attrs.jid, subscription: attrs.subscription })
  }
})

/** @xmpp/client keeps for resumption what was written; what was not is for us to keep. */
function say(stanza, number) {
  if (!resumes) return xmpp.send(stanza)
  if (xmpp.status !== 'online') kept.set(number, stanza)
  else xmpp.send(stanza).catch(() => kept.set(number, stanza))
}

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { do: deed, to, body, status } = JSON.parse(line)
  if (deed === 'say') await say(xml('message', { to, type: 'chat' }, xml('body', {}, body)), said++)
  else if (deed === 'presence') await xmpp.send(xml('presence', {}, xml('status', {}, status)))
  else if (deed === 'cut') {
    // Before it is enabled there is nothing to resume.
    while (!xmpp.streamManagement.enabled) await wait(10)
    const socket = xmpp.socket.socket ?? xmpp.socket
    socket.destroy()
  } else if (deed === 'return') await xmpp.reconnect.reconnect()
  else if (deed === 'active') await xmpp.send(xml('active', 'urn:xmpp:csi:0'))
  else if (deed === 'again') {
    await xmpp.stop()
    await xmpp.start()
  } else if (deed === 'leave') {
    await xmpp.stop()
    tell('offline')
    process.exit(0)
  } else await xmpp.send(xml('presence', { to, type: deed }))
})

xmpp.start().catch(() => {})
