/** SASL2 with Bind 2 through a whole server: sessions, resources, and what modules answer. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { header, type Wire } from '../../../plays/language/wire.ts'
import { jid } from '../../jid/index.ts'
import { x } from '../../xml/index.ts'
import { SymbolicServer } from '../symbolic.testing.ts'

const sections = { listeners: [{ name: 'c2s', protocol: 'c2s', address: '0.0.0.0', port: 5222 }] }
const romeo = jid('romeo@localhost')
const phone = 'd4565fa7-4d72-4749-b3d3-740edbf87770'
const laptop = '0b0c0f2e-3f4c-4c15-9f3e-6a4f5a1b2c3d'

interface Asked {
  readonly name?: string
  readonly password?: string
  readonly agent?: string
  /** Inside of `<bind/>`; undefined: no binding. */
  readonly bind?: string | undefined
  readonly more?: string
}

function authenticate({ name = 'romeo', password = 'secret', agent, bind = '', more = '' }: Asked = {}): string {
  const device = agent === undefined ? '' : `<user-agent id='${agent}'><device>his</device></user-agent>`
  return `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>${btoa(`\0${name}\0${password}`)}</initial-response>${device}<bind xmlns='urn:xmpp:bind:0'>${bind}</bind>${more}</authenticate>`
}

async function secured(server: SymbolicServer, from = 'romeo'): Promise<Wire> {
  const wire = await server.wire(from)
  wire.says(`${header('localhost')}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  await wire.hears(/<proceed [^>]*\/>/)
  await wire.secures({ servername: 'localhost', alpn: [], verify: true, ca: server.ca })
  wire.says(header('localhost'))
  return wire
}

/** Signs in and binds; the wire and the full JID. */
async function bound(server: SymbolicServer, asked: Asked = {}): Promise<{ wire: Wire; address: string; all: string }> {
  const wire = await secured(server)
  await wire.hears(/<\/stream:features>/)
  wire.says(authenticate(asked))
  const all = await wire.hears(/<success .*<\/success><stream:features(?:\/>|>.*<\/stream:features>)/)
  return { wire, address: /<authorization-identifier>([^<]*)/.exec(all)?.[1] ?? '', all }
}

function hooksOf({ server }: SymbolicServer) {
  return server.core.hostType('default').hooks
}

describe('Bind 2', () => {
  it('XEP-0386 section 3.1: is offered inside of <inline/>, with what modules can do', () =>
    SymbolicServer.run(sections, async (server) => {
      hooksOf(server).on('bind2:features', 'x', (features) => [...features, 'urn:x'])
      hooksOf(server).on('sasl2:features', 'sm', (features) => [...features, x('sm', 'urn:xmpp:sm:3')])
      const wire = await secured(server)
      const features = ['urn:xmpp:carbons:2', 'urn:xmpp:csi:0', 'urn:x'].map((name) => `<feature var='${name}'/>`)
      const offer = `<bind xmlns='urn:xmpp:bind:0'><inline>${features.join('')}</inline></bind>`
      await wire.hears(
        new RegExp(`<inline>${offer}<fast .*</fast><sm xmlns='urn:xmpp:sm:3'/></inline></authentication>`),
      )
    }))

  it('section 3.2.1: the resource is made by the server, behind the tag where a resource may hold it', () =>
    SymbolicServer.run(sections, async (server) => {
      const plain = await bound(server)
      assert.match(plain.address, /^romeo@localhost\/[\w-]{11}$/)
      const tagged = await bound(server, { bind: '<tag>AwesomeXMPP</tag>' })
      assert.match(tagged.address, /^romeo@localhost\/AwesomeXMPP\/[\w-]{11}$/)
      // Too long; a character that none may hold; one that would be composed.
      for (const tag of ['x'.repeat(1_020), 'a\u200bb', 'e\u0301']) {
        const { address } = await bound(server, { bind: `<tag>${tag}</tag>` })
        assert.match(address, /^romeo@localhost\/[\w-]{11}$/, tag.slice(0, 20))
      }
    }))

  it('section 3.2.1: it is the same for the same client and tag, other for others, and says nothing of the client', () =>
    SymbolicServer.run(sections, async (server) => {
      const tag = '<tag>A</tag>'
      const first = await bound(server, { agent: phone, bind: tag })
      const again = await bound(server, { agent: phone.toUpperCase(), bind: tag })
      assert.equal(again.address, first.address)
      const others = [
        await bound(server, { agent: laptop, bind: tag }),
        await bound(server, { agent: phone, bind: '<tag>B</tag>' }),
        await bound(server, { bind: tag }),
        await bound(server, { bind: tag }),
      ]
      const all = new Set([first, ...others].map(({ address }) => address))
      assert.equal(all.size, 5)
      for (const address of all) assert.ok(!address.includes(phone.slice(0, 8)))
    }))

  it('section 3.2: an earlier session of the same client is ended, others are not, whatever the policy on conflicts', () =>
    SymbolicServer.run({ ...sections, session: { conflict: 'refuse' } }, async (server) => {
      const first = await bound(server, { agent: phone })
      const other = await bound(server, { agent: laptop })
      const nameless = await bound(server)
      const again = await bound(server, { agent: phone })
      assert.equal(again.address, first.address)
      await first.wire.hears(/<stream:error><conflict .*<\/stream:stream>/)
      for (const { wire } of [other, nameless, again]) {
        wire.says("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
        await wire.hears(/id='p'/)
      }
      assert.equal(server.counter('ratatosk_sessions'), 3)
    }))

  it('what a session is sent before its client knows of it comes behind <success/> and the features', () =>
    SymbolicServer.run(sections, async (server) => {
      hooksOf(server).on('session:bound', 'test', (session) => {
        session.deliverFrom(x('message', 'jabber:client', { id: 'early' }), session.host.jid, session.jid)
      })
      const { wire } = await bound(server)
      assert.match(await wire.hears(/<message [^>]*>/), /^<message [^>]*id='early'/)
    }))

  it('modules set up the session in the turn in which it is bound, and may then ask a store', () =>
    SymbolicServer.run(sections, async (server) => {
      const hooks = hooksOf(server)
      const order: string[] = []
      hooks.on('session:bound', 'test', () => order.push('bound'))
      hooks.on('bind2:bound', 'test', (children, { session, bind, request }) => {
        order.push(`${session.jid.resource === '' ? '' : 'session'} ${bind.hasChild('enable', 'urn:x')}`)
        assert.equal(request.agent?.device, 'his')
        assert.equal(request.account.toString(), 'romeo@localhost')
        Promise.resolve().then(() => order.push('later'))
        return [...children, x('enabled', 'urn:x')]
      })
      hooks.on('bind2:metadata', 'test', async (children) => {
        await Promise.resolve()
        order.push('metadata')
        return [...children, x('metadata', 'urn:xmpp:mam:2')]
      })
      const { all } = await bound(server, { agent: phone, bind: "<enable xmlns='urn:x'/>" })
      assert.ok(
        all.includes(
          "<bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:x'/><metadata xmlns='urn:xmpp:mam:2'/></bound>",
        ),
        all,
      )
      assert.deepEqual(order.slice(0, 3), ['bound', 'session true', 'later'])
      assert.ok(order.includes('metadata'))
    }))

  it('XEP-0280: copies are enabled as it binds, so that none is missed, and nothing is said of it', () =>
    SymbolicServer.run(sections, async (server) => {
      const phone = await bound(server, { bind: "<enable xmlns='urn:xmpp:carbons:2'/>" })
      assert.match(phone.all, /<bound xmlns='urn:xmpp:bind:0'\/>/)
      const plain = await bound(server)
      const other = await bound(server)
      other.wire.says("<message to='nobody@localhost' type='chat' id='m'><body>x</body></message>")
      await phone.wire.hears(/<sent xmlns='urn:xmpp:carbons:2'>.*id='m'/)
      plain.wire.says("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
      assert.doesNotMatch(await plain.wire.hears(/id='p'/), /carbons/)
    }))

  it('XEP-0352: a session begins inactive when its client says so, whatever is sent to it before it knows', () =>
    SymbolicServer.run(sections, async (server) => {
      const away = (id: string) => x('presence', 'jabber:client', { id })
      const host = jid('localhost')
      hooksOf(server).on('bind2:bound', 'test', (children, { session }) => {
        session.deliverFrom(away('first'), host, session.jid)
        return children
      })
      const states = { active: "<active xmlns='urn:xmpp:csi:0'/>", inactive: "<inactive xmlns='urn:xmpp:csi:0'/>" }
      for (const [bind, waits] of [
        [states.inactive, true],
        [states.active, false],
        [states.inactive + states.active, false],
        ['', false],
      ] as const) {
        const { wire, address } = await bound(server, { bind })
        const session = server.server.core.sessions.find(jid(address)) ?? assert.fail(address)
        assert.equal(session.gate !== undefined, waits, bind)
        const ping = "<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"
        wire.says(waits ? `${states.active}${ping}` : ping)
        const heard = await wire.hears(/<iq [^>]*id='p'/)
        assert.match(heard, /<presence [^>]*id='first'/, bind)
        assert.equal(/<delay /.test(heard), waits, bind)
      }
    }))

  it('a module that fails adds nothing and harms nobody', () =>
    SymbolicServer.run(sections, async (server) => {
      const hooks = hooksOf(server)
      const fail = () => {
        throw new Error('no')
      }
      hooks.on('sasl2:resume', 'bad', fail)
      hooks.on('bind2:metadata', 'bad', () => Promise.reject(new Error('no')))
      hooks.on('sasl2:success', 'bad', fail)
      const { all } = await bound(server)
      assert.ok(all.includes("<bound xmlns='urn:xmpp:bind:0'/></success>"), all)
      assert.ok(server.logged('RTK_HANDLER_FAILED') > 0)
    }))

  it('a session that is resumed takes the place of <bind/>; one that is not says so, and a resource is bound', () =>
    SymbolicServer.run(sections, async (server) => {
      const failed = x('failed', 'urn:xmpp:sm:3')
      const off = hooksOf(server).on('sasl2:resume', 'sm', (found, { inline }) => {
        assert.deepEqual(
          inline.map((el) => el.name),
          ['resume'],
        )
        return found ?? { session: undefined, element: failed }
      })
      const more = "<resume xmlns='urn:xmpp:sm:3' h='0' previd='x'/>"
      const first = await bound(server, { bind: '<tag>first</tag>', more })
      const inSuccess =
        "</authorization-identifier><failed xmlns='urn:xmpp:sm:3'/><bound xmlns='urn:xmpp:bind:0'/></success>"
      assert.ok(first.all.includes(inSuccess), first.all)
      off()

      const session = server.server.core.sessions.find(jid(first.address)) ?? assert.fail()
      hooksOf(server).on('sasl2:resume', 'sm', async (_found, { link, info }) => {
        await Promise.resolve()
        session.detach()
        assert.ok(session.attach(link, info))
        session.deliverFrom(x('message', 'jabber:client', { id: 'kept' }), session.host.jid, session.jid)
        return { session, element: x('resumed', 'urn:xmpp:sm:3') }
      })
      const again = await bound(server, { bind: '<tag>again</tag>', more })
      assert.equal(again.address, first.address)
      assert.ok(again.all.includes("<resumed xmlns='urn:xmpp:sm:3'/></success>"), again.all)
      assert.ok(!again.all.includes('<bound '), again.all)
      assert.match(await again.wire.hears(/<message [^>]*>/), /id='kept'/)
      again.wire.says("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
      await again.wire.hears(/id='p'/)
    }))
})

describe('SASL2 and the accounts', () => {
  it('an account that was removed while its stream signed in binds nothing', () =>
    SymbolicServer.run(sections, async (server) => {
      const gate = Promise.withResolvers<undefined>()
      hooksOf(server).on('sasl2:resume', 'slow', () => gate.promise)
      const wire = await secured(server)
      await wire.hears(/<\/stream:features>/)
      wire.says(authenticate())
      await server.simulation.advance(1_000)
      await server.server.accounts.remove(romeo)
      gate.resolve(undefined)
      await wire.hears(/<stream:error><not-authorized .*<\/stream:stream>/)
      assert.equal(server.counter('ratatosk_sessions'), 0)
    }))

  it('a connection that is cut while a module thinks leaves no session behind', () =>
    SymbolicServer.run(sections, async (server) => {
      const gate = Promise.withResolvers<readonly never[]>()
      hooksOf(server).on('bind2:metadata', 'slow', () => gate.promise)
      const wire = await secured(server)
      await wire.hears(/<\/stream:features>/)
      wire.says(authenticate())
      await server.simulation.advance(1_000)
      assert.equal(server.counter('ratatosk_sessions'), 1)
      wire.closes()
      await server.simulation.advance(1_000)
      gate.resolve([])
      await server.simulation.advance(1_000)
      assert.equal(server.counter('ratatosk_sessions'), 0)
    }))

  it('a module that never answers is bounded by sign_in_timeout', () =>
    SymbolicServer.run({ ...sections, limits: { sign_in_timeout: '10 seconds' } }, async (server) => {
      hooksOf(server).on('sasl2:success', 'slow', () => new Promise(() => undefined))
      const wire = await secured(server)
      await wire.hears(/<\/stream:features>/)
      wire.says(authenticate())
      await server.simulation.advance(11_000)
      await wire.hears(/<stream:error><policy-violation .*<\/stream:stream>/)
      await server.simulation.advance(5_000)
      assert.equal(server.counter('ratatosk_sessions'), 0)
    }))

  it('AUTH-10: a name that does not exist is answered as one that does', () =>
    SymbolicServer.run(sections, async (server) => {
      const told = new Set<string>()
      for (const name of ['romeo', 'nobody']) {
        const wire = await secured(server, name)
        const features = await wire.hears(/<\/stream:features>/)
        wire.says(authenticate({ name, password: 'guess' }))
        told.add(`${features.replace(/ id='[^']*'/, '')}${await wire.hears(/<failure .*<\/failure>/)}`)
      }
      assert.equal(told.size, 1)
      assert.match([...told][0] ?? '', /<not-authorized /)
    }))

  it('the initial response, which may be a password, is not shown to modules', () =>
    SymbolicServer.run(sections, async (server) => {
      const seen: string[] = []
      hooksOf(server).on('sasl2:success', 'spy', (elements, { request }) => {
        seen.push(...request.inline.map((el) => el.name), ...Object.keys(request))
        return elements
      })
      await bound(server, { more: "<x xmlns='urn:x'/>" })
      assert.deepEqual(seen, ['x', 'host', 'account', 'mechanism', 'agent', 'inline', 'link', 'info'])
    }))
})

it('SM-07: what came for a session that its client has not heard of is not lost when the connection is cut', () =>
  SymbolicServer.run(sections, async (server) => {
    await server.server.accounts.add(jid('juliet@localhost'), 'secret')
    const hers = await bound(server, { name: 'juliet' })
    hers.wire.says('<presence/>')
    await hers.wire.hears(/<presence [^>]*\/>/)
    const gate = Promise.withResolvers<readonly never[]>()
    hooksOf(server).on('bind2:metadata', 'slow', () => gate.promise)
    const wire = await secured(server)
    await wire.hears(/<\/stream:features>/)
    wire.says(authenticate())
    await server.simulation.advance(1_000)
    const session = server.server.core.sessions.ofAccount('localhost', 'romeo')[0] ?? assert.fail()
    hers.wire.says(`<message to='${session.jid}' type='chat' id='m'><body>early</body></message>`)
    await server.simulation.advance(1_000)
    wire.closes()
    await server.simulation.advance(1_000)
    gate.resolve([])
    await server.simulation.advance(1_000)
    const again = await bound(server)
    again.wire.says('<presence/>')
    await again.wire.hears(/<message [^>]*>.*early/)
  }))
