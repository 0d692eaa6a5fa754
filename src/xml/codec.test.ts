import assert from 'node:assert/strict'
import { test } from 'node:test'
import { x } from './build.ts'
import { attr, attrNamed, CodecFault, child, children, childText, codec, flag, type TypeOf, text } from './codec.ts'
import type { Element } from './element.types.ts'
import { parseElement } from './parse.ts'
import { serialise } from './serialise.ts'

const NS = 'jabber:iq:roster'

const Group = codec('group', NS, { name: text })
const Item = codec('item', NS, {
  jid: attr.jid(),
  name: attr.optional(),
  subscription: attr.enum('none', 'to', 'from', 'both', 'remove').default('none'),
  priority: attrNamed('prio').int(-128, 127).optional(),
  isApproved: attrNamed('approved').bool().default(false),
  groups: children(Group),
  note: childText('note', 'urn:note').optional(),
  muted: flag('muted', 'urn:note'),
})
const Roster = codec('query', NS, { ver: attr.optional(), first: child(Group).optional(), items: children(Item) })
type Roster = TypeOf<typeof Roster>

const cases: readonly { readonly value: Roster; readonly xml: string }[] = [
  { value: { items: [] }, xml: `<query xmlns='${NS}'/>` },
  { value: { ver: '', first: { name: 'a' }, items: [] }, xml: `<query xmlns='${NS}' ver=''><group>a</group></query>` },
  {
    value: {
      ver: 'v1',
      items: [
        {
          jid: 'a@b',
          name: 'Ä',
          subscription: 'both',
          priority: -5,
          isApproved: true,
          groups: [{ name: 'x' }, { name: 'y' }],
          note: '<',
          muted: true,
        },
        { jid: 'c@d', subscription: 'none', isApproved: false, groups: [], muted: false },
      ],
    },
    xml:
      `<query xmlns='${NS}' ver='v1'><item jid='a@b' name='Ä' subscription='both' prio='-5' approved='true'><group>x</group>` +
      `<group>y</group><note xmlns='urn:note'>&lt;</note><muted xmlns='urn:note'/></item><item jid='c@d'/></query>`,
  },
]

test('value and wire form are each other’s reverse', () => {
  for (const { value, xml } of cases) {
    assert.equal(Buffer.from(serialise(Roster.encode(value), ''), 'latin1').toString(), xml)
    assert.deepEqual(Roster.decode(parseElement(xml)), value)
    assert.deepEqual(Roster.decode(Roster.encode(value)), value)
  }
})

test('a fault names the place, and nothing of what the peer sent', () => {
  const item = (...of: readonly (Element | undefined)[]): Element => x('query', NS, ...of)
  const good = x('item', NS, { jid: 'a@b' })
  const rows: readonly [Element, string][] = [
    [x('query', 'urn:other'), 'query'],
    [item(good, x('item', NS)), 'query/item[2]/@jid'],
    [item(x('item', NS, { jid: '' })), 'query/item[1]/@jid'],
    [item(good, good, x('item', NS, { jid: 'a', prio: '128' })), 'query/item[3]/@prio'],
    [item(x('item', NS, { jid: 'a', prio: '1e2' })), 'query/item[1]/@prio'],
    [item(x('item', NS, { jid: 'a', approved: 'yes' })), 'query/item[1]/@approved'],
    [item(x('item', NS, { jid: 'a', subscription: 'secret-word' })), 'query/item[1]/@subscription'],
  ]
  for (const [element, path] of rows) {
    const fault = Roster.decode(element)
    assert.ok(fault instanceof CodecFault, path)
    assert.deepEqual([fault.code, fault.path], ['RTK_XML_PAYLOAD', path])
    assert.ok(!fault.text.includes('secret-word'))
  }
})

test('a required child that is missing is named', () => {
  const Outer = codec('outer', NS, { group: child(Group), title: childText() })
  const none = Outer.decode(x('outer', NS))
  assert.ok(none instanceof CodecFault && none.path === 'outer/group')
  const half = Outer.decode(x('outer', NS, x('group', NS, 'a')))
  assert.ok(half instanceof CodecFault && half.path === 'outer/title')
  assert.deepEqual(Outer.decode(x('outer', NS, x('group', NS, 'a'), x('title', NS, 'b'))), {
    group: { name: 'a' },
    title: 'b',
  })
})

test('the compiler knows what a shape describes', () => {
  const value: Roster = { items: [] }
  // @ts-expect-error a required attribute cannot be left out
  const noJid: TypeOf<typeof Item> = { subscription: 'none', isApproved: false, groups: [], muted: false }
  // @ts-expect-error a value of an enumeration must be one of them
  const odd: TypeOf<typeof Item> = { jid: 'a', subscription: 'maybe', isApproved: false, groups: [], muted: false }
  // @ts-expect-error the list is of items
  const list: Roster = { items: ['a'] }
  assert.deepEqual([value.items.length, Object.keys(noJid).length, odd.jid, list.items.length], [0, 4, 'a', 1])
})
