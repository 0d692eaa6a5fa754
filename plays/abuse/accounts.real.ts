/**
 * Abuse by those who have an account: a thousand resources, millions of contacts, stanzas that are never acknowledged. Rows as in
 * `abuse.real.ts`.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Arena, counted } from './arena.ts'

let arena: Arena

before(async () => {
  arena = await Arena.open()
})

after(() => arena.close())

describe('abuse by an account', { timeout: 240_000 }, () => {
  it('a thousand resources: the oldest go', () =>
    arena.row({
      attack: '1,000 resources',
      limit: 'session.max_per_user',
      moves: 980,
      growthMaxMiB: 25,
      async run() {
        const { done } = await arena.attack('resources', { count: 1_000, stay: 20 })
        const { ends, open, oldest } = (await done) as unknown as Told
        assert.deepEqual(ends, { conflict: 980 })
        assert.equal(open, 20)
        // Eight sign in at a time, and overtake one another.
        assert.ok(oldest >= 1_000 - 20 - 8, `${oldest} is still there`)
        return counted(ends)
      },
    }))

  it('three million contacts, 8,000 in a request: a request has one', () =>
    arena.row({
      attack: '3,000,000 contacts, 8,000 a set',
      limit: 'RFC 6121 section 2.3.3',
      metric: 'ratatosk_refusals_total{code="RTK_ROSTER_ITEMS"}',
      moves: 375,
      // 32 requests of 160 KB are on their way at any time, each in several forms.
      growthMaxMiB: 60,
      rounds: 3,
      async run() {
        const { done } = await arena.attack('roster', { count: 3_000_000, perSet: 8_000 })
        const answers = await done
        assert.deepEqual(answers, { 'bad-request': 375 })
        return counted(answers)
      },
    }))

  it('a hundred thousand contacts, one by one: a roster has 2,000', () =>
    arena.row({
      attack: '100,000 contacts, one by one',
      limit: 'modules.roster.items_max',
      moves: 98_000,
      growthMaxMiB: 25,
      async run() {
        const { done } = await arena.attack('roster', { count: 100_000, perSet: 1 })
        const answers = await done
        assert.deepEqual(answers, { result: 2_000, 'not-allowed': 98_000 })
        return counted(answers)
      },
    }))

  it('one who acknowledges nothing: his session ends, and each message is somewhere', () =>
    arena.row({
      attack: 'acknowledges nothing',
      limit: 'modules.sm.queue_stanzas',
      moves: 1,
      growthMaxMiB: 20,
      async run() {
        const sent = 8_000
        const kept = await arena.server.metric('ratatosk_offline_kept_total')
        const deaf = await arena.attack('deaf', {})
        const sender = await arena.attack('numbered', { user: 'sender', count: sent, to: deaf.ready })
        const { errors = 0 } = await sender.done
        const { end } = (await deaf.done) as unknown as Told
        assert.equal(end, 'policy-violation')
        const waiting = (await arena.server.metric('ratatosk_offline_kept_total')) - kept
        assert.equal(waiting + errors, sent, 'each was kept or came back')
        const { done } = await arena.attack('fetch', { count: waiting })
        assert.deepEqual(await done, { heard: waiting })
        return end
      },
    }))
})

interface Told {
  readonly ends: Readonly<Record<string, number>>
  readonly open: number
  readonly oldest: number
  readonly end: string
}
