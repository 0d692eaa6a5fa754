/** Modules of a host type whose last host was removed stay until what they had under way is over, but not for ever. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { befriended, type House, inHouse, type Person } from './hosts.testing.ts'

const types = { localhost: 'default', 'gone.example': 'school' }
const rest = { localhost: 'default' }
const school = { host_types: { school: {} } }

/** Two friends, of whom one is on the host that goes; nothing of its rosters and lists is in memory any more. */
async function friends(house: House): Promise<{ readonly romeo: Person; readonly juliet: Person }> {
  for (const address of ['romeo@localhost', 'juliet@gone.example']) await house.account(address)
  const [romeo, juliet] = [await house.person('romeo@localhost/here'), await house.person('juliet@gone.example/phone')]
  await befriended(house, romeo, juliet)
  romeo.heard.length = 0
  house.engine.latencyMs = 100
  await house.server.modulesOf('school')?.reload('roster')
  return { romeo, juliet }
}

const presences = ({ heard }: Person) =>
  heard.flatMap((el) => (el.name === 'presence' ? [`${el.attr('from')} ${el.attr('type')}`] : []))
const left = ['juliet@gone.example/phone unavailable']
const isThere = (house: House) => house.server.modulesOf('school') !== undefined
const givenUp = (house: House) => house.log().filter(({ code }) => code === 'RTK_MODULE_UNDER_WAY')

it('a departure that the store would not tell of at first is told, and then the modules go', () =>
  inHouse({ hosts: types, sections: { ...school, limits: { hook_timeout: '1 minute' } } }, async (house) => {
    const { romeo } = await friends(house)
    house.engine.hang()
    await house.reload(rest)
    // It is asked, is given up, and is asked again some seconds later.
    await house.passes(8_500)
    assert.deepEqual([presences(romeo), isThere(house)], [[], true])
    house.engine.resume()
    await house.passes(1_000)
    assert.deepEqual([presences(romeo), isThere(house)], [[], true])
    await house.passes(5_000)
    assert.deepEqual([presences(romeo), isThere(house)], [left, false])
    assert.deepEqual(givenUp(house), [])
  }))

it('a store that never answers keeps them for hook_timeout, and the next reload no longer', () =>
  inHouse({ hosts: types, sections: { ...school, limits: { hook_timeout: '20 seconds' } } }, async (house) => {
    const { romeo } = await friends(house)
    house.engine.hang()
    await house.reload(rest)
    const began = house.simulation.now
    const next = house.reload(rest)
    await house.passes(19_000)
    assert.deepEqual([isThere(house), givenUp(house).length], [true, 0])
    await house.passes(2_000)
    assert.deepEqual([isThere(house), presences(romeo)], [false, []])
    assert.deepEqual(
      givenUp(house).map(({ hostType }) => hostType),
      ['school'],
    )
    assert.ok(house.server.metrics.value('ratatosk_hook_timeouts_total') > 0)
    await next
    assert.ok(house.simulation.now - began < 25_000)
    house.engine.resume()
    house.engine.latencyMs = 0
    await house.reload(types)
    assert.ok(isThere(house))
  }))

it('a server that is closed meanwhile waits no longer for them either', () =>
  inHouse({ hosts: types, sections: school }, async (house) => {
    await friends(house)
    house.engine.hang()
    await house.reload(rest)
    const began = house.simulation.now
    const tookMs = house.server.close().then(() => house.simulation.now - began)
    await house.passes(60_000)
    assert.ok((await tookMs) < 12_000, `${await tookMs} ms`)
    assert.deepEqual(house.told.slice(-2), ['stop', 'stop'])
  }))
