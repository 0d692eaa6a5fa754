/** The resources of a user side by side: where they are found, what each has for itself, and what goes to all of them. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { jid } from '../jid/jid.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { x } from '../xml/build.ts'
import { bench } from './core.testing.ts'
import type { Session } from './session.ts'

it('SM-01: sessions are found by full JID, by bare JID and by host, and no longer when they have ended', () => {
  const { core, client } = bench()
  const [phone, desk, nurse, juliet] = [
    'romeo@montague.net/phone',
    'romeo@montague.net/desk',
    'nurse@montague.net/phone',
    'romeo@capulet.com/phone',
  ].map((address) => client(address).session)
  assert.ok(phone && desk && nurse && juliet)
  const { sessions } = core
  const onHost = (domain: string | undefined) => {
    const found: Session[] = []
    sessions.each(domain, (session) => found.push(session))
    return found
  }
  for (const session of [phone, desk, nurse, juliet]) assert.equal(sessions.find(session.jid), session)
  // Another object with the same text, another case of the name, and a resource, which has a case of its own.
  assert.equal(sessions.find(jid('ROMEO@Montague.NET/phone')), phone)
  assert.equal(sessions.find(jid('romeo@montague.net/Phone')), undefined)
  assert.equal(sessions.find(jid('romeo@montague.net')), undefined)
  assert.deepEqual(sessions.ofAccount('montague.net', 'romeo'), [phone, desk])
  assert.deepEqual(sessions.ofAccount('capulet.com', 'romeo'), [juliet])
  assert.deepEqual(sessions.ofAccount('capulet.com', 'nurse'), [])
  assert.deepEqual(new Set(onHost('montague.net')), new Set([phone, desk, nurse]))
  assert.deepEqual(onHost('capulet.com'), [juliet])
  assert.equal(onHost(undefined).length, 4)
  phone.close({ reason: 'kicked', detail: '' })
  assert.equal(sessions.find(phone.jid), undefined)
  assert.deepEqual(sessions.ofAccount('montague.net', 'romeo'), [desk])
  desk.close({ reason: 'kicked', detail: '' })
  assert.equal(sessions.isOnline('montague.net', 'romeo'), false)
  assert.equal(sessions.isOnline('montague.net', 'nurse'), true)
})

it('SES-01: each resource has its own presence, priority and counts; the death of one changes nothing of the other', () => {
  const { core, client } = bench()
  const phone = client('romeo@montague.net/phone')
  const desk = client('romeo@montague.net/desk')
  const state = ({ session }: typeof phone) => [session.isAvailable, session.priority, session.received]
  phone.send('<presence><priority>7</priority><status>walking</status></presence>')
  assert.deepEqual(
    [state(phone), state(desk)],
    [
      [true, 7, 1],
      [false, 0, 0],
    ],
  )
  desk.send('<presence><priority>-1</priority></presence>')
  desk.send(`<message to='romeo@montague.net/phone' id='1'/>`)
  const before = state(desk)
  assert.deepEqual(before, [true, -1, 2])
  phone.session.linkEnded({ reason: 'lost', detail: '' })
  assert.equal(core.sessions.find(jid('romeo@montague.net/phone')), undefined)
  assert.deepEqual(state(desk), before)
  assert.equal(desk.link.closed, undefined)
  desk.take()
  desk.send(`<message to='romeo@montague.net/desk' id='2'/>`)
  assert.equal(desk.take()[0]?.attr('id'), '2')
})

it('SM-06: broadcasts to overlapping circles come to everybody in the order in which they were sent', () => {
  const { core, client } = bench()
  const clients = ['romeo@montague.net/1', 'nurse@montague.net/1', 'juliet@capulet.com/1'].map(client)
  for (const one of clients) one.send('<presence/>')
  for (const one of clients) one.take()
  const host = core.host('montague.net')
  assert.ok(host)
  const scopes = [
    { kind: 'server' },
    { kind: 'account', jid: jid('romeo@montague.net') },
    { kind: 'host', host },
    { kind: 'server' },
  ] as const
  const reached = scopes.map((scope, index) =>
    core.broadcast(x('message', NS_CLIENT, { id: String(index) }), jid('montague.net'), scope),
  )
  assert.deepEqual(reached, [3, 1, 2, 3])
  assert.deepEqual(
    clients.map((one) =>
      one
        .take()
        .map((el) => el.attr('id'))
        .join(' '),
    ),
    ['0 1 2 3', '0 2 3', '0 3'],
  )
})
