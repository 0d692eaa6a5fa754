/** LST-14, DESIGN.md section 6: hosts come and go while the server runs. Whoever is on another host notices nothing. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { header, Wire } from '../../plays/language/wire.ts'
import { jid } from '../jid/jid.ts'
import { SymbolicServer } from '../listeners/symbolic.testing.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { ClientFailure } from '../stream/client.ts'
import { befriended, type House, inHouse, type Person, portOfHouse } from './hosts.testing.ts'
import { bind, groundOf, listener } from './limits.testing.ts'

const isLong = process.env['RATATOSK_LONG'] === '1'
const seeds = (count: number) => Array.from({ length: isLong ? 10 * count : count }, (_, n) => n + 1)

const all = ['localhost', 'gone.example']
const rest = ['localhost']
/** One of a host type of its own. */
const types = { localhost: 'default', 'gone.example': 'school' }
const school = { host_types: { school: {} } }

/** How a client's stream ended, as it was told. */
const endOf = async ({ client }: Person) => {
  const end = await client.ended
  return end.kind === 'peer-error' ? end.error.condition : end.kind
}

const message = (to: string, body: number | string, type = 'chat') =>
  `<message to='${to}' type='${type}' id='m${body}'><body>${body}</body></message>`

const errors = ({ heard }: Person) =>
  heard.flatMap((el) => {
    const condition = el.attr('type') === 'error' ? el.child('error', NS_CLIENT)?.elements[0]?.name : undefined
    return condition === undefined ? [] : [`${el.attr('id')} ${condition}`]
  })

describe('a host that is removed by a reload', () => {
  it('ends its sessions with host-gone (RFC 6120 section 4.9.3.5), is a stranger to the others, and comes back with all that was kept', () =>
    inHouse({ hosts: all }, async (house) => {
      for (const address of ['romeo@localhost', 'juliet@gone.example', 'nurse@gone.example'])
        await house.account(address)
      const romeo = await house.person('romeo@localhost/here')
      const [phone, tablet] = [
        await house.person('juliet@gone.example/phone'),
        await house.person('juliet@gone.example/tablet'),
      ]
      await befriended(house, romeo, phone)
      romeo.says(message('nurse@gone.example', 'kept'))
      await house.passes(100)
      romeo.heard.length = 0
      const session = house.server.core.sessions.find(romeo.client.jid)

      const done = await house.reload(rest)
      assert.deepEqual(done.hosts, { added: [], removed: ['gone.example'], sessionsEnded: 2 })
      assert.deepEqual([done.applied, done.needsRestart], [[], []])
      assert.deepEqual([await endOf(phone), await endOf(tablet)], ['host-gone', 'host-gone'])
      await house.passes(100)
      // His friend left in his eyes.
      const [left, ...others] = romeo.heard.splice(0)
      assert.deepEqual(
        [left?.attr('from'), left?.attr('type'), others.length],
        ['juliet@gone.example/phone', 'unavailable', 0],
      )

      romeo.says(message('juliet@gone.example', 1))
      romeo.says(`<iq type='get' to='gone.example' id='m2'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`)
      await house.passes(100)
      assert.deepEqual(errors(romeo), ['m1 remote-server-not-found', 'm2 remote-server-not-found'])
      const refused = await house.person('juliet@gone.example/phone').catch((error: unknown) => error)
      assert.ok(refused instanceof ClientFailure && refused.end?.kind === 'peer-error')
      assert.equal(refused.end.error.condition, 'host-unknown')
      assert.deepEqual(
        house.server.hosts.map(({ domain }) => domain),
        rest,
      )
      assert.equal(house.server.metrics.value('ratatosk_hosts'), 1)
      await assert.rejects(house.account('paris@gone.example'), { code: 'RTK_ACCOUNT_HOST' })
      const told = house.log().filter(({ text }) => text.startsWith('hosts were'))
      assert.deepEqual(told, [{ text: 'hosts were removed', hosts: ['gone.example'], sessionsEnded: 2 }])

      assert.deepEqual((await house.reload(all)).hosts, { added: ['gone.example'], removed: [], sessionsEnded: 0 })
      const nurse = await house.person('nurse@gone.example/here')
      nurse.says('<presence/>')
      const back = await house.person('juliet@gone.example/phone')
      back.says('<presence/>')
      romeo.heard.length = 0
      romeo.says(message('juliet@gone.example', 'again'))
      await house.passes(100)
      assert.deepEqual(nurse.bodies(), ['kept'])
      assert.deepEqual(back.bodies(), ['again'])
      // They still see each other: the rosters were kept, on both sides.
      assert.ok(back.heard.some((el) => el.name === 'presence' && el.attr('from') === 'romeo@localhost/here'))
      assert.ok(romeo.heard.some((el) => el.name === 'presence' && el.attr('from') === 'juliet@gone.example/phone'))
      // The one who stayed is who he was.
      assert.equal(house.server.core.sessions.find(romeo.client.jid), session)
      assert.equal(house.server.metrics.value('ratatosk_handler_faults_total'), 0)
    }))

  it('is forgotten: what is asked of its accounts meanwhile is not remembered when it comes back', () =>
    inHouse({ hosts: all }, async (house) => {
      await house.account('juliet@gone.example')
      const { server } = house
      const host = server.core.host('gone.example')
      assert.ok(host)
      for (const name of ['juliet', 'nobody']) await server.accounts.exists(host, name)
      assert.equal(server.metrics.value('ratatosk_account_cache_entries'), 2)
      await house.reload(rest)
      await house.passes(10_000)
      assert.equal(server.core.knownHost('gone.example'), undefined)
      assert.equal(server.metrics.value('ratatosk_account_cache_entries'), 0)
      await assert.rejects(Promise.resolve(server.accounts.exists(host, 'juliet')), { code: 'RTK_HOST_REMOVED' })
      await house.reload(all)
      const again = server.core.host('gone.example')
      assert.ok(again)
      assert.equal(await server.accounts.exists(again, 'juliet'), true)
    }))

  it('stays when the reload fails, with its sessions', () =>
    inHouse({ hosts: all }, async (house) => {
      await house.account('juliet@gone.example')
      const juliet = await house.person('juliet@gone.example/phone')
      const nowhere = [{ protocol: 'http', address: '192.0.2.1', port: 1 }]
      await assert.rejects(house.reload(rest, { listeners: nowhere }), { code: 'RTK_NET_ADDRESS_NOT_AVAILABLE' })
      juliet.says(message('juliet@gone.example/phone', 'still here'))
      await house.passes(100)
      assert.deepEqual(juliet.bodies(), ['still here'])
      assert.deepEqual(house.told, ['setup localhost,gone.example'])
    }))

  it('is told to modules, once each way; its type has them as long as it has a host', () => {
    const three = { ...types, 'other.example': 'school' }
    return inHouse({ hosts: three, sections: school }, async (house) => {
      const told = () => (house.told as string[]).splice(0)
      told()
      await house.reload({ localhost: 'default', 'other.example': 'school' })
      await house.passes(1_000)
      // `host()` does not find it any more when it is told.
      assert.deepEqual(told(), ['-gone.example?'])
      await house.reload({ localhost: 'default' })
      await house.passes(1_000)
      assert.deepEqual(told(), ['-other.example?', 'stop'])
      assert.equal(house.server.modulesOf('school'), undefined)
      assert.equal(house.server.core.hostType('school').hooks.size, 0)
      await house.reload(three)
      assert.deepEqual(told(), ['setup ', '+gone.example', '+other.example'])
      // Gone and back before its modules were taken down: they are, and are set up again.
      const going = house.reload({ localhost: 'default' })
      const coming = house.reload(three)
      await Promise.all([going, coming])
      assert.deepEqual(told(), [
        '-gone.example?',
        '-other.example?',
        'stop',
        'setup ',
        '+gone.example',
        '+other.example',
      ])
    })
  })

  it('with its host type, which is in the file no more', () =>
    inHouse({ hosts: types, sections: school }, async (house) => {
      for (const address of ['romeo@localhost', 'juliet@gone.example']) await house.account(address)
      const [romeo, juliet] = [
        await house.person('romeo@localhost/here'),
        await house.person('juliet@gone.example/phone'),
      ]
      await befriended(house, romeo, juliet)
      romeo.heard.length = 0
      // The store is slow: whom to tell is known long after the session has ended.
      house.engine.latencyMs = 300
      await house.server.modulesOf('school')?.reload('roster')
      await house.reload({ localhost: 'default' }, { host_types: {} })
      assert.equal(await endOf(juliet), 'host-gone')
      await house.passes(5_000)
      assert.deepEqual(
        romeo.heard.map((el) => `${el.attr('from')} ${el.attr('type')}`),
        ['juliet@gone.example/phone unavailable'],
      )
      assert.equal(house.server.modulesOf('school'), undefined)
      assert.deepEqual((await house.reload({ localhost: 'default' }, { host_types: {} })).applied, [])
      assert.deepEqual([...house.server.config.host_types.keys()], ['default'])
    }))

  it('a server that is closed meanwhile ends in good order', () =>
    inHouse({ hosts: all }, async (house) => {
      await house.account('juliet@gone.example')
      // Their connections linger: they do not read that they shall go.
      for (let n = 0; n < 3; n++) (await house.person(`juliet@gone.example/${n}`)).client.transport.pause()
      assert.equal((await house.reload(rest)).hosts.sessionsEnded, 3)
      assert.ok(house.server.core.knownHost('gone.example'))
      const began = house.simulation.now
      await house.server.close()
      assert.ok(house.simulation.now - began < 10_000)
      assert.equal(house.server.core.knownHost('gone.example'), undefined)
      assert.deepEqual(house.told, ['setup localhost,gone.example', '-gone.example?', 'stop'])
    }))
})

describe('a host that is removed while clients sign in to it', () => {
  const steps: readonly (readonly [string, string, RegExp])[] = [
    ['its header', header('gone.example'), /<\/stream:features>/],
    [
      'the first message of SCRAM',
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>${btoa('n,,n=juliet,r=abc')}</auth>`,
      /<challenge /,
    ],
  ]
  for (let count = 1; count <= steps.length; count++) {
    it(`ends a stream after ${steps[count - 1]?.[0]}`, () =>
      inHouse({ hosts: all }, async (house) => {
        await house.account('juliet@gone.example')
        const place = { kind: 'tcp', host: 'server', port: portOfHouse } as const
        const wire = await Wire.open(house.simulation.world('juliet'), place, 60_000)
        for (const [, text, answer] of steps.slice(0, count)) {
          wire.says(text)
          await wire.hears(answer)
        }
        await house.reload(rest)
        await wire.hears(/<stream:error><host-gone .*<\/stream:stream>/)
        await wire.isClosed()
      }))
  }

  it('ends a stream that has signed in, and the host that comes back does not know it', () =>
    SymbolicServer.run({ listeners: [listener] }, async (symbolic) => {
      const ground = groundOf(symbolic, 'none')
      const [told, deaf] = [await ground.signedIn(), await ground.signedIn()]
      deaf.transport.pause()
      const others = { listeners: [listener], hosts: ['other.example'] }
      await symbolic.reload(others)
      await told.hears(/<stream:error><host-gone .*<\/stream:stream>/)
      const opens = await symbolic.wire('romeo')
      opens.says(header('localhost'))
      await opens.hears(/<stream:error><host-unknown .*<\/stream:stream>/)
      // One that has not heard of it yet, and goes on.
      await symbolic.reload({ listeners: [listener] })
      deaf.says(bind('here'))
      deaf.transport.resume()
      await deaf.isClosed()
      assert.equal(symbolic.counter('ratatosk_sessions'), 0)
      const again = await ground.bound()
      again.says(message('romeo@localhost/here', 'back'))
      await again.hears(/back/)
    }))

  for (const seed of seeds(10)) {
    it(`ends each log-in one way, seed ${seed}`, () =>
      inHouse({ hosts: all, seed }, async (house) => {
        const { simulation, server } = house
        for (const address of ['romeo@localhost', 'juliet@gone.example']) await house.account(address)
        house.engine.latencyMs = 2
        const began = simulation.now
        await (await house.person('juliet@gone.example/first')).client.close()
        const takes = simulation.now - began
        const told: string[] = []
        const logIn = async (address: string) => {
          const found = await house.person(address).catch((error: unknown) => error)
          if (!(found instanceof ClientFailure)) told.push(await endOf(found as Person))
          else told.push(found.end?.kind === 'peer-error' ? found.end.error.condition : (found.end?.kind ?? found.code))
        }
        const romeo = await house.person('romeo@localhost/here')
        const logIns: Promise<void>[] = []
        // At the reload some have a resource, some are under way, some have not come yet.
        for (let n = 0; n < 40; n++) {
          logIns.push(logIn(`juliet@gone.example/${n}`))
          if (n === 20) void house.reload(rest)
          await house.passes(simulation.random.below(Math.ceil((takes * 1_000) / 5)) / 1_000)
        }
        await Promise.all(logIns)
        assert.deepEqual(new Set(told), new Set(['host-gone', 'host-unknown']))
        assert.equal(server.core.sessions.count(), 1)
        romeo.says(message('romeo@localhost/here', 'well'))
        await house.passes(5_000)
        assert.deepEqual(romeo.bodies(), ['well'])
        assert.equal(server.metrics.value('ratatosk_connections'), 1)
        assert.equal(server.metrics.value('ratatosk_handler_faults_total'), 0)
        await house.reload(all)
        assert.ok(await house.person('juliet@gone.example/phone'))
      }))
  }
})

describe('a host that is removed with thousands of stanzas in flight', () => {
  const count = 3_000

  /** Where each numbered message is: with her, back at its sender as an error, or kept for her. */
  async function placesOf(
    house: House,
    romeo: Person,
    juliet: Person,
    hosts: Parameters<House['reload']>[0] = all,
  ): Promise<string[][]> {
    await house.reload(hosts)
    const later = await house.person('juliet@gone.example/later')
    later.says('<presence/>')
    await house.passes(5_000)
    const places = Array.from({ length: count }, (): string[] => [])
    for (const body of juliet.bodies()) places[Number(body)]?.push('read')
    for (const body of later.bodies()) places[Number(body)]?.push('kept')
    for (const error of errors(romeo)) places[Number(/^m(\d+) /.exec(error)?.[1])]?.push('error')
    return places
  }

  for (const seed of seeds(8)) {
    // XEP-0198: what she has is asked for before she is told, or it would be kept for her as well.
    const isCounting = seed % 2 === 0
    it(`each message is at one place, ${isCounting ? 'she counts, ' : ''}seed ${seed}`, () =>
      inHouse({ hosts: all, seed, sections: { modules: { offline: { messages_max: count } } } }, async (house) => {
        for (const address of ['romeo@localhost', 'juliet@gone.example']) await house.account(address)
        const [romeo, juliet] = [
          await house.person('romeo@localhost/here'),
          await house.person('juliet@gone.example/phone'),
        ]
        if (isCounting) assert.equal((await juliet.client.enable())?.name, 'enabled')
        juliet.says('<presence/>')
        await house.passes(100)
        house.engine.latencyMs = 1
        const { random } = house.simulation
        const at = 500 + random.below(2_000)
        let reloading: Promise<unknown> = Promise.resolve()
        // To her resource, to a resource that is not there, and to her; some wait for the store.
        const to = ['juliet@gone.example/phone', 'juliet@gone.example/else', 'juliet@gone.example']
        for (let n = 0; n < count; n++) {
          romeo.says(message(to[n % to.length] as string, n))
          juliet.says(message('romeo@localhost/here', n))
          if (n % 100 === 0) await house.passes(random.below(3_000) / 1_000)
          if (n === at) reloading = house.reload(rest)
        }
        await reloading
        assert.equal(await endOf(juliet), 'host-gone')
        await house.passes(5_000)
        const places = await placesOf(house, romeo, juliet)
        assert.deepEqual(
          places.flatMap((found, n) => (found.length === 1 ? [] : `${n}: ${found}`)),
          [],
        )
        const found = new Set(places.flat())
        assert.ok(found.has('read') && found.has('error'), [...found].join())
        // What she had said before was routed, in order.
        const said = romeo.bodies()
        assert.deepEqual(
          said,
          Array.from(said, (_, n) => String(n)),
        )
        assert.ok(said.length >= at / 2, `${said.length} of ${at}`)
      }))
  }

  it('of what does not leave for one who reads nothing, all but what the network had is kept, though it was the last host of its type', () =>
    inHouse({ hosts: types, sections: { ...school, modules: { offline: { messages_max: count } } } }, async (house) => {
      for (const address of ['romeo@localhost', 'juliet@gone.example']) await house.account(address)
      const [romeo, juliet] = [
        await house.person('romeo@localhost/here'),
        await house.person('juliet@gone.example/phone'),
      ]
      juliet.says('<presence/>')
      await house.passes(100)
      const { network } = house.simulation
      network.everywhere = { ...network.everywhere, windowBytes: 4_096 }
      juliet.client.transport.pause()
      for (let n = 0; n < count; n++) romeo.says(message('juliet@gone.example', n))
      await house.passes(2_000)
      // Its modules are needed until the slow store has taken the last.
      house.engine.latencyMs = 50
      await house.reload(rest)
      await house.passes(20_000)
      assert.equal(house.server.metrics.value('ratatosk_accounts_unsettled'), 0)
      assert.equal(house.server.core.knownHost('gone.example'), undefined)
      assert.equal(house.server.modulesOf('school'), undefined)
      house.engine.latencyMs = 0
      const places = await placesOf(house, romeo, juliet, types)
      const lost = places.filter((found) => found.length === 0).length
      assert.deepEqual(
        places.filter((found) => found.length > 1),
        [],
      )
      const kept = places.flat().filter((place) => place === 'kept').length
      // 4 KB of the network on each side, 12 KB of a client that has stopped reading: 300 bytes each and less.
      assert.ok(lost < 150 && kept > count - 150, `${kept} kept, ${lost} lost`)
      assert.equal(jid('juliet@gone.example').domain, 'gone.example')
    }))
})

it('LST-14: 100 sessions in numbered conversation on other hosts lose nothing while hosts come and go over 50 reloads', () => {
  const stays = ['localhost', 'second.example']
  const goes = ['gone.example', 'away.example']
  return inHouse({ hosts: [...stays, ...goes], sections: { session: { max_per_user: 100 } } }, async (house) => {
    const { server } = house
    await Promise.all([...stays, ...goes].map((domain) => house.account(`talker@${domain}`)))
    /** Pairs of one host and of two, who answer each number with the next one. */
    const talks: { readonly people: readonly Person[]; readonly heard: number[]; next: number }[] = []
    for (let n = 0; n < 50; n++) {
      const people = [await house.person(`talker@localhost/${n}`), await house.person(`talker@${stays[n % 2]}/b${n}`)]
      const talk = { people, heard: [] as number[], next: 1 }
      for (const [i, person] of people.entries()) {
        const other = people[1 - i]?.client.jid
        person.client.onStanza = (el) => {
          talk.heard.push(Number(el.child('body', NS_CLIENT)?.text))
          person.says(message(`${other}`, ++talk.next))
        }
      }
      talks.push(talk)
      people[0]?.says(message(`${people[1]?.client.jid}`, 1))
    }
    let ended = 0
    let before = 0
    for (let round = 0; round < 50; round++) {
      // One of the two goes, the other comes back; somebody is there, and writes to those who stay.
      const [there, away] = round % 2 === 0 ? goes : goes.toReversed()
      const { hosts } = await house.reload([...stays, there as string])
      assert.deepEqual(hosts.removed, round === 0 ? ['away.example'] : [away])
      ended += hosts.sessionsEnded
      const guest = await house.person(`talker@${there}/guest`)
      guest.says(`<presence/><presence to='talker@localhost/no'/>${message('talker@localhost/no', round, 'normal')}`)
      await house.passes(20)
      const said = talks.reduce((sum, { next }) => sum + next, 0)
      assert.ok(said > before + talks.length, `${said - before} in round ${round}`)
      before = said
    }
    assert.equal(ended, 49)
    for (const { people } of talks) for (const { client } of people) client.onStanza = () => undefined
    for (const [n, { heard, next }] of talks.entries()) {
      assert.deepEqual(
        heard,
        Array.from(heard, (_, i) => i + 1),
        `talk ${n}`,
      )
      assert.ok(heard.length >= next - 1, `talk ${n}: ${heard.length} of ${next}`)
    }
    assert.equal(server.core.sessions.count(), 101)
    assert.equal(server.metrics.value('ratatosk_handler_faults_total'), 0)
  })
})
