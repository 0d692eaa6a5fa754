import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SymbolicServer } from '../listeners/symbolic.testing.ts'
import { StreamError } from '../stanza/error.ts'
import { groundOf, listener } from './limits.testing.ts'

test('a session that is kicked with a reason that no XML may hold ends', () =>
  SymbolicServer.run({ listeners: [listener] }, async (symbolic) => {
    const ground = groundOf(symbolic, 'none')
    const romeo = await ground.bound('romeo')
    const { server } = symbolic
    const caller = { name: 'test', permits: () => true, signal: new AbortController().signal, input: undefined }
    const args = { jid: 'romeo@localhost', reason: 'too \u0007 loud' }
    const outcome = await server.commands.run('session kick', args, caller, () => undefined)
    assert.equal(outcome.ok, true)
    await romeo.hears(/<policy-violation [^>]*><text [^>]*>too \ufffd loud/)
    await romeo.isClosed()
    assert.equal(server.core.sessions.count(), 0)
  }))

test('a session ends even if its error cannot be told: whoever made that error hears of it', () =>
  SymbolicServer.run({ listeners: [listener] }, async (symbolic) => {
    const ground = groundOf(symbolic, 'none')
    const romeo = await ground.bound('romeo')
    const { sessions } = symbolic.server.core
    const [session] = sessions.ofAccount('localhost', 'romeo')
    const application = { name: 'no name', ns: 'urn:x' }
    const error = new StreamError('RTK_TEST', 'policy-violation', undefined, undefined, { application })
    assert.throws(() => session?.close({ reason: 'kicked', detail: '' }, error), { code: 'RTK_XML_ILLEGAL_NAME' })
    assert.equal(sessions.count(), 0)
    await romeo.hears(/<\/stream:stream>/)
    await romeo.isClosed()
  }))
