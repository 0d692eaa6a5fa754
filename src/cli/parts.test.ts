import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeOptions } from '../core/config/describe.ts'
import { opt } from '../core/config/opt.ts'
import { InputRows, rowOfLine } from './input-rows.ts'
import { showValue, TableWriter } from './render.ts'
import type { Surroundings } from './settings.ts'
import { Summary } from './summary.ts'
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

async function* linesOf(...lines: string[]) {
  yield* lines
}

test('a person sees how far a long list is, and refusals by their lines; a pipe sees the refusals only', async () => {
  for (const isErrTty of [true, false]) {
    const said: string[] = []
    let nowMs = 1_000
    const terminal = {
      isErrTty,
      err: (text: string) => said.push(text),
      out: (text: string) => said.push(`OUT ${text}`),
    }
    const rows = new InputRows(linesOf('a@b c', '', 'd@e f', 'g@h i', 'j@k l'), fields)
    const summary = new Summary(rows, {
      terminal,
      world: { clock: { monoMs: () => nowMs } },
    } as unknown as Surroundings)
    const sent: unknown[] = []
    for await (const row of rows) sent.push(row)
    assert.equal(sent.length, 4)
    nowMs += 100
    summary.row({ result: 'added' })
    nowMs += 900
    summary.row({ result: 'RTK_ACCOUNT_EXISTS', text: 'd@e exists already' })
    summary.row({ result: 'added' })
    nowMs += 500
    summary.row({ result: 'RTK_ACCOUNT_HOST', text: 'k is no host' })
    summary.end(2)
    const refusals = ['line 3: d@e exists already (RTK_ACCOUNT_EXISTS)\n', 'line 5: k is no host (RTK_ACCOUNT_HOST)\n']
    const [first, second] = refusals
    const [clear, end] = ['\r\u001b[K', 'OUT 2 done, 2 refused\n']
    const seen = [
      first,
      `${clear}1 done, 1 refused, 2 a second`,
      clear,
      second,
      `${clear}2 done, 2 refused, 3 a second`,
      clear,
    ]
    assert.deepEqual(said, isErrTty ? [...seen, end] : [...refusals, end])
  }
})
