/** XEP-0478: the limits of a listener in its stream features. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { header } from '../../../plays/language/wire.ts'
import { groundOf, listener, plain } from '../../server/limits.testing.ts'
import { SymbolicServer } from '../symbolic.testing.ts'

describe('stream limits (XEP-0478)', () => {
  /** The features before sign-in and after it. */
  async function features(symbolic: SymbolicServer): Promise<readonly string[]> {
    const wire = await symbolic.wire('romeo')
    wire.says(`${header('localhost')}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
    const clear = await wire.hears(/<proceed [^>]*\/>/)
    await wire.secures({ servername: 'localhost', alpn: [], verify: true, ca: symbolic.ca })
    wire.says(header('localhost'))
    const before = await wire.hears(/<\/stream:features>/)
    wire.says(plain('romeo', 'secret'))
    await wire.hears(/<success [^>]*\/>/)
    wire.says(header('localhost'))
    const after = await wire.hears(/<\/stream:features>/)
    wire.closes()
    return [clear, before, after]
  }
  const limits = (bytes: number) => `<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>${bytes}</max-bytes></limits>`

  it('section 3.1: the size of an element before sign-in, and after it', async () => {
    await SymbolicServer.run({ listeners: [listener] }, async (symbolic) => {
      const [clear = '', before = '', after = ''] = await features(symbolic)
      assert.doesNotMatch(clear, /stream-limits/, 'RFC 6120 section 5.3.1: STARTTLS stands alone')
      assert.ok(before.includes(limits(16_384)), before)
      assert.ok(after.includes(limits(262_144)), after)
    })
  })

  it("are the listener's own, and those of a reload for who comes then", async () => {
    const own = { sign_in_stanza_bytes: '20 KB', stanza_bytes: '1 MiB' }
    await SymbolicServer.run({ listeners: [{ ...listener, limits: own }] }, async (symbolic) => {
      const [, before = '', after = ''] = await features(symbolic)
      assert.ok(before.includes(limits(20_000)), before)
      assert.ok(after.includes(limits(1_048_576)), after)
      await symbolic.reload({ listeners: [listener], limits: { stanza_bytes: '10 KB' } })
      const [, , later = ''] = await features(symbolic)
      assert.ok(later.includes(limits(10_000)), later)
    })
  })

  it('are true: one byte more ends the stream', async () => {
    await SymbolicServer.run({ listeners: [listener], limits: { stanza_bytes: '10 KB' } }, async (symbolic) => {
      const wire = await groundOf(symbolic, 'none').bound()
      const sized = (bytes: number) => {
        const empty = `<message to='romeo@localhost/here' type='chat'><body></body></message>`
        return empty.replace('><body>', `><body>${'x'.repeat(bytes - empty.length)}`)
      }
      wire.says(sized(10_000))
      await wire.hears(/<\/message>/)
      wire.says(sized(10_001))
      await wire.hears(/<stream:error><policy-violation /)
    })
  })
})
