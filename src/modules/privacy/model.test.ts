/**
 * SES-04: who sees whom under lists that change, in any order with rosters and comings and goings: what everybody was sent
 * adds up to what is (XEP-0016 §2.10 and §2.11, XEP-0191 §3.3 and §3.4).
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import type { RosterItem } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import { jid } from '../../jid/jid.ts'
import { type Actor, House } from '../modules.testing.ts'
import { active, block, byDefault, list, unblock } from './privacy.testing.ts'

const isLong = process.env['RATATOSK_LONG'] === '1'

const accounts = ['a@montague.net', 'b@montague.net', 'c@capulet.com'] as const
const resources = ['1', '2'] as const

interface Step {
  readonly does:
    | 'active'
    | 'available'
    | 'bind'
    | 'block'
    | 'cancel'
    | 'default'
    | 'drop'
    | 'let see'
    | 'list'
    | 'remove'
    | 'unavailable'
    | 'unblock'
  readonly who: number
  readonly resource: number
  readonly whom: number
  /** Of a list, or of what is blocked. */
  readonly rules: readonly string[]
  /** 2: none. */
  readonly name: number
}

const peers = [...accounts, ...accounts.map((account) => `${account}/1`), 'capulet.com', 'montague.net']
const abouts = [
  ...peers.map((peer) => `jid ${peer}`),
  ...['both', 'from', 'none', 'to'].map((subscription) => `subscription ${subscription}`),
  '*',
]
const rule = fc
  .tuple(
    fc.constantFrom('allow', 'deny', 'deny'),
    fc.constantFrom(...abouts),
    fc.constantFrom('', '', ' presence-in', ' presence-out', ' presence-in presence-out', ' message'),
  )
  .map((parts) => `${parts[0]} ${parts[1]}${parts[2]}`)
const step: fc.Arbitrary<Step> = fc.record({
  does: fc.constantFrom(
    ...([
      'active',
      'available',
      'available',
      'bind',
      'block',
      'cancel',
      'default',
      'drop',
      'let see',
      'let see',
    ] as const),
    ...(['active', 'block', 'list', 'list', 'remove', 'unavailable', 'unblock'] as const),
  ),
  who: fc.nat(accounts.length - 1),
  resource: fc.constantFrom(0, 0, 1),
  whom: fc.nat(accounts.length - 1),
  rules: fc.array(rule, { minLength: 1, maxLength: 3 }),
  name: fc.nat(2),
})

/** Everybody is here and sees everybody. */
const prologue: readonly Step[] = [0, 1, 2].flatMap((who) => {
  const one = { who, resource: 0, whom: 0, rules: [], name: 0 }
  const others = [0, 1, 2].filter((whom) => whom < who)
  return [
    { ...one, does: 'bind' as const },
    { ...one, does: 'available' as const },
    ...others.flatMap((whom) => [
      { ...one, does: 'let see' as const, whom },
      { ...one, does: 'let see' as const, who: whom, whom: who },
    ]),
  ]
})

const plain = { who: 0, resource: 0, whom: 0, rules: ['allow *'], name: 0 }

/** Found by the long run: what the removal owes came when the block stopped it that was begun before. */
const removedAndBlocked: [Step[], number[], number] = [
  [
    { ...plain, does: 'active' },
    { ...plain, does: 'active' },
    { ...plain, does: 'bind', resource: 1 },
    { ...plain, does: 'block', resource: 1, whom: 2 },
    { ...plain, does: 'remove', whom: 2 },
    ...Array.from({ length: 10 }, () => ({ ...plain, does: 'active' as const })),
  ],
  [3, 1, 3, 3, 0, 0, 4],
  2000,
]

/** The same: a leaving that waited for the lists of somebody who was not available came behind his greeting. */
const leftAndGreeted: [Step[], number[], number] = [
  [
    { ...plain, does: 'list', who: 1 },
    { ...plain, does: 'unavailable', who: 2 },
    { ...plain, does: 'list', who: 1 },
    { ...plain, does: 'bind', who: 1 },
    { ...plain, does: 'available', who: 2 },
    { ...plain, does: 'available', who: 1 },
    { ...plain, does: 'list', who: 1 },
  ],
  [5, 0, 7, 1],
  2000,
]

class Run {
  readonly house: House
  readonly actors = new Map<string, Actor>()
  /** What each session sees, by its address: statuses by the address of who shows them. */
  readonly views = new Map<string, Map<string, string>>()
  #count = 0

  constructor(house: House) {
    this.house = house
  }

  async do(one: Step, settles = true): Promise<void> {
    const account = accounts[one.who] as string
    const full = `${account}/${resources[one.resource]}`
    if (one.does === 'bind' || one.does === 'drop') {
      if (one.does === 'drop') this.actors.get(full)?.drop()
      this.actors.delete(full)
      this.views.delete(full)
      if (one.does === 'bind') this.actors.set(full, this.house.actor(full))
      return
    }
    const actor = this.actors.get(full)
    if (actor === undefined) return
    for (const text of this.#said(one)) actor.send(text)
    if (one.does !== 'let see') return
    if (settles) await this.house.settle()
    const whom = accounts[one.whom] as string
    for (const [address, other] of this.actors) {
      if (!address.startsWith(whom)) continue
      other.send(`<presence type='subscribed' to='${account}'/>`)
      return
    }
  }

  #said({ does, whom, rules, name }: Step): readonly string[] {
    const other = accounts[whom] as string
    const id = `n${this.#count++}`
    const set = (payload: string) => [`<iq type='set' id='${id}'>${payload}</iq>`]
    const listName = ['x', 'y'][name]
    const addresses = rules.map((_, index) => peers[(whom + index * 3) % peers.length] as string)
    switch (does) {
      case 'active':
        return set(active(listName))
      case 'default':
        return set(byDefault(listName))
      case 'list':
        return set(list(listName ?? 'x', ...rules))
      case 'block':
        return set(block(...addresses))
      case 'unblock':
        return set(name === 2 ? unblock() : unblock(...addresses))
      case 'available':
        return [`<presence><status>${id}</status></presence>`]
      case 'unavailable':
        return [`<presence type='unavailable'/>`]
      case 'let see':
        return [`<presence type='subscribe' to='${other}'/>`]
      case 'cancel':
        return [`<presence type='unsubscribed' to='${other}'/>`]
      default:
        return set(`<query xmlns='jabber:iq:roster'><item jid='${other}' subscription='remove'/></query>`)
    }
  }

  async read(settles = true): Promise<void> {
    if (settles) await this.house.settle()
    for (const [full, actor] of this.actors) {
      const view = this.views.get(full) ?? new Map<string, string>()
      this.views.set(full, view)
      for (const el of actor.link.take()) {
        if (el.name !== 'presence') continue
        const [from, type] = [el.attr('from') as string, el.attr('type')]
        if (type === undefined) view.set(from, el.childText('status') ?? '')
        // Who has left himself is told of nobody any more.
        else if (type === 'unavailable' && from === full) view.clear()
        else if (type === 'unavailable') view.delete(from)
      }
    }
  }

  /** Of an available observer; a pair whose rosters do not agree, since a list stopped the one half, is left out. */
  async check(after: string): Promise<{ readonly shown: number; readonly hidden: number }> {
    const sessions = accounts.flatMap((account) => this.#sessionsOf(account))
    const counted = { shown: 0, hidden: 0 }
    for (const observer of sessions.filter((one) => one.isAvailable)) {
      const view = new Map(this.views.get(observer.label))
      for (const subject of sessions) {
        const sees = await this.#sees(observer, subject)
        if (sees === undefined) continue
        const expected = sees === 'yes' ? subject.presence?.childText('status') : undefined
        assert.equal(view.get(subject.label), expected, `${observer.label} of ${subject.label} ${after}`)
        if (sees === 'yes') counted.shown++
        if (sees === 'hidden') counted.hidden++
      }
    }
    return counted
  }

  #sessionsOf(account: string): readonly Session[] {
    const { domain, local } = jid(account)
    return this.house.core.sessions.ofAccount(domain, local)
  }

  async #sees(observer: Session, subject: Session): Promise<'hidden' | 'no' | 'yes' | undefined> {
    if (!subject.isAvailable) return 'no'
    if (observer.jid.bare.equals(subject.jid.bare)) return 'yes'
    const to = await this.#item(observer, subject)
    const from = await this.#item(subject, observer)
    const isTo = to?.subscription === 'to' || to?.subscription === 'both'
    const isFrom = from?.subscription === 'from' || from?.subscription === 'both'
    if (isTo !== isFrom) return undefined
    if (!isFrom) return 'no'
    const privacy = this.house.core.hostType('default').services.find('privacy')
    const isSent = privacy?.screen(subject)?.passes('presence-out', observer.jid) !== false
    const isTaken = privacy?.screen(observer)?.passes('presence-in', subject.jid) !== false
    return isSent && isTaken ? 'yes' : 'hidden'
  }

  async #item(session: Session, contact: Session): Promise<RosterItem | undefined> {
    const roster = this.house.core.hostType('default').services.find('roster')
    const items = await this.house.wait(Promise.resolve(roster?.items(session.host, session.jid.local)))
    return items?.get(contact.jid.bare.toString())
  }
}

it('SES-04: whatever is blocked, listed and chosen, everybody sees whom he may, and no other', async () => {
  const counted = { shown: 0, hidden: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 40 }),
      fc.constantFrom(1, 2000),
      async (steps, cached) => {
        const house = await House.build({
          options: { roster: { cache_accounts: cached }, privacy: { cache_accounts: cached } },
        })
        const run = new Run(house)
        for (const [index, one] of [...prologue, ...steps].entries()) {
          await run.do(one)
          await run.read()
          const { shown, hidden } = await run.check(`after step ${index}: ${JSON.stringify(one)}`)
          counted.shown += shown
          counted.hidden += hidden
        }
        assert.deepEqual(
          house.log.lines.filter((line) => line.level === 'error'),
          [],
        )
      },
    ),
    { numRuns: isLong ? 5_000 : 60 },
  )
  assert.ok(counted.shown > 0 && counted.hidden > 0, 'the lists hide somebody, and not all')
})

it('SES-04: and whatever happens at once, in the end everybody sees what is', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 40 }),
      fc.array(fc.nat(4), { minLength: 40, maxLength: 40 }),
      fc.constantFrom(1, 1, 3, 2000),
      async (steps, turns, cached) => {
        const house = await House.build({
          options: { roster: { cache_accounts: cached }, privacy: { cache_accounts: cached } },
        })
        const run = new Run(house)
        for (const one of prologue) {
          await run.do(one)
          await run.read()
        }
        for (const [index, one] of steps.entries()) {
          await run.read(false)
          await run.do(one, false)
          for (let i = 0; i < (turns[index] ?? 0); i++) {
            await Promise.resolve()
            house.clock.turn()
          }
        }
        await run.read()
        await run.check('in the end')
        assert.deepEqual(
          house.log.lines.filter((line) => line.level === 'error'),
          [],
        )
      },
    ),
    { numRuns: isLong ? 6_000 : 60, examples: [removedAndBlocked, leftAndGreeted] },
  )
})
