import assert from 'node:assert/strict'
import { PassThrough, Writable } from 'node:stream'
import { test } from 'node:test'
import { Interrupted, RealTerminal } from './terminal.ts'

/** A terminal that echoes as the system does: whatever is typed while it is not in raw mode. */
function pretend() {
  const seen: string[] = []
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    isRaw: false,
    setRawMode(isRaw: boolean) {
      stdin.isRaw = isRaw
    },
  })
  const show = () =>
    new Writable({
      write(chunk, _encoding, done) {
        seen.push(String(chunk))
        asked.resolve()
        done()
      },
    })
  let asked = Promise.withResolvers<void>()
  const stderr = show()
  const type = (text: string) => {
    if (!stdin.isRaw) seen.push(`ECHO ${text}`)
    stdin.write(text)
  }
  /** Resolves with the next text that is shown. */
  const nextText = async () => {
    await asked.promise
    asked = Promise.withResolvers()
  }
  return { terminal: new RealTerminal({ stdin, stdout: show(), stderr }), stdin, stderr, seen, type, nextText }
}

test('nothing is echoed of what is typed in the moment of the question', async () => {
  const { terminal, stdin, stderr, seen, type } = pretend()
  // As fast as anybody can be: typed while the question is being written.
  const write = stderr.write.bind(stderr)
  stderr.write = ((text: string) => {
    const wrote = write(text)
    if (text === 'password: ') type('geheim\r')
    if (text === 'again: ') type('geheim\r')
    return wrote
  }) as typeof stderr.write
  assert.deepEqual(await terminal.askSecrets(['password: ', 'again: ']), ['geheim', 'geheim'])
  assert.deepEqual(seen, ['password: ', '\n', 'again: ', '\n'])
  assert.equal(stdin.isRaw, false)
  assert.equal(stdin.isPaused(), true)
})

test('both answers may come at once, with the ends of lines of any system', async () => {
  for (const text of ['a\ra\r', 'a\na\n', 'a\r\na\r\n']) {
    const { terminal, type, nextText } = pretend()
    const asking = terminal.askSecrets(['password: ', 'again: '])
    await nextText()
    type(text)
    assert.deepEqual(await asking, ['a', 'a'], JSON.stringify(text))
  }
})

test('Ctrl-C, Ctrl-D and the end of the terminal end the question, and leave the terminal as it was', async () => {
  const interrupted = pretend()
  const asking = interrupted.terminal.askSecrets(['password: '])
  await interrupted.nextText()
  interrupted.type('half\u0003')
  await assert.rejects(asking, Interrupted)
  assert.equal(interrupted.stdin.isRaw, false)

  const nothing = pretend()
  const none = nothing.terminal.askSecrets(['password: '])
  await nothing.nextText()
  nothing.type('\u0004')
  assert.equal(await none, undefined)
  assert.equal(nothing.stdin.isRaw, false)

  const gone = pretend()
  const end = gone.terminal.askSecrets(['password: '])
  await gone.nextText()
  gone.stdin.end()
  assert.equal(await end, undefined)
})

test('the size of the terminal is told, where there is one', () => {
  const stream = (more: object) => Object.assign(new Writable({ write: (_, __, done) => done() }), more)
  const sizeOf = (more: object) =>
    new RealTerminal({ stdin: new PassThrough(), stdout: stream(more), stderr: stream({}) }).size
  assert.deepEqual(sizeOf({ isTTY: true, columns: 80, rows: 24 }), { columns: 80, rows: 24 })
  assert.equal(sizeOf({ isTTY: true, columns: 0, rows: 0 }), undefined)
  assert.equal(sizeOf({}), undefined)
})

test('an output that takes nothing is told once, and what was lost when it takes something again', async () => {
  let isFull = true
  const written: string[] = []
  const stdout = new Writable({
    // As Node does it for a standard output, which never ends.
    destroy(error, done) {
      done(error)
      ;(this as unknown as { _undestroy(): void })._undestroy()
    },
    write(chunk, _encoding, done) {
      if (isFull) return done(Object.assign(new Error('full'), { code: 'ENOSPC' }))
      written.push(String(chunk))
      done()
    },
  })
  const terminal = new RealTerminal({ stdin: new PassThrough(), stdout, stderr: new PassThrough() })
  const told: (number | string)[] = []
  terminal.whenOutFails(
    (code) => told.push(code),
    (lost) => told.push(lost),
  )
  const settled = () => new Promise(setImmediate)
  for (const text of ['a', 'b', 'c']) {
    terminal.out(text)
    await settled()
  }
  assert.deepEqual(told, ['ENOSPC'])
  isFull = false
  terminal.out('d')
  await settled()
  assert.deepEqual([told, written], [['ENOSPC', 3], ['\nd']])
})
