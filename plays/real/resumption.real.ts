// needs: slixmpp aioxmpp profanity pyte
/**
 * Resumption (XEP-0198) with foreign clients: numbered messages go both ways while the road to the server breaks in every
 * way roads break. Each arrives once and in its place, and the session stays the one it was.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Place } from '../../tools/real/foreign.ts'
import type { Actor } from '../language/actor.ts'
import { xml } from '../language/index.ts'
import { ForeignClient, type Kind } from './foreign-client.ts'
import { Profanity, until } from './profanity.ts'
import { type Break, Relay } from './relay.ts'
import { Started } from './started.ts'

/** Messages each way, and how many may be on the way at a time. */
const count = 210
const window = 20

const breaks: readonly Break[] = [
  { end: 'reset' },
  // The server handled what came, and its acknowledgements are lost: nothing may be handled twice.
  { loses: { ways: ['down'], bytes: 200 }, end: 'reset' },
  // What the client sent is lost on the way.
  { loses: { ways: ['up'], bytes: 500 }, end: 'reset' },
  // The client comes back before the server knows that it went.
  { loses: { ways: ['up', 'down'], bytes: 500 }, end: 'left' },
  // The client finds out by itself that nobody answers.
  { end: 'silent' },
]

/**
 * Connections that are cut when so many bytes came down: a TLS handshake takes some 1,200 to 2,300, and what was resumed
 * comes after 3,300 to 4,400. @xmpp/client gives up its session if it is cut between <resumed/> and what it sends again.
 */
const shortLives = [2700, 3800]

/** Both go on until all is said; the road breaks whenever so many messages went both ways. */
async function converse(relay: Relay, romeo: ForeignClient, juliet: Actor): Promise<void> {
  const every = count / (breaks.length + 2)
  const says = (n: number) => {
    if (n >= count) return
    romeo.says(juliet.full, `${n}`)
    juliet.sends(xml`<message to='${romeo.jid}' type='chat'><body>${n}</body></message>`)
  }
  for (let n = 0; n < window; n++) says(n)
  for (let n = 0; n < count; n++) {
    await juliet.receives(xml`<message from='${romeo.jid}' type='chat'>… <body>${n}</body>…</message>`)
    await romeo.hears('message', { from: juliet.full, type: 'chat', body: `${n}` })
    const how = breaks[n / every - 1]
    if (how !== undefined) relay.breaks(how)
    // Then in short order: it breaks again while the client is signing in, and while it resumes.
    if (n / every - 1 === breaks.length) {
      relay.willBreak(...shortLives)
      relay.breaks({ end: 'reset' })
    }
    says(n + window)
  }
}

async function resumes(server: Started, place: Place, kind: Kind, account: string): Promise<void> {
  using relay = await Relay.start(server.ports.starttls)
  const juliet = server.actor('juliet', `juliet@localhost/${kind}`)
  await juliet.connects()
  const as = `${account}@localhost/orchard`
  const romeo = ForeignClient.start(kind, place, server, as, 'starttls', server.ca, ['resumes'], relay.port)
  await romeo.comesOnline()
  const [session] = await server.sessions(`${account}@localhost`)

  await converse(relay, romeo, juliet).catch((error: Error) => {
    error.message += `\n${relay.made} connections; of ${kind}:\n${romeo.process.output.slice(-3000)}`
    throw error
  })

  // Nothing comes behind the last.
  romeo.says(juliet.full, 'the end')
  await juliet.receives(xml`<message from='${romeo.jid}' type='chat'>… <body>the end</body>…</message>`)
  juliet.sends(xml`<message to='${romeo.jid}' type='chat'><body>the end</body></message>`)
  await romeo.hears('message', { from: juliet.full, type: 'chat', body: 'the end' })
  const numbers = Array.from({ length: count }, (_, n) => `${n}`)
  assert.deepEqual(romeo.heard, [...numbers, 'the end'])
  await juliet.catchesUp()
  assert.deepEqual(juliet.unread, [])

  // It was one session all the time, and came back after each break.
  assert.ok(relay.made >= breaks.length + shortLives.length + 2, `${relay.made} connections: ${romeo.process.output}`)
  assert.ok(romeo.count('resumed') >= breaks.length + 1, romeo.process.output)
  assert.equal(romeo.count('online'), 1)
  const now = await server.sessions(`${account}@localhost`)
  assert.deepEqual(
    now.map(({ jid }) => jid),
    [session?.['jid']],
  )
  await romeo.leaves()
  await juliet.closes()
}

describe('resumption', { concurrency: true }, async () => {
  const kinds = { slixmpp: 'romeo', aioxmpp: 'tybalt', 'xmpp-js': 'paris' } as const
  for (const [kind, account] of Object.entries(kinds)) {
    it(`SES-09: ${kind} resumes after every break of the road, and each message arrives once`, async () => {
      await using place = new Place('real-resumption')
      const server = await Started.start(place, ['juliet', account])
      await resumes(server, place, kind as Kind, account)
    })
  }

  it('profanity resumes, and what came meanwhile arrives once', profanityResumes)
})

/**
 * libstrophe 0.12.2 counts what it could not write, and does not send that again: after a break while he speaks it and
 * the server disagree for good. So he speaks only while the road holds. That nobody answers it does not find out by itself:
 * behind a resumption profanity 0.13.1 pings no more.
 */
async function profanityResumes(): Promise<void> {
  await using place = new Place('real-resumption')
  const server = await Started.start(place, ['juliet', 'mercutio'])
  using relay = await Relay.start(server.ports.starttls)
  const juliet = server.actor('juliet', 'juliet@localhost/profanity')
  await juliet.comesOnline()
  const mercutio = Profanity.start(place, server, 'mercutio@localhost/orchard', 'starttls', server.ca, relay.port)
  await mercutio.comesOnline()
  const numbers: string[] = []
  const speaks = () => {
    const n = `${numbers.length}`
    numbers.push(n)
    juliet.sends(xml`<message to='${mercutio.jid}' type='chat'><body>${n}</body></message>`)
  }
  const down: Break = { loses: { ways: ['down'], bytes: 200 }, end: 'reset' }
  const ends: readonly Break[] = [{ end: 'reset' }, down, { end: 'left' }, { end: 'reset' }]
  for (const [times, how] of ends.entries()) {
    for (let n = 0; n < 5; n++) {
      speaks()
      mercutio.says(juliet.bare, `${times} ${n}`)
      await juliet.receives(xml`<message from='${mercutio.jid}' type='chat'>… <body>${times} ${n}</body>…</message>`)
    }
    for (let n = 0; n < window; n++) speaks()
    relay.breaks(how)
    for (let n = 0; n < window; n++) speaks()
    await until(`resumed ${times + 1} times`, () => mercutio.received('<resumed ') > times)
    await mercutio.hears('juliet@localhost', numbers.at(-1) ?? '')
    assert.deepEqual(mercutio.heard('juliet@localhost'), numbers)
  }
  assert.equal(mercutio.received('<enabled '), 1)
  assert.equal(mercutio.received('<resumed '), ends.length)
  assert.equal(await mercutio.leaves(), 0)
  await juliet.catchesUp()
  assert.deepEqual(juliet.unread, [])
}
