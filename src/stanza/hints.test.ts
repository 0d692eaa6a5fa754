/** XEP-0334 §4 and §5, row by row. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseElement } from '../xml/parse.ts'
import { asksForStore, forbidsArchive, forbidsCopies, forbidsStore } from './hints.ts'

const message = (inside: string, type = 'chat') =>
  parseElement(`<message xmlns='jabber:client' type='${type}'><body>x</body>${inside}</message>`)
const hint = (name: string) => `<${name} xmlns='urn:xmpp:hints'/>`

describe('hints (XEP-0334 §4)', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['none', '', ''],
    ['§4.1 no-permanent-store', hint('no-permanent-store'), 'no archive'],
    ['§4.2 no-store', hint('no-store'), 'no store, no archive'],
    ['§4.3 no-copy', hint('no-copy'), 'no copies'],
    ['§4.4 store', hint('store'), 'store'],
    ['one that forbids beside one that asks', hint('store') + hint('no-store'), 'no store, no archive'],
    ['store, but not for ever', hint('store') + hint('no-permanent-store'), 'no archive, store'],
    ['the same name of somebody else', `<no-store xmlns='urn:x'/>`, ''],
  ]
  for (const [name, inside, expected] of rows) {
    const said = (type: string) => {
      const el = message(inside, type)
      const all = [
        forbidsStore(el) ? 'no store' : '',
        forbidsArchive(el) ? 'no archive' : '',
        forbidsCopies(el) ? 'no copies' : '',
        asksForStore(el) ? 'store' : '',
      ]
      return all.filter((one) => one !== '').join(', ')
    }
    it(name, () => {
      assert.equal(said('chat'), expected)
      assert.equal(said('error'), '', '§5: not in errors')
    })
  }
})
