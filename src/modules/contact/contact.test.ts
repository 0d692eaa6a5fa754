/** XEP-0157 and XEP-0128: what is told of whom, and which addresses a configuration may hold. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CommandRegistry } from '../../core/commands.ts'
import { inputOf, type MapInput } from '../../core/config/input.ts'
import { plainReading } from '../../core/config/make.ts'
import { Report } from '../../core/config/mistake.ts'
import { readFields } from '../../core/config/opt-structure.ts'
import type { ModuleDefinition } from '../../core/module.ts'
import { ModuleSet } from '../../core/module-set.ts'
import type { Element } from '../../xml/element.types.ts'
import disco from '../disco/disco.ts'
import { type Actor, House, optionsOf } from '../modules.testing.ts'
import contact, { serverInfo } from './contact.ts'

const NS_INFO = 'http://jabber.org/protocol/disco#info'
const NS_FORM = 'jabber:x:data'
const roles = ['abuse', 'admin', 'feedback', 'sales', 'security', 'status', 'support']

async function forms(actor: Actor, to: string, node = ''): Promise<readonly Element[]> {
  const asked = `<query xmlns='${NS_INFO}'${node === '' ? '' : ` node='${node}'`}/>`
  return (await actor.ask('get', asked, to)).elements[0]?.childrenNamed('x', NS_FORM) ?? []
}

const shown = (form: Element | undefined) =>
  form?.childrenNamed('field').map((field) => {
    const values = field.childrenNamed('value').map((value) => value.text)
    return `${field.attr('var')} ${field.attr('type') ?? ''}: ${values.join(' ')}`
  })

describe('contact addresses (XEP-0157 §3, XEP-0128 §2)', () => {
  it('a form of type result, with the hidden FORM_TYPE first, and one field a role with all its addresses', async () => {
    const given = Object.fromEntries(
      roles.map((role) => [role, [`mailto:${role}@example.org`, `xmpp:${role}@example.org`]]),
    )
    const house = await House.build({ options: { contact: given } })
    const romeo = house.actor('romeo@montague.net/a')
    const [form, ...others] = await forms(romeo, 'montague.net')
    assert.equal(others.length, 0)
    assert.equal(form?.attr('type'), 'result')
    assert.deepEqual(shown(form), [
      `FORM_TYPE hidden: ${serverInfo}`,
      ...roles.map((role) => `${role}-addresses : mailto:${role}@example.org xmpp:${role}@example.org`),
    ])
  })

  it('only roles that have addresses; a single one needs no list', async () => {
    const house = await House.build({ options: { contact: { status: 'https://status.example.org/?a=1&b=è' } } })
    const [form] = await forms(house.actor('romeo@montague.net/a'), 'montague.net')
    assert.deepEqual(shown(form), [
      `FORM_TYPE hidden: ${serverInfo}`,
      'status-addresses : https://status.example.org/?a=1&b=è',
    ])
  })

  it('without addresses there is no form', async () => {
    const house = await House.build()
    assert.deepEqual(await forms(house.actor('romeo@montague.net/a'), 'montague.net'), [])
  })

  it('of the host alone: not of accounts, nor of nodes', async () => {
    const house = await House.build({ options: { contact: { admin: 'xmpp:odin@example.org' } } })
    const { hooks } = house.core.hostType('default')
    hooks.on('disco:info', 'node', (info, { node }) =>
      node === 'urn:n' ? { identities: [], features: ['f'], extensions: [] } : info,
    )
    const romeo = house.actor('romeo@montague.net/a')
    assert.equal((await forms(romeo, 'montague.net')).length, 1)
    assert.deepEqual(await forms(romeo, 'romeo@montague.net'), [])
    assert.deepEqual(await forms(romeo, 'montague.net', 'urn:n'), [])
  })

  it('what another module tells stays', async () => {
    const house = await House.build({ options: { contact: { admin: 'xmpp:odin@example.org' } } })
    const { hooks } = house.core.hostType('default')
    hooks.on(
      'disco:info',
      'other',
      (info, { node }) => (info === undefined || node !== '' ? info : { ...info, features: [...info.features, 'z'] }),
      { phase: 'late' },
    )
    const answer = await house.actor('romeo@montague.net/a').ask('get', `<query xmlns='${NS_INFO}'/>`, 'montague.net')
    const features = answer.elements[0]?.childrenNamed('feature').map((el) => el.attr('var')) ?? []
    assert.ok(features.includes('z') && features.includes(NS_INFO))
    assert.ok(answer.elements[0]?.hasChild('x', NS_FORM))
  })

  it('two host types do not mix', async () => {
    const house = await House.build({ options: { contact: { admin: 'xmpp:here@example.org' } } })
    const type = house.core.hostType('other')
    house.core.addHost('verona.lit', type)
    const modules = new ModuleSet(house.core, type, house.stores, new CommandRegistry())
    const own = (definition: unknown, given: Readonly<Record<string, unknown>>) => ({
      definition: definition as ModuleDefinition,
      options: optionsOf(definition as ModuleDefinition, given),
    })
    await house.wait(modules.load([own(disco, {}), own(contact, { admin: 'xmpp:there@example.org' })]))
    const romeo = house.actor('romeo@montague.net/a')
    for (const [host, address] of [
      ['montague.net', 'xmpp:here@example.org'],
      ['capulet.com', 'xmpp:here@example.org'],
      ['verona.lit', 'xmpp:there@example.org'],
    ] as const) {
      const [form] = await forms(romeo, host)
      assert.deepEqual(shown(form)?.slice(1), [`admin-addresses : ${address}`], host)
    }
  })
})

describe('addresses in a configuration', () => {
  const rows: readonly (readonly [string, boolean])[] = [
    ['mailto:abuse@example.org', true],
    ['xmpp:admins@example.org?message', true],
    ['https://example.org/support.php', true],
    ['abuse@example.org', false],
    ['', false],
    ['example.org', false],
    ['mailto:a b@example.org', false],
    ['mailto:a\u0007@example.org', false],
    ['mailto:a\ufffe@example.org', false],
  ]
  for (const [text, isGood] of rows) {
    it(`${JSON.stringify(text)}: ${isGood ? 'good' : 'refused'}`, () => {
      const report = new Report('')
      readFields(contact.options ?? {}, inputOf({ status: text }) as MapInput, plainReading(report))
      assert.deepEqual(
        report.mistakes.map((mistake) => mistake.code),
        isGood ? [] : ['RTK_CONFIG_VALUE'],
      )
    })
  }
})
