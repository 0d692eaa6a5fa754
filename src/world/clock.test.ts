import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { RealClock } from './clock.ts'
import { PAUSE_MS, Turn } from './turn.ts'

/** Real timers do not keep the process alive, so a test that awaits one must. */
async function alive<T>(work: Promise<T>): Promise<T> {
  const hold = setInterval(() => {}, 1_000)
  try {
    return await work
  } finally {
    clearInterval(hold)
  }
}

describe('real clock', () => {
  it('fires in order of time, never early', (t) =>
    alive(
      (async () => {
        const clock = new RealClock(new Turn())
        const { promise, resolve } = Promise.withResolvers<void>()
        const fired: number[] = []
        const begin = clock.monoMs()
        const note = (ms: number): void => {
          assert.ok(clock.monoMs() - begin >= ms, `${ms} ms after ${clock.monoMs() - begin}`)
          fired.push(ms)
          if (fired.length === 4) resolve()
        }
        // All are asked for at the same time, however busy the machine is.
        const { mock } = t.mock.method(performance, 'now', () => begin)
        for (const ms of [45, 0, 20, 32]) clock.after(ms, note, ms)
        clock.after(25, note, 25).cancel()
        mock.restore()
        await promise
        assert.deepEqual(fired, [0, 20, 32, 45])
      })(),
    ))

  it('takes a nearer timer while it sleeps for a farther one', () =>
    alive(
      (async () => {
        const clock = new RealClock(new Turn())
        clock.after(60_000, () => assert.fail('too early'), undefined)
        const { promise, resolve } = Promise.withResolvers<void>()
        clock.after(10, resolve, undefined)
        await promise
      })(),
    ))

  it('refuses a delay that is no number', () => {
    assert.throws(() => new RealClock(new Turn()).after(Number.NaN, () => {}, undefined), RangeError)
  })

  it('tells the time of day', () => {
    const clock = new RealClock(new Turn())
    for (const time of [() => clock.now().getTime(), () => clock.wallMs()]) {
      const before = Date.now()
      const between = time()
      assert.ok(before <= between && between <= Date.now(), `${between}`)
    }
  })
})

describe('end of turn', () => {
  it('runs what is to come soon, then sends; what is added meanwhile waits for the next turn', async () => {
    const turn = new Turn()
    const { promise, resolve } = Promise.withResolvers<void>()
    const done: string[] = []
    const socket = { flush: () => void done.push('sent') }
    turn.flushAtEnd(socket)
    turn.soon(() => {
      done.push('one')
      turn.soon(() => {
        done.push('next turn')
        resolve()
      }, undefined)
      turn.flushAtEnd({ flush: () => void done.push('sent too') })
    }, undefined)
    turn.soon((name) => done.push(name), 'two')
    assert.deepEqual(done, [])
    await promise
    assert.deepEqual(done, ['one', 'two', 'sent', 'sent too', 'next turn'])
  })

  it('lets the answers to the first read after a pause leave when it is handled, and joins those of the reads after it', async (t) => {
    let at = 1_000
    t.mock.method(performance, 'now', () => at)
    const turn = new Turn()
    const done: string[] = []
    const read = (name: string): void => {
      turn.readBegins()
      turn.flushAtEnd({ flush: () => void done.push(name) })
      done.push(`${name} handled`)
      turn.readEnds()
    }
    read('first')
    assert.deepEqual(done.splice(0), ['first handled', 'first'])
    at += PAUSE_MS / 2
    read('second')
    at += PAUSE_MS * 2
    read('third')
    assert.deepEqual(
      done.splice(0),
      ['second handled', 'third handled'],
      'the end of the turn is armed, however long it takes',
    )
    await new Promise(setImmediate)
    assert.deepEqual(done.splice(0), ['second', 'third'])
    read('fourth')
    assert.deepEqual(done.splice(0), ['fourth handled'], 'no pause since')
    await new Promise(setImmediate)
    assert.deepEqual(done.splice(0), ['fourth'])
  })

  it('keeps to the order of a turn when the first read asks for something soon', async () => {
    const turn = new Turn()
    const done: string[] = []
    turn.readBegins()
    turn.flushAtEnd({ flush: () => void done.push('sent') })
    turn.soon(() => done.push('soon'), undefined)
    turn.readEnds()
    assert.deepEqual(done, [])
    await new Promise(setImmediate)
    assert.deepEqual(done, ['soon', 'sent'])
  })

  it('loses neither callbacks nor writes when one throws', () => {
    const program = `
      import { Turn } from ${JSON.stringify(new URL('./turn.ts', import.meta.url).href)}
      const turn = new Turn()
      process.on('uncaughtException', (error) => console.log(error.message))
      turn.flushAtEnd({ flush: () => console.log('sent') })
      turn.soon(() => { throw new Error('bad') }, undefined)
      turn.soon(() => console.log('two'), undefined)`
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
    assert.deepEqual(stdout.trim().split('\n'), ['bad', 'two', 'sent'])
  })
})
