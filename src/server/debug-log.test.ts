/** What a log at level debug tells of a sign-in and of a stanza that cannot be routed, and what it never tells. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { startTestServer } from '../test.ts'
import { openLog } from '../world/log.ts'

const password = 'correct horse battery'
const guess = 'wrong horse battery'

it('tells sign-ins and refused stanzas at debug, without a secret', async () => {
  for (const format of ['json', 'text'] as const) {
    let text = ''
    const log = await openLog({
      level: 'debug',
      format,
      write: (part) => {
        text += part
      },
    })
    const account = { 'juliet@localhost': password }
    await using server = await startTestServer({ accounts: account, log })
    await assert.rejects(server.connect('juliet@localhost', { password: guess }), /not-authorized/)
    const juliet = await server.connect('juliet@localhost/balcony')
    juliet.send(`<message to='romeo@elsewhere.example' type='chat'><body>the body of a chat</body></message>`)
    const bounce = await juliet.receive((el) => el.attr('type') === 'error')
    assert.ok(bounce.child('error') !== undefined)
    // The administration, too, is trusted with secrets.
    const caller = { name: 'test', permits: () => true, signal: new AbortController().signal }
    const args = { jid: 'nurse@localhost', password: 'a secret of the nurse' }
    assert.ok((await server.server.commands.call('account add', args, caller)).ok)
    assert.ok((await server.server.commands.call('account list', {}, caller)).ok)
    assert.ok(!(await server.server.commands.call('account add', args, caller)).ok)
    await server.close()

    for (const told of [
      /info.*a sign-in failed/i,
      /debug.*a sign-in succeeded/i,
      /debug.*a resource was bound/i,
      /debug.*stanza refused/i,
      /debug.*a session ended/i,
      /info.*account add.*a command was run|info.*a command was run.*account add/i,
      /debug.*account list.*a command was run|debug.*a command was run.*account list/i,
      /info.*RTK_ACCOUNT_EXISTS.*a command was refused|info.*a command was refused.*RTK_ACCOUNT_EXISTS/i,
    ]) {
      assert.match(text, told)
    }
    const refused = text.split('\n').find((line) => line.includes('stanza refused')) ?? ''
    for (const part of ['remote-server-not-found', 'romeo@elsewhere.example', 'juliet@localhost/balcony', 'RTK_']) {
      assert.ok(refused.includes(part), `${part} in ${refused}`)
    }
    const secrets = [password, guess, 'a secret of the nurse', 'the body of a chat']
    const forms = secrets.flatMap((secret) => [
      secret,
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
      Buffer.from(`\0juliet\0${secret}`).toString('base64').replace(/=+$/, ''),
      Buffer.from(secret).toString('hex'),
    ])
    for (const form of forms) assert.ok(!text.includes(form), `the log holds ${form}`)
    assert.doesNotMatch(text, /SaltedPassword|StoredKey|ServerKey|[,"]p=[A-Za-z0-9+/]{20}/)
  }
})
