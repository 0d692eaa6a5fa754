/**
 * What connections lose while there are copies (XEP-0280 §10.3, RFC 6121 section 8.5.3.2): each message is somewhere, nobody
 * is sent one twice, and no copy is made twice.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import '../../core/services/acknowledgements.ts'
import { jid } from '../../jid/jid.ts'
import { readCarbon } from '../../stanza/carbon.ts'
import { NS_DELAY } from '../../stanza/delay.ts'
import type { Element } from '../../xml/element.types.ts'
import type { Octets } from '../../xml/octets.ts'
import { parseElement } from '../../xml/parse.ts'
import { type Actor, House } from '../modules.testing.ts'
import { offlineStore } from '../offline/offline.store.ts'
import { keyOf, Recent, recentCodec } from './recent.ts'

const NS = 'urn:xmpp:carbons:2'
const me = 'romeo@montague.net'
const chat = (to: string, id: string) => `<message to='${to}' type='chat'${id}><body>x</body></message>`
const withId = (id: string) => ` id='${id}'`

async function scene(resources: Readonly<Record<string, number>>) {
  const house = await House.build()
  const juliet = house.actor('juliet@capulet.com/balcony')
  const actors: Record<string, Actor> = {}
  for (const [name, priority] of Object.entries(resources)) {
    const actor = await house.online(`${me}/${name}`, priority)
    await actor.ask('set', `<enable xmlns='${NS}'/>`)
    actors[name] = actor
  }
  for (const actor of Object.values(actors)) await actor.drain()
  const store = await house.wait(house.stores.open(offlineStore))
  const kept = async () => {
    const page = await house.wait(store.page({ host: 'montague.net', local: 'romeo', after: 0, limit: 100 }))
    return page.map(({ stanza }) => /id='([^']*)'/.exec(stanza)?.[1])
  }
  const actor = (name: string): Actor => actors[name] ?? assert.fail(name)
  return { house, juliet, kept, actor }
}

/** Time stands still. */
const now = Date.UTC(2026, 0, 1)

/** What was written to a client, which he never gets: his connection is gone. */
function loses({ session, link }: Actor): void {
  const bytes = link.written.splice(0).join('') as Octets
  session.linkEnded({ reason: 'lost', detail: '' }, link)
  session.linkGone({ bytes, taken: 0, since: now, heldBack: '' as Octets }, link)
}

/** Ids of originals and of copies. */
async function came(actor: Actor): Promise<{ readonly own: string[]; readonly copies: string[] }> {
  const own: string[] = []
  const copies: string[] = []
  for (const el of (await actor.drain()) as readonly Element[]) {
    if (el.name !== 'message') continue
    const copy = el.child(null, NS) === undefined ? undefined : readCarbon(el)
    if (copy === undefined) own.push(el.attr('id') ?? '')
    else copies.push(copy.original.attr('id') ?? '')
  }
  return { own, copies }
}

describe('a message that did not leave for him who had taken it', () => {
  it('is not sent again to a resource that had a copy, nor kept', async () => {
    for (const to of [me, `${me}/phone`]) {
      const { house, juliet, kept, actor } = await scene({ phone: 5, desk: 0, tablet: 0 })
      juliet.send(chat(to, withId('m1')))
      await house.settle()
      loses(actor('phone'))
      await house.settle()
      assert.deepEqual(await came(actor('desk')), { own: [], copies: ['m1'] })
      assert.deepEqual(await came(actor('tablet')), { own: [], copies: ['m1'] })
      assert.deepEqual(await kept(), [])
    }
  })

  it('is kept when the copy is lost too, whoever goes first', async () => {
    for (const order of [
      ['phone', 'desk'],
      ['desk', 'phone'],
    ]) {
      const { house, juliet, kept, actor } = await scene({ phone: 5, desk: 0 })
      juliet.send(chat(me, withId('m1')))
      await house.settle()
      for (const name of order) {
        loses(actor(name))
        await house.settle()
      }
      assert.deepEqual(await kept(), ['m1'], order.join())
    }
  })

  it('is kept when all go in one turn', async () => {
    for (const order of [
      ['phone', 'desk', 'tablet'],
      ['tablet', 'desk', 'phone'],
      ['desk', 'phone', 'tablet'],
    ]) {
      const { house, juliet, kept, actor } = await scene({ phone: 5, desk: 0, tablet: -1 })
      juliet.send(chat(me, withId('m1')))
      await house.settle()
      for (const name of order) loses(actor(name))
      await house.settle()
      assert.deepEqual(await kept(), ['m1'], order.join())
    }
  })

  it('and that was had: a copy that is lost then is not kept', async () => {
    const { house, juliet, kept, actor } = await scene({ phone: 5, desk: 0 })
    juliet.send(chat(me, withId('m1')))
    assert.deepEqual((await came(actor('phone'))).own, ['m1'])
    loses(actor('desk'))
    await house.settle()
    assert.deepEqual(await came(actor('phone')), { own: [], copies: [] })
    assert.deepEqual(await kept(), [])
  })

  it('without an id is sent again, but not copied again', async () => {
    const { house, juliet, actor } = await scene({ phone: 5, desk: 1, tablet: 0 })
    juliet.send(chat(me, ''))
    await house.settle()
    loses(actor('phone'))
    assert.deepEqual(await came(actor('desk')), { own: [''], copies: [''] })
    assert.deepEqual(await came(actor('tablet')), { own: [], copies: [''] })
  })

  it('a resource that wants no copies any more does not answer for what it was not sent', async () => {
    const { house, juliet, kept, actor } = await scene({ phone: 5, desk: 0 })
    await actor('desk').ask('set', `<disable xmlns='${NS}'/>`)
    juliet.send(chat(me, withId('m1')))
    await house.settle()
    loses(actor('phone'))
    assert.deepEqual(await came(actor('desk')), { own: ['m1'], copies: [] })
    assert.deepEqual(await kept(), [])
  })

  it('a resource that wants no copies any more answers for those that it had', async () => {
    const { house, juliet, kept, actor } = await scene({ phone: 5, desk: 0 })
    juliet.send(chat(me, withId('m1')))
    assert.deepEqual(await came(actor('desk')), { own: [], copies: ['m1'] })
    await actor('desk').ask('set', `<disable xmlns='${NS}'/>`)
    loses(actor('phone'))
    await house.settle()
    assert.deepEqual(await came(actor('desk')), { own: [], copies: [] })
    assert.deepEqual(await kept(), [])
  })
})

describe('a message that waits in the store', () => {
  it('is not handed to a resource that had a copy, which stands in for it', async () => {
    const { house, juliet, kept, actor } = await scene({ phone: -1 })
    juliet.send(chat(me, withId('m1')))
    juliet.send(chat(me, withId('m2')))
    await house.settle()
    assert.deepEqual(await kept(), ['m1', 'm2'])
    actor('phone').send(`<presence/>`)
    await house.settle()
    assert.deepEqual(await kept(), [])
    loses(actor('phone'))
    await house.settle()
    assert.deepEqual(await kept(), ['m1', 'm2'], 'the copies were all that was left')
  })

  it('goes to a resource that had copies of others alone, in order', async () => {
    const { house, juliet, kept, actor } = await scene({ phone: -1 })
    const phone = actor('phone')
    const sends = async (id: string) => {
      juliet.send(chat(me, withId(id)))
      await house.settle()
    }
    await sends('m1')
    await phone.ask('set', `<disable xmlns='${NS}'/>`)
    await sends('m2')
    await phone.ask('set', `<enable xmlns='${NS}'/>`)
    await sends('m3')
    await phone.ask('set', `<disable xmlns='${NS}'/>`)
    await sends('m4')
    await came(phone)
    phone.send('<presence/>')
    assert.deepEqual(await came(phone), { own: ['m2', 'm4'], copies: [] })
    assert.deepEqual(await kept(), [])
  })

  it('is copied before another resource can be handed it', async () => {
    const { house, juliet, kept, actor } = await scene({ phone: 5, desk: 0 })
    const { session } = actor('phone')
    // As while it is handed what was kept before.
    session.takesMessages = false
    juliet.send(chat(me, withId('m1')))
    await house.settle()
    assert.deepEqual(await came(actor('desk')), { own: [], copies: ['m1'] })
    assert.deepEqual(await kept(), [], 'its copy stands in')
    session.takesMessages = true
    assert.deepEqual(await came(actor('phone')), { own: [], copies: [] })
  })

  it('is another when its text is, whatever its id', async () => {
    const { house, juliet, actor } = await scene({ phone: -1 })
    const phone = actor('phone')
    juliet.send(chat(me, withId('1')))
    await came(phone)
    await phone.ask('set', `<disable xmlns='${NS}'/>`)
    juliet.send(`<message to='${me}' type='chat' id='1'><body>y</body></message>`)
    await house.settle()
    phone.send('<presence/>')
    assert.deepEqual(await came(phone), { own: ['1'], copies: [] })
  })
})

describe('a session that counts (XEP-0198)', () => {
  it('ends: those who had copies keep them, and what is left when they go says since when it waited', async () => {
    const { house, juliet, kept, actor } = await scene({ phone: 5, desk: 0 })
    const counts = ({ session }: Actor) =>
      house.core
        .hostType('default')
        .services.find('acknowledgements')
        ?.enable(session, parseElement(`<enable resume='true'/>`))
    counts(actor('phone'))
    counts(actor('desk'))
    juliet.send(chat(me, withId('m1')))
    await house.settle()
    await house.pass(60_000)
    actor('phone').session.close({ reason: 'kicked', detail: '' })
    await house.settle()
    assert.deepEqual(await kept(), [])
    await house.pass(60_000)
    actor('desk').session.close({ reason: 'kicked', detail: '' })
    await house.settle()
    assert.deepEqual(await kept(), ['m1'])
    const next = house.actor(`${me}/next`)
    next.send('<presence/>')
    const [message] = (await next.drain()).filter((el) => el.name === 'message')
    assert.equal(message?.child('delay', NS_DELAY)?.attr('stamp'), '2026-01-01T00:00:00.000Z')
  })
})

describe('any messages, any losses', () => {
  it('each message is with somebody or in the store, and nobody has it twice', async () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ to: fc.constantFrom('', '/0', '/1', '/2', '/gone') }) },
      { weight: 2, arbitrary: fc.record({ reads: fc.nat(2) }) },
      { weight: 1, arbitrary: fc.record({ loses: fc.nat(2) }) },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 3, maxLength: 3 }),
        fc.array(step, { maxLength: 12 }),
        async (priorities, steps) => {
          const { house, juliet, kept, actor } = await scene(Object.fromEntries(priorities.entries()))
          const seen = new Map<string, string[]>()
          const lost = new Set<number>()
          let sent = 0
          const reads = async (n: number) => {
            const { own, copies } = await came(actor(String(n)))
            for (const id of [...own, ...copies]) seen.set(id, [...(seen.get(id) ?? []), String(n)])
          }
          for (const one of steps) {
            if ('to' in one) juliet.send(chat(`${me}${one.to}`, withId(`m${sent++}`)))
            else if ('reads' in one) {
              if (!lost.has(one.reads)) await reads(one.reads)
            } else if (!lost.has(one.loses)) {
              lost.add(one.loses)
              loses(actor(String(one.loses)))
            }
            await house.settle()
          }
          for (let n = 0; n < 3; n++) if (!lost.has(n)) await reads(n)
          const inStore = await kept()
          for (let n = 0; n < sent; n++) {
            const by = seen.get(`m${n}`) ?? []
            assert.equal(new Set(by).size, by.length, `m${n} came twice to one of ${by.join()}`)
            const count = inStore.filter((id) => id === `m${n}`).length
            assert.ok(by.length > 0 || count === 1, `m${n} is lost, or kept ${count} times`)
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('the memory of recent messages', () => {
  const max = 64
  const message = (id: string) => ({ attr: () => id }) as unknown as Element

  it('knows the last of them, and none by another peer, and survives a move', () => {
    const recent = new Recent(max)
    const keys = Array.from({ length: max + 10 }, (_, i) => keyOf(jid('a@b.example/r'), message(`m${i}`)) as number)
    for (const key of keys) recent.add(key)
    assert.deepEqual(
      keys.map((key) => recent.has(key)),
      keys.map((_, i) => i >= 10),
    )
    assert.equal(recent.has(keyOf(jid('a@b.example'), message('m40')) as number), false)
    const again = recentCodec(max).decode(JSON.parse(JSON.stringify(recentCodec(max).encode(recent))))
    assert.deepEqual(again?.keys, recent.keys)
    again?.add(1)
    assert.deepEqual(again?.keys, [...recent.keys.slice(1), 1], 'the oldest goes first')
  })

  it('data of another form is refused', () => {
    for (const data of [null, 'x', ['x'], [1.5], [2 ** 40]]) assert.equal(recentCodec(max).decode(data), undefined)
  })

  it('a message without an id has no key', () => {
    assert.equal(keyOf(jid('a@b.example'), message('')), undefined)
  })
})
