/** What the tests of privacy lists share: lists as clients write them, and a romeo with contacts. */
import type { RosterService, Subscription } from '../../core/services/roster.ts'
import { jid } from '../../jid/jid.ts'
import type { Element } from '../../xml/element.types.ts'
import { type Actor, House, type HouseOptions } from '../modules.testing.ts'

export const NS = 'jabber:iq:privacy'
export const romeo = 'romeo@montague.net'

/** `deny jid a@b message iq` and the like, one a text, in order: the place is the order. */
export const items = (...rules: readonly string[]) =>
  rules
    .map((rule, index) => {
      const [action, type, value, ...kinds] = rule.split(' ')
      const about = type === undefined || type === '*' ? '' : ` type='${type}' value='${value}'`
      const named = type === '*' ? [value, ...kinds] : kinds
      const children = named.map((kind) => (kind === undefined ? '' : `<${kind}/>`)).join('')
      return `<item action='${action}'${about} order='${index + 1}'>${children}</item>`
    })
    .join('')

export const list = (name: string, ...rules: readonly string[]) =>
  `<query xmlns='${NS}'><list name='${name}'>${items(...rules)}</list></query>`
export const active = (name?: string) => `<query xmlns='${NS}'><active${nameOf(name)}/></query>`
export const byDefault = (name?: string) => `<query xmlns='${NS}'><default${nameOf(name)}/></query>`
export const names = `<query xmlns='${NS}'/>`
export const block = (...addresses: readonly string[]) => blocking('block', addresses)
export const unblock = (...addresses: readonly string[]) => blocking('unblock', addresses)
export const blocklist = `<blocklist xmlns='urn:xmpp:blocking'/>`

const nameOf = (name: string | undefined) => (name === undefined ? '' : ` name='${name}'`)
const blocking = (name: string, addresses: readonly string[]) =>
  `<${name} xmlns='urn:xmpp:blocking'>${addresses.map((address) => `<item jid='${address}'/>`).join('')}</${name}>`

export const conditionOf = (el: Element | undefined) => el?.child('error')?.elements[0]?.name
export const isResult = (el: Element) => el.attr('type') === 'result'

/** What an answer says: `result`, or the condition of its error. */
export const told = (el: Element) => (isResult(el) ? 'result' : (conditionOf(el) ?? el.name))

/** Sets a list and makes it the session's active one. */
export async function activate(actor: Actor, ...rules: readonly string[]): Promise<void> {
  await granted(actor, list('test', ...rules))
  await granted(actor, active('test'))
  await actor.drain()
}

export async function granted(actor: Actor, payload: string): Promise<void> {
  const answer = await actor.ask('set', payload)
  if (!isResult(answer)) throw new Error(`${payload} gave ${conditionOf(answer)}`)
}

export interface Contact {
  readonly subscription: Subscription
  readonly groups?: readonly string[]
}

/** Puts a contact into an account's roster. */
export async function knows(house: House, account: string, contact: string, how: Contact): Promise<void> {
  const service = house.core.hostType('default').services.find('roster') as RosterService
  const own = jid(account)
  const item = {
    jid: jid(contact),
    name: '',
    subscription: how.subscription,
    pendingOut: false,
    pendingIn: false,
    listed: true,
    approved: false,
    groups: how.groups ?? [],
  }
  await house.wait(service.set(house.host(own.domain), own.local, item))
}

export async function scene(options: HouseOptions = {}) {
  const house = await House.build(options)
  const elsewhere = house.elsewhere()
  const one = await house.online(`${romeo}/one`)
  await one.drain()
  return { house, elsewhere, one }
}

/** Texts of what came that are no pushes, short. */
export function seen(stanzas: readonly Element[]): string[] {
  return stanzas
    .filter((el) => !(el.name === 'iq' && el.attr('type') === 'set' && el.attr('id')?.startsWith('push-')))
    .map((el) =>
      [el.name, el.attr('type'), el.attr('from'), conditionOf(el)].filter((part) => part !== undefined).join(' '),
    )
}
