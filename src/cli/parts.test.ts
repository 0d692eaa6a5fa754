import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeOptions } from '../core/config/describe.ts'
import { opt } from '../core/config/opt.ts'
import { rowOfLine } from './input-rows.ts'
import { showValue, TableWriter } from './render.ts'
import { SecretLine } from './terminal.ts'

const fields = describeOptions({ jid: opt.jid({ description: 'J.' }), password: opt.secret({ description: 'P.' }) })

test('lines of standard input are cut into rows', () => {
  const rows: [string, unknown][] = [
    ['a@b c', { jid: 'a@b', password: 'c' }],
    ['a@b\t  c d ', { jid: 'a@b', password: 'c d ' }],
    ['a@b:c', { jid: 'a@b', password: 'c' }],
    ['a@b: c', { jid: 'a@b', password: ' c' }],
    ['a@[::1]:c:d', { jid: 'a@[::1]', password: 'c:d' }],
    ['a@[::1] c', { jid: 'a@[::1]', password: 'c' }],
    ['a@b', { jid: 'a@b' }],
    ['{"jid":"a@b","password":" "}', { jid: 'a@b', password: ' ' }],
    ['{broken', { jid: '{broken' }],
  ]
  for (const [line, row] of rows) assert.deepEqual(rowOfLine(line, fields), row, line)
})

test('a secret line obeys the keys that edit it', () => {
  const typed = (...chunks: string[]) => {
    const line = new SecretLine()
    let end: string | undefined
    for (const chunk of chunks) end = line.type(chunk).end
    return [end, line.text]
  }
  assert.deepEqual(typed('geheim\r'), ['done', 'geheim'])
  assert.deepEqual(typed('ab\u007fc', '\n'), ['done', 'ac'])
  assert.deepEqual(typed('🐿x\u007f\u007fy\r'), ['done', 'y'])
  assert.deepEqual(typed('wrong\u0015right\r'), ['done', 'right'])
  assert.deepEqual(typed('\u0004'), ['nothing', ''])
  assert.deepEqual(typed('abc\u0003'), ['interrupted', 'abc'])
  assert.deepEqual(typed('\u007f\u001bx'), [undefined, 'x'])
})

test('values are shown for people', () => {
  assert.equal(showValue('duration', 400), '0 s')
  assert.equal(showValue('duration', 61_000), '1 min 1 s')
  assert.equal(showValue('duration', 3_600_000), '1 h')
  assert.equal(showValue('bytes', 262_144), '256 KiB')
  assert.equal(showValue('bool', false), 'no')
  assert.equal(showValue('text', ''), '-')
  assert.equal(showValue('list', ['a', 'b\u001b']), 'a, b\ufffd')
  assert.equal(showValue('text', 'evil\u202etxt'), 'evil\ufffdtxt')
})

test('a long table is written while it comes, numbers to the right, wide characters counted', () => {
  let text = ''
  const writer = new TableWriter(
    [
      { name: 'who', form: 'text', title: 'Who', description: '' },
      { name: 'n', form: 'int', title: 'N', description: '' },
      { name: 'hidden', form: 'text', title: '', description: '' },
    ],
    (part) => {
      text += part
    },
  )
  writer.row({ who: '東京', n: 5, hidden: 'x' })
  for (let i = 0; i < 498; i++) writer.row({ who: 'b', n: 10, hidden: 'x' })
  assert.equal(text, '')
  writer.row({ who: 'c', n: 1, hidden: 'x' })
  assert.equal(text.split('\n').length, 502)
  assert(text.startsWith('Who    N\n東京   5\nb     10\n'), text.slice(0, 40))
  writer.end()
  assert.equal(text.split('\n').length, 502)
})
