/** XEP-0077 over the wire of a whole server: passwords changed, accounts removed and made. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { header, type Wire } from '../../../plays/language/wire.ts'
import type { RegistrationRequest } from '../../core/services/registration.ts'
import { jid } from '../../jid/jid.ts'
import { SymbolicServer } from '../../listeners/symbolic.testing.ts'
import { type Ground, groundOf, listener, plain } from '../../server/limits.testing.ts'
import { StanzaError } from '../../stanza/error.ts'
import { storeError } from '../../store/errors.ts'
import { Quota } from './quota.ts'

const REGISTER = 'jabber:iq:register'
const query = (content = '') =>
  content === '' ? `<query xmlns='${REGISTER}'/>` : `<query xmlns='${REGISTER}'>${content}</query>`
const filled = (username: string, password: string) =>
  query(`<username>${username}</username><password>${password}</password>`)
const removal = query('<remove/>')

function run(
  register: Readonly<Record<string, unknown>>,
  work: (ground: Ground) => Promise<void>,
  more = {},
): Promise<void> {
  const config = { listeners: [listener], modules: { register }, ...more }
  return SymbolicServer.run(config, (symbolic) => work(groundOf(symbolic, 'none')))
}

let asked = 0
/** The answer to a request. */
async function ask(wire: Wire, type: 'get' | 'set', content: string, to = 'localhost'): Promise<string> {
  const id = `ask${asked++}`
  wire.says(`<iq type='${type}' id='${id}'${to === '' ? '' : ` to='${to}'`}>${content}</iq>`)
  return wire.hears(new RegExp(`<iq [^>]*id='${id}'.*?(?:</iq>|(?<=id='${id}'[^>]*)/>)`))
}
const conditionOf = (answer: string) => /<error [^>]*><([a-z-]+)/.exec(answer)?.[1]

/** `in`, or the condition of the failure. */
async function signsIn(ground: Ground, user: string, password: string): Promise<string> {
  const wire = await ground.secured()
  wire.says(plain(user, password))
  const heard = await wire.hears(/<success [^>]*\/>|<failure .*?<\/failure>/)
  wire.closes()
  return /<failure [^>]*><([a-z-]+)/.exec(heard)?.[1] ?? 'in'
}

/** Why modules refuse. */
function policy({ symbolic }: Ground, seen: RegistrationRequest[], refusal?: StanzaError): void {
  const { hooks } = symbolic.server.core.hostType('default')
  hooks.on('registration:policy', 'test', (before, request) => {
    seen.push(request)
    return before ?? refusal
  })
}
const refusal = new StanzaError('RTK_TEST', 'policy-violation', { text: 'not so' })

describe('a password is changed (XEP-0077 §3.3)', () => {
  it('to the host, or with no address; the old one is good for nothing then, and sessions go on', () =>
    run({}, async (ground) => {
      const wire = await ground.bound()
      assert.match(await ask(wire, 'set', filled('romeo', 'better')), /type='result'/)
      assert.equal(await signsIn(ground, 'romeo', 'secret'), 'not-authorized')
      assert.equal(await signsIn(ground, 'romeo', 'better'), 'in')
      assert.match(await ask(wire, 'set', filled('romeo@localhost', 'best'), ''), /type='result'/)
      assert.equal(await signsIn(ground, 'romeo', 'best'), 'in')
      assert.equal(ground.counter('ratatosk_register_password_changes_total'), 2)
    }))

  const refused: readonly (readonly [string, string, string])[] = [
    ['without a username', query('<password>better</password>'), 'bad-request'],
    ['without a password', query('<username>romeo</username>'), 'bad-request'],
    ['with an empty password, which is not set', filled('romeo', ''), 'bad-request'],
    ['with nothing', query(), 'bad-request'],
    ['of somebody else', filled('juliet', 'better'), 'forbidden'],
    ['of somebody on another host', filled('romeo@example.org', 'better'), 'forbidden'],
    ['to what no password can be', filled('romeo', '&#x9;'), 'not-acceptable'],
  ]
  for (const [name, content, condition] of refused) {
    it(`not ${name}: ${condition}, and not with what was sent`, () =>
      run({}, async (ground) => {
        await ground.account('juliet')
        const answer = await ask(await ground.bound(), 'set', content)
        assert.equal(conditionOf(answer), condition)
        assert.doesNotMatch(answer, /better|<query/)
        for (const user of ['romeo', 'juliet']) assert.equal(await signsIn(ground, user, 'secret'), 'in')
      }))
  }

  it('not where `password_change` is off: not-allowed', () =>
    run({ password_change: false }, async (ground) => {
      assert.equal(conditionOf(await ask(await ground.bound(), 'set', filled('romeo', 'better'))), 'not-allowed')
    }))

  it('not outside of TLS: not-authorized', () =>
    run({}, async (ground) => {
      const { core } = ground.symbolic.server
      const wire = await ground.bound()
      const [session = assert.fail()] = core.sessions.ofAccount('localhost', 'romeo')
      session.info = { ...session.info, tls: '' }
      assert.equal(conditionOf(await ask(wire, 'set', filled('romeo', 'better'))), 'not-authorized')
    }))

  it('not when a module says no, which is told who wants what', () =>
    run({}, async (ground) => {
      const seen: RegistrationRequest[] = []
      policy(ground, seen, refusal)
      const wire = await ground.bound()
      assert.equal(conditionOf(await ask(wire, 'set', filled('romeo', 'better'))), 'policy-violation')
      assert.equal(conditionOf(await ask(wire, 'set', removal)), 'policy-violation')
      assert.deepEqual(
        seen.map(({ kind, local, password }) => `${kind} ${local} ${password}`),
        ['password romeo better', 'removal romeo '],
      )
      assert.equal(await signsIn(ground, 'romeo', 'secret'), 'in')
    }))

  it('not more than `password_changes_max` times within `window`: resource-constraint', () =>
    run({ password_changes_max: 2, window: '1 minute' }, async (ground) => {
      const wire = await ground.bound()
      for (const condition of [undefined, undefined, 'resource-constraint']) {
        assert.equal(conditionOf(await ask(wire, 'set', filled('romeo', 'better'))), condition)
      }
      await ground.passes(60_000)
      assert.equal(conditionOf(await ask(wire, 'set', filled('romeo', 'best'))), undefined)
    }))

  it('a password never reaches the log', () =>
    run({ sign_up: 'open' }, async (ground) => {
      const wire = await ground.bound()
      await ask(wire, 'set', filled('romeo', 'unheard-of'))
      await ask(await ground.secured(), 'set', filled('juliet', 'unheard-of'))
      assert.equal(await signsIn(ground, 'juliet', 'unheard-of'), 'in')
      const { entries } = ground.symbolic.simulation.world('server').log
      assert.ok(entries.length > 0)
      assert.doesNotMatch(JSON.stringify(entries), /unheard-of/)
    }))
})

describe('who is asked what he has registered (XEP-0077 §3.1)', () => {
  it('tells a user his name, and the password of nobody', () =>
    run({}, async (ground) => {
      for (const to of ['localhost', '', 'romeo@localhost']) {
        const answer = await ask(await ground.bound(), 'get', query(), to)
        assert.match(answer, /<registered\/>.*<username>romeo<\/username><password\/>/)
      }
    }))

  it('tells nobody anything of others, whether they are there or not', () =>
    run({}, async (ground) => {
      await ground.account('juliet')
      const wire = await ground.bound()
      for (const to of ['juliet@localhost', 'nobody@localhost']) {
        assert.equal(conditionOf(await ask(wire, 'get', query(), to)), 'service-unavailable')
        assert.equal(conditionOf(await ask(wire, 'set', filled('juliet', 'x'), to)), 'service-unavailable')
        assert.equal(conditionOf(await ask(wire, 'set', removal, to)), 'service-unavailable')
      }
      assert.equal(await signsIn(ground, 'juliet', 'secret'), 'in')
    }))

  it('of another host of the server: he has no account there', () =>
    run(
      {},
      async (ground) => {
        await ground.symbolic.server.accounts.add(jid('romeo@example.org'), 'secret')
        const wire = await ground.bound()
        assert.equal(conditionOf(await ask(wire, 'get', query(), 'example.org')), 'not-allowed')
        assert.equal(conditionOf(await ask(wire, 'set', filled('romeo', 'x'), 'example.org')), 'not-allowed')
        assert.equal(conditionOf(await ask(wire, 'set', removal, 'example.org')), 'registration-required')
        const host = ground.symbolic.server.core.host('example.org') ?? assert.fail()
        assert.equal(await ground.symbolic.server.accounts.exists(host, 'romeo'), true)
      },
      { hosts: { localhost: {}, 'example.org': {} } },
    ))
})

describe('an account is removed by its user (XEP-0077 §3.2)', () => {
  it('he has his result, then all of its streams end with not-authorized', () =>
    run({}, async (ground) => {
      const wire = await ground.bound('romeo', 'here')
      const other = await ground.bound('romeo', 'there')
      const waiting = await ground.signedIn()
      wire.says(`<iq type='set' id='bye'>${removal}</iq>`)
      await wire.hears(
        /<iq [^>]*id='bye'[^>]*type='result'[^>]*\/>.*<stream:error><not-authorized .*<\/stream:stream>/s,
      )
      await other.hears(/<stream:error><not-authorized /)
      waiting.says(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
      await waiting.hears(/<stream:error><not-authorized /)
      await ground.passes(1_000)
      assert.equal(await signsIn(ground, 'romeo', 'secret'), 'not-authorized')
      const { accounts, core } = ground.symbolic.server
      assert.equal(await accounts.exists(core.host('localhost') ?? assert.fail(), 'romeo'), false)
      assert.equal(ground.counter('ratatosk_register_removals_total'), 1)
      await ground.account('romeo')
    }))

  it('its contacts learn that the subscriptions are over', () =>
    run({}, async (ground) => {
      await ground.account('juliet')
      const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
      juliet.says(`<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>`)
      romeo.says(`<presence/><presence type='subscribe' to='juliet@localhost'/>`)
      await juliet.hears(/<presence [^>]*type='subscribe'/)
      juliet.says(`<presence type='subscribed' to='romeo@localhost'/>`)
      await juliet.hears(/subscription='from'/)
      romeo.says(`<iq type='set' id='bye'>${removal}</iq>`)
      await juliet.hears(/<presence [^>]*type='unsubscribe'/)
    }))

  it('a removal stands alone: bad-request', () =>
    run({}, async (ground) => {
      const wire = await ground.bound()
      const both = query('<remove/><username>romeo</username>')
      assert.equal(conditionOf(await ask(wire, 'set', both)), 'bad-request')
      assert.equal(await signsIn(ground, 'romeo', 'secret'), 'in')
    }))

  it('not where `removal` is off: not-allowed', () =>
    run({ removal: false }, async (ground) => {
      assert.equal(conditionOf(await ask(await ground.bound(), 'set', removal)), 'not-allowed')
      assert.equal(await signsIn(ground, 'romeo', 'secret'), 'in')
    }))

  it('when the store fails he is told, and stays', () =>
    run({}, async (ground) => {
      const wire = await ground.bound()
      const { engine } = ground.symbolic
      engine.failing = storeError('RTK_STORE_DISK_FULL', 'full')
      assert.equal(conditionOf(await ask(wire, 'set', removal)), 'internal-server-error')
      engine.failing = undefined
      assert.equal(await signsIn(ground, 'romeo', 'secret'), 'in')
    }))
})

describe('an account is made by a stranger (XEP-0077 §3.1.1)', () => {
  const feature = `<register xmlns='http://jabber.org/features/iq-register'/>`
  const open = { sign_up: 'open' }
  /** The features inside of TLS, and the stream. */
  async function stranger({ symbolic }: Ground, from = 'romeo'): Promise<readonly [Wire, string]> {
    const wire = await symbolic.wire(from)
    wire.says(`${header('localhost')}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
    const clear = await wire.hears(/<proceed [^>]*\/>/)
    assert.equal(clear.includes(feature), false)
    await wire.secures({ servername: 'localhost', alpn: [], verify: true, ca: symbolic.ca })
    wire.says(header('localhost'))
    return [wire, await wire.hears(/<\/stream:features>/)]
  }

  it('by default not: no feature (§8), service-unavailable', () =>
    run({}, async (ground) => {
      const [wire, features] = await stranger(ground)
      assert.equal(features.includes(feature), false)
      assert.equal(conditionOf(await ask(wire, 'get', query())), 'service-unavailable')
      assert.equal(conditionOf(await ask(wire, 'set', filled('juliet', 'secret'))), 'service-unavailable')
      assert.equal(await signsIn(ground, 'juliet', 'secret'), 'not-authorized')
    }))

  it('where `sign_up` is open: asked for, made, and signed in to on the same stream', () =>
    run(open, async (ground) => {
      const [wire, features] = await stranger(ground)
      assert.ok(features.includes(feature))
      assert.match(await ask(wire, 'get', query()), /<instructions>[^<]+<\/instructions><username\/><password\/>/)
      assert.match(await ask(wire, 'set', filled('juliet', 'mine'), ''), /type='result'/)
      wire.says(plain('juliet', 'mine'))
      await wire.hears(/<success [^>]*\/>/)
      const [entry] = await ground.symbolic.server.accounts.list(
        ground.symbolic.server.hosts[0] ?? assert.fail(),
        '',
        1,
      )
      assert.equal(`${entry?.local} ${entry?.origin}`, 'juliet registration')
      assert.equal(ground.counter('ratatosk_register_sign_ups_total'), 1)
    }))

  it('never outside of TLS: the stream ends', () =>
    run(open, async (ground) => {
      const wire = await ground.connected()
      wire.says(`${header('localhost')}<iq type='get' id='a'>${query()}</iq>`)
      await wire.hears(/<stream:error><not-authorized /)
    }))

  it('nor where there is no TLS: no feature', () =>
    run(
      open,
      async (ground) => {
        const wire = await ground.connected()
        wire.says(header('localhost'))
        assert.doesNotMatch(await wire.hears(/<\/stream:features>/), /iq-register/)
        wire.says(`<iq type='set' id='a'>${filled('juliet', 'x')}</iq>`)
        await wire.hears(/<stream:error><not-authorized /)
      },
      { listeners: [{ ...listener, tls: 'none' }] },
    ))

  it('other requests, and those to others, still end the stream', () =>
    run(open, async (ground) => {
      for (const said of [
        `<iq type='get' id='a' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`,
        `<iq type='get' id='a' to='example.org'>${query()}</iq>`,
        `<iq type='get'>${query()}</iq>`,
        `<message to='localhost'>${query()}</message>`,
      ]) {
        const [wire] = await stranger(ground)
        wire.says(said)
        await wire.hears(/<stream:error><not-authorized /)
      }
    }))

  const refused: readonly (readonly [string, string, string])[] = [
    ['of a name that is taken', filled('romeo', 'x'), 'conflict'],
    ['of a name that is taken, written otherwise', filled('ROMEO', 'x'), 'conflict'],
    ['without a password', query('<username>juliet</username>'), 'not-acceptable'],
    ['with an empty password', filled('juliet', ''), 'not-acceptable'],
    ['without a name', query('<password>x</password>'), 'not-acceptable'],
    ['of what cannot be a name', filled('a@b', 'x'), 'not-acceptable'],
    ['with what no password can be', filled('juliet', '&#x9;'), 'not-acceptable'],
    ['to be removed', removal, 'unexpected-request'],
  ]
  for (const [name, content, condition] of refused) {
    it(`not ${name}: ${condition}, without what was sent; he may try again`, () =>
      run(open, async (ground) => {
        const [wire] = await stranger(ground)
        const answer = await ask(wire, 'set', content)
        assert.equal(conditionOf(answer), condition)
        assert.doesNotMatch(answer, /<query/)
        assert.match(await ask(wire, 'set', filled('rosaline', 'x')), /type='result'/)
      }))
  }

  it('one a stream', () =>
    run(open, async (ground) => {
      const [wire] = await stranger(ground)
      await ask(wire, 'set', filled('juliet', 'x'))
      assert.equal(conditionOf(await ask(wire, 'set', filled('nurse', 'x'))), 'not-acceptable')
    }))

  it('not two at once', () =>
    run(open, async (ground) => {
      const [wire] = await stranger(ground)
      wire.says(`<iq type='set' id='a'>${filled('juliet', 'x')}</iq><iq type='set' id='b'>${filled('nurse', 'x')}</iq>`)
      await wire.hears(/id='b' type='error'.*<unexpected-request .*id='a' type='result'/s)
      assert.equal(await signsIn(ground, 'nurse', 'x'), 'not-authorized')
    }))

  it('attempts of an address count, by its /64, taken names too', () =>
    run({ ...open, sign_ups_per_address: 2, window: '1 minute' }, async (ground) => {
      const tries = async (from: string, name: string) => {
        const [wire] = await stranger(ground, from)
        return conditionOf(await ask(wire, 'set', filled(name, 'x')))
      }
      assert.equal(await tries('2001:db8::1', 'romeo'), 'conflict')
      assert.equal(await tries('2001:db8::2', 'a'), undefined)
      assert.equal(await tries('2001:db8::3', 'b'), 'not-acceptable')
      assert.equal(await tries('2001:db8:0:1::1', 'c'), undefined)
      await ground.passes(60_000)
      assert.equal(await tries('2001:db8::3', 'b'), undefined)
    }))

  it('attempts of all count for a host', () =>
    run({ ...open, sign_ups_max: 1 }, async (ground) => {
      const tries = async (from: string, name: string) => {
        const [wire] = await stranger(ground, from)
        return conditionOf(await ask(wire, 'set', filled(name, 'x')))
      }
      assert.equal(await tries('192.0.2.1', 'a'), undefined)
      assert.equal(await tries('192.0.2.2', 'b'), 'not-acceptable')
    }))

  it('not when a module says no', () =>
    run(open, async (ground) => {
      const seen: RegistrationRequest[] = []
      policy(ground, seen, refusal)
      const [wire] = await stranger(ground, '192.0.2.7')
      assert.equal(conditionOf(await ask(wire, 'set', filled('juliet', 'x'))), 'policy-violation')
      assert.deepEqual(
        seen.map(({ kind, local, address }) => `${kind} ${local} ${address}`),
        ['sign-up juliet 192.0.2.7'],
      )
      assert.equal(await signsIn(ground, 'juliet', 'x'), 'not-authorized')
    }))
})

describe('a quota', () => {
  it('begins anew when its time is over, for each key', () => {
    let now = 0
    const quota = new Quota({ monoMs: () => now }, { value: 0 })
    const takes = (key: string) => quota.take(key, 2, 1_000)
    assert.deepEqual([takes('a'), takes('a'), takes('a'), takes('b')], [true, true, false, true])
    now = 1_000
    assert.deepEqual([takes('a'), takes('a'), takes('a')], [true, true, false])
  })
})
