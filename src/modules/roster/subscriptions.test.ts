/** RFC 6121 appendix A: every state × stanza × direction, through a real session, a real store and another server. */
import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import type { Element } from '../../xml/element.types.ts'
import { brief, type Elsewhere, House, show } from '../modules.testing.ts'
import { rosterStore } from './roster.store.ts'

type State = readonly [subscription: string, pending: '' | 'out' | 'in' | 'out+in']

const states: Readonly<Record<string, State>> = {
  None: ['none', ''],
  'None + Pending Out': ['none', 'out'],
  'None + Pending In': ['none', 'in'],
  'None + Pending Out+In': ['none', 'out+in'],
  To: ['to', ''],
  'To + Pending In': ['to', 'in'],
  From: ['from', ''],
  'From + Pending Out': ['from', 'out'],
  Both: ['both', ''],
}

/** `state` undefined: no change. */
interface Row {
  readonly from: string
  readonly routed: boolean
  readonly to: string | undefined
  readonly reply?: string
}

const rows = (text: string): readonly Row[] =>
  text
    .trim()
    .split('\n')
    .map((line) => {
      const [from = '', goes = '', to = '', reply] = line.split('|').map((cell) => cell.trim())
      const row = { from, routed: goes === 'yes', to: to === '-' ? undefined : to }
      return reply === undefined ? row : { ...row, reply }
    })

// The tables of the RFC, cell by cell. Outbound: existing state | routed | new state.
const outbound: Readonly<Record<string, readonly Row[]>> = {
  subscribe: rows(`
    None                  | yes | None + Pending Out
    None + Pending Out    | yes | -
    None + Pending In     | yes | None + Pending Out+In
    None + Pending Out+In | yes | -
    To                    | yes | -
    To + Pending In       | yes | -
    From                  | yes | From + Pending Out
    From + Pending Out    | yes | -
    Both                  | yes | -`),
  unsubscribe: rows(`
    None                  | yes | -
    None + Pending Out    | yes | None
    None + Pending In     | yes | -
    None + Pending Out+In | yes | None + Pending In
    To                    | yes | None
    To + Pending In       | yes | None + Pending In
    From                  | yes | -
    From + Pending Out    | yes | From
    Both                  | yes | From`),
  subscribed: rows(`
    None                  | no  | None approved
    None + Pending Out    | no  | None + Pending Out approved
    None + Pending In     | yes | From
    None + Pending Out+In | yes | From + Pending Out
    To                    | no  | To approved
    To + Pending In       | yes | Both
    From                  | no  | -
    From + Pending Out    | no  | -
    Both                  | no  | -`),
  unsubscribed: rows(`
    None                  | no  | -
    None + Pending Out    | no  | -
    None + Pending In     | yes | None
    None + Pending Out+In | yes | None + Pending Out
    To                    | no  | -
    To + Pending In       | yes | To
    From                  | yes | None
    From + Pending Out    | yes | None + Pending Out
    Both                  | yes | To`),
}

// Inbound: existing state | delivered | new state | answered on the account's behalf.
const inbound: Readonly<Record<string, readonly Row[]>> = {
  subscribe: rows(`
    None                  | yes | None + Pending In     |
    None + Pending Out    | yes | None + Pending Out+In |
    None + Pending In     | no  | -                     |
    None + Pending Out+In | no  | -                     |
    To                    | yes | To + Pending In       |
    To + Pending In       | no  | -                     |
    From                  | no  | -                     | subscribed
    From + Pending Out    | no  | -                     | subscribed
    Both                  | no  | -                     | subscribed`),
  unsubscribe: rows(`
    None                  | no  | -                     |
    None + Pending Out    | no  | -                     |
    None + Pending In     | yes | None                  | unsubscribed
    None + Pending Out+In | yes | None + Pending Out    | unsubscribed
    To                    | no  | -                     |
    To + Pending In       | yes | To                    | unsubscribed
    From                  | yes | None                  | unsubscribed
    From + Pending Out    | yes | None + Pending Out    | unsubscribed
    Both                  | yes | To                    | unsubscribed`),
  subscribed: rows(`
    None                  | no  | -                     |
    None + Pending Out    | yes | To                    |
    None + Pending In     | no  | -                     |
    None + Pending Out+In | yes | To + Pending In       |
    To                    | no  | -                     |
    To + Pending In       | no  | -                     |
    From                  | no  | -                     |
    From + Pending Out    | yes | Both                  |
    Both                  | no  | -                     |`),
  unsubscribed: rows(`
    None                  | no  | -                     |
    None + Pending Out    | yes | None                  |
    None + Pending In     | no  | -                     |
    None + Pending Out+In | yes | None + Pending In     |
    To                    | yes | None                  |
    To + Pending In       | yes | None + Pending In     |
    From                  | no  | -                     |
    From + Pending Out    | yes | From                  |
    Both                  | yes | From                  |`),
}

const romeo = { host: 'montague.net', local: 'romeo' }
const contact = 'juliet@verona.example'

async function inState(name: string, listed: boolean) {
  const house = await House.build({ hosts: ['montague.net'], accounts: ['romeo@montague.net'] })
  const store = await house.wait(house.stores.open(rosterStore))
  const [subscription, pending] = states[name] as State
  const isRecord = listed || name !== 'None'
  if (isRecord) {
    const row = {
      contact,
      name: '',
      subscription,
      pending_out: pending.startsWith('out'),
      pending_in: pending.endsWith('in'),
      listed,
      approved: false,
      groups: '[]',
      request: null,
    }
    await house.wait(store.importItems(romeo, [row]))
  }
  const elsewhere = house.elsewhere()
  // One resource that is available and interested, one that is only interested, one that is only available.
  const both = await house.online('romeo@montague.net/both')
  const interested = house.actor('romeo@montague.net/interested')
  await interested.ask('get', `<query xmlns='jabber:iq:roster'/>`)
  const available = house.actor('romeo@montague.net/available')
  available.send('<presence/>')
  for (const one of [both, interested, available]) await one.drain()
  await elsewhere.drain()
  const stored = async () => (await house.wait(store.items(romeo)))[0]
  return { house, elsewhere, both, interested, available, stored }
}

type Scene = Awaited<ReturnType<typeof inState>>

const isPush = (el: Element) => el.name === 'iq' && el.attr('type') === 'set'

function pushed(el: Element): string {
  const query = el.child('query', 'jabber:iq:roster')
  const item = query?.elements[0]
  const flags = [item?.attr('ask') === undefined ? '' : ' out', item?.attr('approved') === undefined ? '' : ' approved']
  return `${item?.attr('jid')} ${item?.attr('subscription')}${flags.join('')}`
}

/** As a push shows a state; Pending In is not shown. */
function shown(name: string): string {
  const [subscription, pending] = states[name.replace(' approved', '')] as State
  const approved = name.endsWith(' approved') ? ' approved' : ''
  return `${contact} ${subscription}${pending.startsWith('out') ? ' out' : ''}${approved}`
}

async function assertStored(scene: Scene, name: string, isListed: boolean): Promise<void> {
  const row = await scene.stored()
  const [subscription, pending] = states[name.replace(' approved', '')] as State
  if (name === 'None' && !isListed) {
    assert.equal(row, undefined, 'no record is left')
    return
  }
  assert.ok(row, 'there is a record')
  assert.deepEqual(
    { subscription: row.subscription, out: row.pending_out, in: row.pending_in, approved: row.approved },
    {
      subscription,
      out: pending.startsWith('out'),
      in: pending.endsWith('in'),
      approved: name.endsWith(' approved'),
    },
  )
  assert.equal(row.listed, isListed, 'whether it is an item of the roster')
}

/** Pushes go to interested resources only, one each, with one version. */
async function assertPushes(scene: Scene, expected: string | undefined): Promise<readonly (readonly Element[])[]> {
  const [both, interested, available] = [
    [...(await scene.both.drain())],
    [...(await scene.interested.drain())],
    [...(await scene.available.drain())],
  ] as const
  for (const came of [both, interested]) {
    assert.deepEqual(came.filter(isPush).map(pushed), expected === undefined ? [] : [expected])
  }
  assert.deepEqual(available.filter(isPush), [])
  const versions = [both, interested].flatMap((came) =>
    came.filter(isPush).map((el) => el.child('query', 'jabber:iq:roster')?.attr('ver')),
  )
  if (expected !== undefined) {
    assert.ok(versions[0])
    assert.equal(versions[0], versions[1])
  }
  return [both, interested, available]
}

const presenceTo = (elsewhere: readonly Element[]) => elsewhere.map(brief)

describe('appendix A.2: what the account sends', () => {
  for (const [type, table] of Object.entries(outbound)) {
    for (const row of table) {
      // "None" and "None + Pending In" also without an item of the roster (A.1).
      const variants = row.from === 'None' || row.from === 'None + Pending In' ? [true, false] : [true]
      for (const listed of variants) {
        it(`${type} in ${row.from}${listed ? '' : ', no item'}`, async () => {
          const scene = await inState(row.from, listed)
          scene.available.send(`<presence type='${type}' to='${contact}/balcony' id='s1'/>`)
          const came = await scene.elsewhere.drain()
          const [before] = states[row.from] as State
          const [after] = states[(row.to ?? row.from).replace(' approved', '')] as State
          const had = before === 'from' || before === 'both'
          const has = after === 'from' || after === 'both'
          const leaving =
            had && !has ? ['both', 'available'].map((r) => `presence/unavailable romeo@montague.net/${r}`) : []
          const coming = !had && has ? ['both', 'available'].map((r) => `presence romeo@montague.net/${r}`) : []
          const routed = row.routed ? [`presence/${type} romeo@montague.net`] : []
          // Section 3.2.2: the resources leave first. Section 3.1.5: they come afterwards.
          assert.deepEqual(presenceTo(came), [...leaving, ...routed, ...coming])
          for (const el of came) assert.equal(el.attr('to'), contact, 'to the bare JID')
          const isListed = listed || (row.to !== undefined && type !== 'unsubscribed')
          const isVisible = row.to !== undefined && isListed && (shown(row.to) !== shown(row.from) || !listed)
          await assertPushes(scene, isVisible ? shown(row.to as string) : undefined)
          await assertStored(scene, row.to ?? row.from, isListed)
        })
      }
    }
  }
})

describe('appendix A.3: what the account receives', () => {
  for (const [type, table] of Object.entries(inbound)) {
    for (const row of table) {
      const variants = row.from === 'None' || row.from === 'None + Pending In' ? [true, false] : [true]
      for (const listed of variants) {
        it(`${type} in ${row.from}${listed ? '' : ', no item'}`, async () => {
          const scene = await inState(row.from, listed)
          scene.elsewhere.send(`<presence type='${type}' from='${contact}' to='romeo@montague.net' id='s1'/>`)
          const replies = await scene.elsewhere.drain()
          const [before] = states[row.from] as State
          const [after] = states[row.to ?? row.from] as State
          const isRevoked = (before === 'from' || before === 'both') && !(after === 'from' || after === 'both')
          const leaving = isRevoked
            ? ['both', 'available'].map((r) => `presence/unavailable romeo@montague.net/${r}`)
            : []
          const reply = row.reply === '' ? [] : [`presence/${row.reply} romeo@montague.net`]
          assert.deepEqual(presenceTo(replies), [...leaving, ...reply])
          const isVisible = row.to !== undefined && listed && shown(row.to) !== shown(row.from)
          const came = await assertPushes(scene, isVisible ? shown(row.to as string) : undefined)
          // Section 3.1.3: requests to available resources. Sections 3.1.6, 3.2.3, 3.3.3: the rest to interested ones.
          const expected = type === 'subscribe' ? [1, 0, 1] : [1, 1, 0]
          const delivered = came.map((list) => list.filter((el) => el.attr('type') === type && el.name === 'presence'))
          assert.deepEqual(
            delivered.map((list) => list.length),
            row.routed ? expected : [0, 0, 0],
          )
          for (const el of delivered.flat()) assert.equal(el.attr('to'), 'romeo@montague.net')
          if (row.routed && isVisible) {
            const order = came[0]?.map((el) => (isPush(el) ? 'push' : el.attr('type')))
            assert.deepEqual(order, [type, 'push'], 'delivery before the push')
          }
          await assertStored(scene, row.to ?? row.from, listed)
        })
      }
    }
  }
})

describe('pre-approval (section 3.4)', () => {
  async function approved(): Promise<{
    house: House
    elsewhere: Elsewhere
    romeo: Awaited<ReturnType<House['online']>>
  }> {
    const house = await House.build({ hosts: ['montague.net'] })
    const elsewhere = house.elsewhere()
    const player = await house.online('romeo@montague.net/orchard')
    player.send(`<presence type='subscribed' to='${contact}'/>`)
    assert.deepEqual((await player.drain()).filter(isPush).map(pushed), [`${contact} none approved`])
    assert.deepEqual(await elsewhere.drain(), [])
    return { house, elsewhere, romeo: player }
  }

  it('answers the request, pushes, then shows the resources; the client sees no request', async () => {
    const { elsewhere, romeo: player } = await approved()
    elsewhere.send(`<presence type='subscribe' from='${contact}' to='romeo@montague.net' id='r1'/>`)
    const came = await elsewhere.drain()
    assert.deepEqual(came.map(brief), ['presence/subscribed romeo@montague.net', 'presence romeo@montague.net/orchard'])
    assert.deepEqual(
      (await player.drain()).map((el) => (isPush(el) ? pushed(el) : brief(el))),
      [`${contact} from approved`],
    )
  })

  for (const [from, to, subscription] of [
    ['None + Pending Out', 'From + Pending Out', 'from'],
    ['To', 'Both', 'both'],
  ] as const) {
    it(`counts in ${from} too: ${to}`, async () => {
      const scene = await inState(from, true)
      scene.available.send(`<presence type='subscribed' to='${contact}'/>`)
      assert.deepEqual(await scene.elsewhere.drain(), [])
      await assertPushes(scene, `${shown(from)} approved`)
      scene.elsewhere.send(`<presence type='subscribe' from='${contact}' to='romeo@montague.net'/>`)
      const [reply] = await scene.elsewhere.drain()
      assert.equal(reply === undefined ? '' : brief(reply), 'presence/subscribed romeo@montague.net')
      const came = await assertPushes(scene, `${shown(to)} approved`)
      assert.ok(shown(to).includes(` ${subscription}`))
      assert.deepEqual(
        came.flat().filter((el) => el.attr('type') === 'subscribe'),
        [],
      )
    })
  }

  it('a request to a resource that is not there is one to the account (section 8.5.3.2.2), the rest is ignored', async () => {
    const { elsewhere, romeo: player } = await approved()
    elsewhere.send(`<presence type='subscribe' from='nurse@capulet.com' to='romeo@montague.net/gone'/>`)
    assert.deepEqual((await player.drain()).map(brief), ['presence/subscribe nurse@capulet.com'])
    player.send(`<presence type='subscribe' to='tybalt@capulet.com'/>`)
    await player.drain()
    for (const type of ['subscribed', 'unsubscribed', 'unsubscribe']) {
      elsewhere.send(`<presence type='${type}' from='tybalt@capulet.com' to='romeo@montague.net/gone'/>`)
      assert.deepEqual((await player.drain()).map(brief), [], type)
    }
  })

  it('is taken back by unsubscribed, which goes nowhere', async () => {
    const { elsewhere, romeo: player } = await approved()
    player.send(`<presence type='unsubscribed' to='${contact}'/>`)
    assert.deepEqual((await player.drain()).filter(isPush).map(pushed), [`${contact} none`])
    assert.deepEqual(await elsewhere.drain(), [])
    elsewhere.send(`<presence type='subscribe' from='${contact}' to='romeo@montague.net'/>`)
    assert.deepEqual(await elsewhere.drain(), [])
    assert.deepEqual((await player.drain()).map(brief), [`presence/subscribe ${contact}`])
  })
})

test('RFC 6121 section 3.1.2: that a request cannot be delivered hears the client that sent it, with presence or without, and no other', async () => {
  const house = await House.build()
  const [silent, present] = [house.actor('romeo@montague.net/silent'), await house.online('romeo@montague.net/present')]
  for (const [asker, other, contact] of [
    [silent, present, 'juliet@nowhere.example'],
    [present, silent, 'nurse@nowhere.example'],
  ] as const) {
    asker.send(`<presence type='subscribe' to='${contact}' id='s'/>`)
    const errors = (await asker.drain()).filter((el) => el.attr('type') === 'error')
    assert.deepEqual(errors.map(brief), [`presence/error ${contact}`])
    assert.match(show(errors[0] ?? assert.fail()), /id='s'.*<remote-server-not-found /)
    assert.deepEqual(
      (await other.drain()).filter((el) => el.name === 'presence'),
      [],
    )
  }
})
