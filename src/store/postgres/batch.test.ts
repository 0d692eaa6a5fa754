/** What a batch comes to when the server refuses one of its calls; the server here is a list of words. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Answer, type OperationData, type WireValue } from '../wire.ts'
import { BatchRun } from './batch.ts'
import type { Call, Piped } from './connection.ts'
import type { BatchCall, PreparedOperation } from './prepared.ts'

const data: OperationData = {
  slot: 0,
  name: 'one',
  does: 'write',
  guarded: false,
  maxRows: 10,
  params: [],
  items: [],
  takesItems: false,
  row: [],
  statements: [],
}
const write: PreparedOperation = { data, isRead: false, isFunction: false, columns: [] }
const read: PreparedOperation = { ...write, data: { ...data, does: 'read' }, isRead: true }

function serverError(code: string): Error {
  return Object.assign(new Error('on purpose'), { code, severity: 'ERROR' })
}

const call = (name: string): BatchCall => ({
  operation: name.startsWith('read') ? read : write,
  call: { statement: name, values: [] },
})

/** Fails what `faults` names (with an SQLSTATE, each as often as it stands there); notes what each pipeline was asked. */
function server(faults: Readonly<Record<string, string[]>>) {
  const asked: string[] = []
  const pipe = async (calls: readonly Call[]): Promise<Piped> => {
    asked.push(calls.map(({ statement }) => statement).join(' '))
    const at = calls.findIndex(({ statement }) => (faults[statement]?.length ?? 0) > 0)
    if (at < 0) return { answers: calls.map(() => ({ rows: [], changed: 1 })), failure: undefined }
    const code = faults[calls[at]?.statement ?? '']?.shift() ?? ''
    return { answers: calls.slice(0, at).map(() => ({ rows: [], changed: 1 })), failure: serverError(code) }
  }
  return { asked, pipe }
}

async function run(names: readonly string[], faults: Readonly<Record<string, string[]>>) {
  const { asked, pipe } = server(faults)
  const reply = await new BatchRun(pipe, names.length).run(names.map(call))
  return { asked, commits: reply[1], state: reply[2], told: words(reply, names.length) }
}

/** One word an operation. */
function words(reply: readonly WireValue[], count: number): readonly string[] {
  const told: string[] = []
  let at = 4
  for (let i = 0; i < count; i++) {
    if (reply[at] === Answer.error) {
      told.push(String(reply[at + 1]))
      at += 3
    } else {
      told.push(reply[at] === Answer.kept ? 'kept' : 'rows')
      at += reply[at] === Answer.kept ? 3 : 2
    }
  }
  assert.equal(at, reply.length)
  return told
}

const forever = (code: string) => Array.from({ length: 100 }, () => code)

test('without a fault a batch is one way to the server', async () => {
  const ran = await run(['a', 'read', 'b'], {})
  assert.deepEqual(ran, { asked: ['a read b'], commits: 1, state: '', told: ['kept', 'rows', 'kept'] })
  assert.equal((await run(['read'], {})).commits, 0)
})

test('what one does wrong is its answer, and the others are asked again without it', async () => {
  const ran = await run(['a', 'b', 'read', 'c'], { b: forever('23514') })
  assert.deepEqual(ran.asked, ['a b read c', 'a read c'])
  assert.deepEqual(ran.told, ['kept', 'RTK_STORE_CONSTRAINT', 'rows', 'kept'])
  assert.equal(ran.state, '')
})

test('after four that fail the rest is asked one by one', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
  const faults = Object.fromEntries(['a', 'b', 'c', 'd', 'f'].map((name) => [name, forever('23514')]))
  const ran = await run(names, faults)
  assert.deepEqual(ran.asked, ['a b c d e f g', 'b c d e f g', 'c d e f g', 'd e f g', 'e', 'f', 'g'])
  assert.deepEqual(
    ran.told.map((word) => word === 'kept'),
    [false, false, false, false, true, false, true],
  )
  assert.equal(ran.commits, 1)
})

test('another transaction in the way: the same again, five times', async () => {
  const ran = await run(['a', 'b'], { b: ['40P01', '40001'] })
  assert.deepEqual([ran.asked.length, ran.told], [3, ['kept', 'kept']])
  const never = await run(['a', 'b'], { b: forever('40001') })
  assert.deepEqual(never.told, ['kept', 'RTK_STORE_LOCKED'])
})

test('a full disk fails all writes and says so; the reads are asked again', async () => {
  const ran = await run(['a', 'read', 'b'], { b: forever('53100') })
  assert.deepEqual(ran.told, ['RTK_STORE_DISK_FULL', 'rows', 'RTK_STORE_DISK_FULL'])
  assert.deepEqual([ran.state, ran.commits, ran.asked], ['RTK_STORE_DISK_FULL', 0, ['a read b', 'read']])
  const reads = await run(['read1', 'read2'], { read2: forever('58030') })
  assert.deepEqual(reads.told, ['rows', 'RTK_STORE_IO'])
})

test('a server that takes no writes ends the connection', async () => {
  await assert.rejects(run(['a'], { a: ['25006'] }), { code: 'RTK_STORE_READ_ONLY', temporary: true })
})
