/** XEP-0049: what is kept by namespace, that it is the owner's alone, errors, limits, and the account's data. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AccountData } from '../../core/hooks.ts'
import type { Element } from '../../xml/element.types.ts'
import { type Actor, House, show } from '../modules.testing.ts'

const NS = 'jabber:iq:private'
const me = 'romeo@montague.net'
const query = (content = '') => `<query xmlns='${NS}'>${content}</query>`
const prefs = (nick = '') => `<exodus xmlns='exodus:prefs'>${nick === '' ? '' : `<nick>${nick}</nick>`}</exodus>`
const asked = `<exodus xmlns='exodus:prefs'/>`
const conditionOf = (el: Element | undefined) => el?.child('error')?.elements[0]?.name

/** What is inside of the query, or the condition of the error. */
async function read(actor: Actor, content = asked, to?: string): Promise<string> {
  const answer = await actor.ask('get', query(content), to)
  if (answer.attr('type') === 'error') return conditionOf(answer) ?? 'error'
  const got = answer.child('query', NS)
  assert.ok(got)
  return got.elements.map((el) => show(el)).join('')
}

async function write(actor: Actor, content: string, to?: string): Promise<string> {
  const answer = await actor.ask('set', query(content), to)
  if (answer.attr('type') === 'result') assert.deepEqual(answer.elements, [])
  return conditionOf(answer) ?? answer.attr('type') ?? ''
}

describe('what a client keeps (§2.3)', () => {
  it('comes back as it was set, to each resource of the account', async () => {
    const house = await House.build()
    const [one, two] = [house.actor(`${me}/one`), house.actor(`${me}/two`)]
    assert.equal(await write(one, prefs('Hämlet &amp; &lt;co&gt;')), 'result')
    const answer = await two.ask('get', query(asked), me)
    assert.equal(answer.attr('from'), me)
    assert.equal(answer.child('query', NS)?.child('exodus', 'exodus:prefs')?.childText('nick'), 'Hämlet & <co>')
  })

  it('what was never set is empty', async () => {
    const house = await House.build()
    const romeo = house.actor(`${me}/a`)
    assert.equal(await read(romeo), asked)
    assert.equal(await read(romeo, prefs('not an answer')), asked)
  })

  it('is kept by namespace: a set replaces what one has, and leaves the others', async () => {
    const house = await House.build()
    const romeo = house.actor(`${me}/a`)
    const notes = `<storage xmlns='storage:notes'>x</storage>`
    await write(romeo, prefs('one'))
    await write(romeo, notes)
    await write(romeo, prefs('two'))
    assert.match(await read(romeo), /two/)
    assert.equal(await read(romeo, `<storage xmlns='storage:notes'/>`), notes)
  })

  it('several elements of one namespace are kept in their order', async () => {
    const house = await House.build()
    const romeo = house.actor(`${me}/a`)
    const several = `<a xmlns='urn:n'>1</a><b xmlns='urn:n'/><a xmlns='urn:n'>2</a>`
    assert.equal(await write(romeo, several), 'result')
    assert.equal(await read(romeo, `<a xmlns='urn:n'/>`), several)
    assert.equal(await read(romeo, `<b xmlns='urn:n'/><a xmlns='urn:n'/>`), several)
  })

  it('an empty element takes away what was kept', async () => {
    const house = await House.build({ options: { private: { bytes_max: '200 B' } } })
    const romeo = house.actor(`${me}/a`)
    for (let n = 0; n < 5; n++) {
      const element = (text: string) => `<e xmlns='urn:n${n}'>${text}</e>`
      assert.equal(await write(romeo, element('x'.repeat(100))), 'result', 'there is room again')
      assert.equal(await write(romeo, element('')), 'result')
      assert.equal(await read(romeo, element('')), `<e xmlns='urn:n${n}'/>`)
    }
  })

  it('no namespace is reserved', async () => {
    const house = await House.build()
    const romeo = house.actor(`${me}/a`)
    for (const ns of ['vcard-temp', 'jabber:client', 'jabber:x:data', 'http://jabber.org/protocol/muc']) {
      assert.equal(await write(romeo, `<e xmlns='${ns}'><f/></e>`), 'result', ns)
      const answer = await romeo.ask('get', query(`<e xmlns='${ns}'/>`))
      assert.ok(answer.child('query', NS)?.child('e', ns)?.hasChild('f', ns), ns)
    }
  })
})

describe('errors (§2.3, §3)', () => {
  const rows: readonly (readonly [string, 'get' | 'set', string, string])[] = [
    ['a get that asks for nothing', 'get', '', 'bad-request'],
    ['a set of nothing', 'set', 'text', 'not-acceptable'],
    ['a get without a namespace', 'get', '<e/>', 'not-acceptable'],
    ['a set without a namespace', 'set', '<e><f/></e>', 'not-acceptable'],
    ['a set of no namespace at all', 'set', `<e xmlns=''><f/></e>`, 'not-acceptable'],
    ['a set of two namespaces', 'set', `<e xmlns='urn:a'>x</e><e xmlns='urn:b'>x</e>`, 'bad-request'],
    ['a get of two namespaces', 'get', `<e xmlns='urn:a'/><e xmlns='urn:b'/>`, 'bad-request'],
    ['a second element without a namespace', 'set', `<e xmlns='urn:a'>x</e><e/>`, 'not-acceptable'],
  ]
  for (const [name, type, content, condition] of rows) {
    it(`${name}: ${condition}`, async () => {
      const house = await House.build()
      const answer = await house.actor(`${me}/a`).ask(type, query(content))
      assert.equal(conditionOf(answer), condition)
      assert.equal(answer.child('error')?.attr('type'), 'modify')
    })
  }

  it('the data of others are forbidden to read and to write, whether the account exists or not (§4)', async () => {
    const house = await House.build({ accounts: [me, 'juliet@capulet.com', 'romeo@capulet.com'] })
    const romeo = house.actor(`${me}/a`)
    await write(romeo, prefs('mine'))
    const elsewhere = house.elsewhere()
    for (const type of ['get', 'set'] as const) {
      for (const asker of ['juliet@capulet.com/b', 'romeo@capulet.com/a']) {
        const actor = house.actor(asker)
        const there = await actor.ask(type, query(prefs('x')), me)
        const nobody = await actor.ask(type, query(prefs('x')), 'nobody@montague.net')
        assert.equal(conditionOf(there), 'forbidden')
        assert.equal(there.payload, nobody.payload)
      }
      elsewhere.send(`<iq type='${type}' id='1' from='romeo@elsewhere.example/a' to='${me}'>${query(prefs('x'))}</iq>`)
      assert.equal(conditionOf((await elsewhere.drain())[0]), 'forbidden')
    }
    assert.match(await read(romeo), /mine/)
  })

  it('two hosts do not mix', async () => {
    const house = await House.build()
    const [here, there] = [house.actor('romeo@montague.net/a'), house.actor('romeo@capulet.com/a')]
    await write(here, prefs('here'))
    assert.equal(await read(there), asked)
    await write(there, prefs('there'))
    assert.match(await read(here), /here/)
  })

  it('disco tells of it', async () => {
    const house = await House.build()
    const info = `<query xmlns='http://jabber.org/protocol/disco#info'/>`
    const answer = await house.actor(`${me}/a`).ask('get', info, 'montague.net')
    assert.ok(answer.elements[0]?.elements.some((el) => el.attr('var') === NS))
  })
})

describe('limits', () => {
  it('all namespaces of an account together; what was there stays, another account has its own', async () => {
    const house = await House.build({ options: { private: { bytes_max: '1 KiB' } } })
    const romeo = house.actor(`${me}/a`)
    const element = (n: number, size: number) => `<e xmlns='urn:n${n}'>${'x'.repeat(size)}</e>`
    assert.equal(await write(romeo, element(1, 400)), 'result')
    assert.equal(await write(romeo, element(2, 400)), 'result')
    assert.equal(house.core.metrics.value('ratatosk_private_bytes_max_total'), 0)
    assert.equal(await write(romeo, element(2, 600)), 'policy-violation')
    assert.equal(await write(romeo, element(3, 400)), 'policy-violation')
    assert.equal(house.core.metrics.value('ratatosk_private_bytes_max_total'), 2)
    assert.equal(await read(romeo, element(2, 0)), element(2, 400))
    // Its own place is free for what takes it.
    assert.equal(await write(romeo, element(2, 450)), 'result')
    assert.equal(await write(house.actor('juliet@montague.net/a'), element(2, 600)), 'result')
  })

  it('sets that come at once do not pass it together', async () => {
    const house = await House.build({ options: { private: { bytes_max: '1 KiB' } } })
    const resources = Array.from({ length: 10 }, (_, n) => house.actor(`${me}/${n}`))
    resources.forEach((actor, n) => {
      actor.send(`<iq type='set' id='s'>${query(`<e xmlns='urn:n${n}'>${'x'.repeat(250)}</e>`)}</iq>`)
    })
    let kept = 0
    for (const actor of resources) {
      const [answer] = await actor.drain()
      if (answer?.attr('type') === 'result') kept++
      else assert.equal(conditionOf(answer), 'policy-violation')
    }
    assert.equal(kept, 3)
  })

  it('the name of a namespace', async () => {
    const house = await House.build({ options: { private: { namespace_max: '10 B' } } })
    const romeo = house.actor(`${me}/a`)
    assert.equal(await write(romeo, `<e xmlns='urn:n67890'>x</e>`), 'result')
    assert.equal(await write(romeo, `<e xmlns='urn:n6789è'>x</e>`), 'policy-violation')
    assert.equal(house.core.metrics.value('ratatosk_private_namespace_max_total'), 1)
    assert.equal(await read(romeo, `<e xmlns='urn:n67890'/>`), `<e xmlns='urn:n67890'>x</e>`)
  })

  it('what a store that fails does not keep is told', async () => {
    const house = await House.build()
    const { storeError } = await import('../../store/errors.ts')
    const romeo = house.actor(`${me}/a`)
    house.engine.failing = storeError('RTK_STORE_DISK_FULL', 'full')
    assert.equal(await write(romeo, prefs('lost')), 'internal-server-error')
    house.engine.failing = undefined
    assert.equal(await read(romeo), asked)
  })
})

describe('the data of an account', () => {
  it('is exported, deleted, and imported; what cannot be read is left out; what is there stays', async () => {
    const house = await House.build()
    const { hooks } = house.core.hostType('default')
    const at = { host: house.host('montague.net'), local: 'romeo' }
    const romeo = house.actor(`${me}/a`)
    const element = (n: number, text = String(n)) => `<e xmlns='urn:n${n}'>${text}</e>`
    for (let n = 0; n < 120; n++) await write(romeo, element(n))
    await write(house.actor('romeo@capulet.com/a'), element(0, 'other'))
    const data = await house.wait(hooks.waitingFold('account:export', [], at))
    assert.equal(data.find((part) => part.store === 'private')?.rows.length, 120)
    assert.equal(await house.wait(hooks.waitingNotice('account:delete', at)), 0)
    assert.equal(await read(romeo, element(0, '')), `<e xmlns='urn:n0'/>`)
    assert.equal(await read(house.actor('romeo@capulet.com/b'), element(0, '')), element(0, 'other'))
    await write(romeo, element(7, 'newer'))
    const wrong = ['no xml', query(), query(`<e xmlns='urn:a'/><e xmlns='urn:b'/>`), `<query xmlns='urn:x'/>`]
    const rows: AccountData['rows'] = [...wrong.map((text) => ({ data: text })), {}]
    const given = [{ store: 'private', rows }, ...data]
    assert.equal(await house.wait(hooks.waitingNotice('account:import', { ...at, data: given })), 0)
    assert.equal(await read(romeo, element(119, '')), element(119))
    assert.equal(await read(romeo, element(7, '')), element(7, 'newer'))
    const told = house.log.lines.filter((line) => line.fields['code'] === 'RTK_PRIVATE_IMPORT')
    assert.deepEqual(
      told.map((line) => line.fields['rows']),
      [5],
    )
  })
})
