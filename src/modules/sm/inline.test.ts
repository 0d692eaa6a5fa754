/** XEP-0198 §9 over the wire of a whole server: inside of SASL2 (XEP-0388) and Bind 2 (XEP-0386). */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Wire } from '../../../plays/language/wire.ts'
import { jid } from '../../jid/index.ts'
import { type Ground, message } from '../../server/limits.testing.ts'
import { play } from '../../server/slow-readers.testing.ts'
import { smEnable } from '../../stanza/sm.ts'
import { ClientFailure, connectClient, type XmppClient } from '../../stream/client.ts'
import { requestTokenElement } from '../../stream/fast.ts'

const NS = `xmlns='urn:xmpp:sm:3'`
const stanzas = `xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'`
const enable = `<enable ${NS} resume='true'/>`
const resume = (id: string, h: number | string) => `<resume ${NS} previd='${id}' h='${h}'/>`
const phone = { id: 'd4565fa7-4d72-4749-b3d3-740edbf87770', software: '', device: '' }

interface Asked {
  /** Inside of `<bind/>`; undefined: nothing is bound. */
  readonly bind?: string | undefined
  readonly more?: string
  readonly password?: string
}

function authenticate({ bind, more = '', password = 'secret' }: Asked): string {
  const response = `<initial-response>${btoa(`\0juliet\0${password}`)}</initial-response>`
  const bound = bind === undefined ? '' : `<bind xmlns='urn:xmpp:bind:0'>${bind}</bind>`
  return `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>${response}${more}${bound}</authenticate>`
}

/** Signs in as juliet; the wire, and what stands in `<success/>`. */
async function signsIn(ground: Ground, asked: Asked): Promise<{ wire: Wire; success: string; address: string }> {
  const wire = await ground.secured('juliet')
  wire.says(authenticate(asked))
  const success = await wire.hears(/<success .*?<\/success>/)
  return { wire, success, address: /<authorization-identifier>([^<]*)/.exec(success)?.[1] ?? '' }
}

/** With a resource, and counted from the beginning. */
async function counted(ground: Ground) {
  const one = await signsIn(ground, { bind: enable })
  const id = /<bound [^>]*><enabled [^>]* id='([^']*)' resume='true' max='300'\/>/.exec(one.success)?.[1]
  // It is not to be asked for again.
  assert.doesNotMatch(await one.wire.hears(/<stream:features.*?<\/stream:features>/), /<sm /)
  return { ...one, id: id ?? assert.fail(one.success) }
}

const ping = `<iq type='get' id='sync' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`

async function hearsIds(wire: Wire): Promise<readonly string[]> {
  wire.says(ping)
  const heard = await wire.hears(/<iq [^>]*id='sync'[^>]*>/)
  return [...heard.matchAll(/<message [^>]*id='([^']*)'/g)].map(([, id]) => id ?? '')
}

describe('§9.1: <enable/> inside of <bind/>', () => {
  it('examples 27 to 29: both are offered, and what is bound counts from its beginning', () =>
    play({}, async (ground) => {
      const { wire: hers, id, address } = await counted(ground)
      assert.match(id, /^[\w-]{20,}$/)
      const romeo = await ground.bound()
      romeo.says(message(address, 'x', '1'))
      await hers.hears(/id='1'/)
      hers.says('<presence/>')
      await hers.hears(/<presence /)
      hers.says(`<r ${NS}/>`)
      await hers.hears(new RegExp(`<a ${NS} h='1'/>`))
      // A message, her own presence.
      hers.says(`<a ${NS} h='2'/>`)
      assert.deepEqual(await hearsIds(hers), [])
    }))

  it('where it was not asked for it is offered behind <success/>, and enabled as ever', () =>
    play({}, async (ground) => {
      const { wire, success } = await signsIn(ground, { bind: '' })
      assert.ok(success.includes("<bound xmlns='urn:xmpp:bind:0'/>"), success)
      await wire.hears(new RegExp(`<stream:features>.*<sm ${NS}/>.*</stream:features>`))
      wire.says(enable)
      await wire.hears(/<enabled [^>]* resume='true'/)
    }))

  it('without resume it is enabled without an id', () =>
    play({}, async (ground) => {
      const { success } = await signsIn(ground, { bind: `<enable ${NS}/>` })
      assert.ok(success.includes(`<bound xmlns='urn:xmpp:bind:0'><enabled ${NS}/></bound>`), success)
    }))

  it('what was not counted cannot be: then it is refused, and the resource is bound all the same (§9.1.1)', () =>
    play({}, async (ground) => {
      ground.symbolic.server.core.hostType('default').hooks.on('session:bound', 'test', (session) => {
        session.deliverBytes(`<message/>` as never)
      })
      const { success, address } = await signsIn(ground, { bind: enable })
      assert.ok(success.includes(`<failed ${NS}><internal-server-error ${stanzas}/></failed></bound>`), success)
      assert.notEqual(address, 'juliet@localhost')
    }))

  it('a second <enable/> is refused as ever', () =>
    play({}, async (ground) => {
      const { wire } = await counted(ground)
      wire.says(enable)
      await wire.hears(/<failed [^>]*><unexpected-request .*<stream:error><policy-violation /)
    }))
})

describe('§9.2: <resume/> inside of <authenticate/>', () => {
  it('goes on in one round trip: no features, no new resource, and what was missed comes behind <success/>', () =>
    play({}, async (ground) => {
      const romeo = await ground.bound()
      const { wire, id, address } = await counted(ground)
      wire.closes()
      await ground.passes(100)
      for (const one of ['1', '2']) romeo.says(message(address, 'x', one))
      await ground.passes(100)
      const back = await ground.secured('juliet')
      back.says(authenticate({ bind: enable, more: resume(id, 0) }))
      const heard = await back.hears(/id='2'/)
      const success = `<authorization-identifier>${address}</authorization-identifier><resumed ${NS} h='0' previd='${id}'/></success>`
      assert.ok(heard.includes(`${success}<message `), heard)
      assert.ok(!heard.includes('<bound '), heard)
      assert.match(heard, /id='1'.*id='2'/)
      back.says(`<message to='romeo@localhost/here' id='3' type='chat'><body>x</body></message><r ${NS}/>`)
      await romeo.hears(/id='3'/)
      await back.hears(new RegExp(`<a ${NS} h='1'/>`))
      assert.equal(ground.counter('ratatosk_sessions_resumed_total'), 1)
      assert.equal(ground.counter('ratatosk_sessions_waiting'), 0)
    }))

  it('takes over from a connection that seems to be alive, and waits for what came over that one', () =>
    play({}, async (ground) => {
      const { promise, resolve } = Promise.withResolvers<undefined>()
      const { wire, id } = await counted(ground)
      const { hooks } = ground.symbolic.server.core.hostType('default')
      hooks.on('stanza:sent', 'obstacle', () => promise, { kinds: ['message'] })
      wire.says(message('romeo@localhost', 'x', 'slow'))
      await ground.passes(100)
      const back = await ground.secured('juliet')
      back.says(authenticate({ more: resume(id, 0) }))
      await wire.hears(/<stream:error><conflict /)
      await ground.passes(1_000)
      resolve(undefined)
      await back.hears(new RegExp(`<resumed ${NS} h='1' previd='${id}'/></success>`))
    }))

  it('examples 30 and 31: one that fails says so, and the resource is bound in the same go', () =>
    play({}, async (ground) => {
      const { success, address, wire } = await signsIn(ground, { bind: enable, more: resume('unknown', 0) })
      assert.match(
        success,
        new RegExp(
          `</authorization-identifier><failed ${NS}><item-not-found ${stanzas}/></failed><bound [^>]*><enabled ${NS} id='`,
        ),
      )
      assert.match(address, /^juliet@localhost\/./)
      await wire.hears(/<stream:features.*?<\/stream:features>/)
      assert.deepEqual(await hearsIds(wire), [])
    }))

  it('example 30: of a session that has ended the client hears what was handled', () =>
    play({ modules: { sm: { resume_timeout: '10 seconds' } } }, async (ground) => {
      const one = await signsIn(ground, { bind: enable })
      const id = /<enabled [^>]* id='([^']*)'/.exec(one.success)?.[1] ?? assert.fail(one.success)
      one.wire.says('<presence/>')
      await ground.passes(100)
      one.wire.closes()
      await ground.passes(11_000)
      const { success } = await signsIn(ground, { bind: '', more: resume(id, 0) })
      assert.ok(success.includes(`<failed ${NS} h='1'><item-not-found ${stanzas}/></failed><bound `), success)
    }))

  it('without <bind/> a resource may be bound afterwards by RFC 6120 section 7', () =>
    play({}, async (ground) => {
      const { success, address, wire } = await signsIn(ground, { more: resume('unknown', 0) })
      assert.equal(address, 'juliet@localhost')
      assert.match(success, /<failed /)
      await wire.hears(/<stream:features>.*<bind .*<\/stream:features>/)
      wire.says(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
      await wire.hears(/<iq [^>]*type='result'/)
    }))

  it('a wrong password resumes nothing, and the session still waits', () =>
    play({}, async (ground) => {
      const { wire, id } = await counted(ground)
      wire.closes()
      await ground.passes(100)
      const other = await ground.secured('juliet')
      other.says(authenticate({ more: resume(id, 0), password: 'guess' }))
      await other.hears(/<failure .*<not-authorized /)
      assert.equal(ground.counter('ratatosk_sessions_waiting'), 1)
    }))

  it('nobody resumes the session of another account', () =>
    play({}, async (ground) => {
      const { wire, id } = await counted(ground)
      wire.closes()
      await ground.passes(100)
      const nurse = await ground.secured('nurse')
      nurse.says(authenticate({ more: resume(id, 0) }).replace(btoa('\0juliet\0secret'), btoa('\0nurse\0secret')))
      await nurse.hears(new RegExp(`<failed ${NS}><item-not-found `))
      assert.equal(ground.counter('ratatosk_sessions_waiting'), 1)
    }))

  it('after a change of the password the session is no more, and a new one is bound', () =>
    play({}, async (ground) => {
      for (const isWaiting of [true, false]) {
        const { wire, id } = await counted(ground)
        if (isWaiting) wire.closes()
        await ground.passes(100)
        await ground.symbolic.server.accounts.setPassword(jid('juliet@localhost'), 'secret')
        const { success } = await signsIn(ground, { bind: enable, more: resume(id, 0) })
        assert.match(success, /<failed [^>]*><item-not-found .*<bound [^>]*><enabled /)
      }
    }))

  it('who acknowledges what was never sent is cut off before <success/>', () =>
    play({}, async (ground) => {
      const { wire, id } = await counted(ground)
      wire.closes()
      await ground.passes(100)
      const back = await ground.secured('juliet')
      back.says(authenticate({ more: resume(id, 7) }))
      const heard = await back.hears(/<stream:error>.*<\/stream:error>/)
      assert.match(heard, new RegExp(`<handled-count-too-high ${NS} h='7' send-count='0'/>`))
      assert.doesNotMatch(heard, /<success /)
    }))

  it('an account that is removed while its session is being taken over has neither', () =>
    play({}, async (ground) => {
      const { promise, resolve } = Promise.withResolvers<undefined>()
      const { wire, id } = await counted(ground)
      const { hooks } = ground.symbolic.server.core.hostType('default')
      hooks.on('stanza:sent', 'obstacle', () => promise, { kinds: ['message'] })
      wire.says(message('romeo@localhost', 'x', 'slow'))
      await ground.passes(100)
      const back = await ground.secured('juliet')
      back.says(authenticate({ bind: enable, more: resume(id, 0) }))
      await ground.passes(100)
      await ground.symbolic.server.accounts.remove(jid('juliet@localhost'))
      resolve(undefined)
      await back.hears(/<stream:error><not-authorized /)
      assert.equal(ground.counter('ratatosk_sessions'), 0)
    }))

  it('a connection that breaks while its session is being taken over leaves the session waiting', () =>
    play({}, async (ground) => {
      const { promise, resolve } = Promise.withResolvers<undefined>()
      const { wire, id } = await counted(ground)
      const { hooks } = ground.symbolic.server.core.hostType('default')
      const remove = hooks.on('stanza:sent', 'obstacle', () => promise, { kinds: ['message'] })
      wire.says(message('romeo@localhost', 'x', 'slow'))
      await ground.passes(100)
      const back = await ground.secured('juliet')
      back.says(authenticate({ bind: enable, more: resume(id, 0) }))
      await ground.passes(100)
      back.closes()
      await ground.passes(100)
      resolve(undefined)
      remove()
      await ground.passes(100)
      assert.equal(ground.counter('ratatosk_sessions_waiting'), 1)
      const { success } = await signsIn(ground, { more: resume(id, 0) })
      assert.ok(success.includes(`<resumed ${NS} h='1' previd='${id}'/></success>`), success)
    }))

  it('of two connections that ask for one session the later has it, and the former ends (seed 7070)', () =>
    play({}, async (ground) => {
      const { promise, resolve } = Promise.withResolvers<undefined>()
      const { wire, id } = await counted(ground)
      const { hooks } = ground.symbolic.server.core.hostType('default')
      const remove = hooks.on('stanza:sent', 'obstacle', () => promise, { kinds: ['message'] })
      wire.says(message('romeo@localhost', 'x', 'slow'))
      await ground.passes(100)
      const [former, later] = [await ground.secured('juliet'), await ground.secured('juliet')]
      for (const one of [former, later]) {
        one.says(authenticate({ bind: enable, more: resume(id, 0) }))
        await ground.passes(100)
      }
      resolve(undefined)
      remove()
      await former.hears(/<stream:error><conflict /)
      await later.hears(new RegExp(`<resumed ${NS} h='1' previd='${id}'/></success>`))
      assert.equal(ground.counter('ratatosk_sessions'), 1)
    }))

  it('where none is allowed it is not implemented, and the resource is bound', () =>
    play({ modules: { sm: { resume_timeout: '0 seconds' } } }, async (ground) => {
      const { success } = await signsIn(ground, { bind: enable, more: resume('x', 0) })
      assert.match(success, new RegExp(`<failed [^>]*><feature-not-implemented .*<bound [^>]*><enabled ${NS}/>`))
    }))
})

describe('a client in its own words', () => {
  const connect = async (
    ground: Ground,
    options: Partial<Parameters<typeof connectClient>[1]>,
  ): Promise<XmppClient> => {
    const client = await connectClient(ground.symbolic.simulation.world('juliet'), {
      jid: jid('juliet@localhost'),
      password: 'secret',
      place: { kind: 'tcp', host: 'server', port: 5222 },
      tls: 'starttls',
      ca: ground.symbolic.ca,
      ...options,
    })
    return client instanceof ClientFailure ? assert.fail(String(client)) : client
  }

  it('SES-09, AUTH-05: a token of FAST (XEP-0484) and a session that goes on, with one message of the client', () =>
    play({}, async (ground) => {
      const mechanism = 'HT-SHA-256-NONE'
      const session = [smEnable(true)]
      const first = await connect(ground, {
        sasl: { agent: phone, session, inline: [requestTokenElement(mechanism)] },
      })
      const token = first.success?.child('token', 'urn:xmpp:fast:0')?.attr('token') ?? assert.fail('no token')
      const acks = first.acks ?? assert.fail('it does not count')
      assert.equal(acks.seconds, 300)
      first.destroy()
      await first.gone
      const romeo = await ground.bound()
      romeo.says(message(first.jid.toString(), 'x', '1'))
      await ground.passes(100)

      const came: (string | undefined)[] = []
      const back = await connect(ground, {
        password: '',
        resume: acks,
        onStanza: (el) => came.push(el.attr('id')),
        sasl: { agent: phone, session, token: { mechanism, token } },
      })
      assert.equal(back.acks, acks)
      assert.equal(back.jid.toString(), first.jid.toString())
      assert.ok(back.success?.hasChild('resumed', 'urn:xmpp:sm:3'))
      await ground.passes(100)
      assert.deepEqual(came, ['1'])
      const { info } = ground.symbolic.server.core.sessions.find(back.jid) ?? assert.fail()
      assert.deepEqual([info.auth, info.agent], [mechanism, phone.id])
      await back.close()
    }))

  it('one that cannot go on is told what was handled, and has a new session at once', () =>
    play({ modules: { sm: { resume_timeout: '10 seconds' } } }, async (ground) => {
      const sasl = { session: [smEnable(true)] }
      const first = await connect(ground, { sasl })
      first.destroy()
      await first.gone
      await ground.passes(11_000)
      const back = await connect(ground, { sasl, ...(first.acks === undefined ? {} : { resume: first.acks }) })
      assert.equal(back.notResumed?.attr('h'), '0')
      assert.notEqual(back.acks, first.acks)
      assert.notEqual(back.acks?.id, undefined)
      await back.close()
    }))
})
