/** `ratatosk/test`: the same few lines over sockets and in virtual time. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { inVirtualTime, startTestServer, type TestServer } from '../test.ts'

const accounts = { 'juliet@capulet.example': 'balcony', 'romeo@montague.example': 'orchard' }

async function chat(server: TestServer): Promise<void> {
  const juliet = await server.connect('juliet@capulet.example/balcony')
  const romeo = await server.connect('romeo@montague.example', { tls: 'direct' })
  juliet.send('<presence/>')
  await juliet.receive((el) => el.name === 'presence')
  romeo.send(`<message to='juliet@capulet.example' type='chat'><body>But, soft!</body></message>`)
  const message = await juliet.receive((el) => el.name === 'message')
  assert.equal(message.child('body', 'jabber:client')?.text, 'But, soft!')
  assert.equal(message.attr('from'), romeo.jid)
  const answer = await romeo.request(`<iq type='get' to='montague.example'><ping xmlns='urn:xmpp:ping'/></iq>`)
  assert.equal(answer.attr('type'), 'result')
  assert.equal((await romeo.close()).kind, 'local')
}

it('chats over sockets', async () => {
  await using server = await startTestServer({ accounts })
  await chat(server)
})

it('chats in virtual time, the same way for the same seed', async () => {
  const run = (seed: number) =>
    inVirtualTime({ accounts, seed }, async (server, time) => {
      await chat(server)
      return time.now()
    })
  assert.equal(await run(7), await run(7))
})

it('lets an hour pass in a moment', async () => {
  const before = performance.now()
  await inVirtualTime({ accounts }, async (_server, time) => {
    await time.advance(3_600_000)
    assert.ok(time.now() >= 3_600_000)
  })
  assert.ok(performance.now() - before < 30_000)
})

it('says why a client cannot connect, and what came instead of what was wanted', async () => {
  await inVirtualTime({ accounts }, async (server) => {
    await assert.rejects(server.connect('juliet@capulet.example', { password: 'wrong' }), /not-authorized/)
    const romeo = await server.connect('romeo@montague.example')
    romeo.send('<presence/>')
    await assert.rejects(
      romeo.receive((el) => el.name === 'message'),
      /nothing came; unread: <presence/,
    )
  })
})
