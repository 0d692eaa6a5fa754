import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openLog, silentLog } from './log.ts'
import type { LogLevel } from './log.types.ts'
import { REDACTED, redact } from './redact.ts'

async function lines(format: 'json' | 'text', level: LogLevel = 'debug') {
  const written: string[] = []
  return { written, log: await openLog({ level, format, write: (line) => written.push(line) }) }
}

describe('log', () => {
  it('writes one JSON object a line, from the level on', async () => {
    const { log, written } = await lines('json', 'info')
    log.debug('too fine')
    log.info('listening', { port: 5222 })
    log.with({ session: 's1' }).warn('slow', { ms: 12.5 })
    log.error('failed', { error: new TypeError('bad', { cause: new Error('inner') }) })
    assert.deepEqual([log.enabled('debug'), log.enabled('info')], [false, true])
    assert.ok(written.every((line) => line.endsWith('\n') && line.indexOf('\n') === line.length - 1))
    const [info, warn, error] = written.map((line) => JSON.parse(line))
    assert.equal(written.length, 3)
    assert.deepEqual([info.level, info.message, info.port], ['info', 'listening', 5222])
    assert.match(info.time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    assert.deepEqual([warn.level, warn.session, warn.ms], ['warn', 's1', 12.5])
    assert.deepEqual([error.error.name, error.error.message, error.error.cause.message], ['TypeError', 'bad', 'inner'])
  })

  it('writes from another level on when it is told to, and so do all that were made from it', async () => {
    const { written, log } = await lines('json', 'warn')
    const child = log.with({ module: 'm' })
    const write = () => {
      for (const one of [log, child]) one.info('hello')
      return written.splice(0).length
    }
    assert.equal(write(), 0)
    log.setLevel('info')
    assert.ok(child.enabled('info') && !child.enabled('debug'))
    assert.equal(write(), 2)
    log.setLevel('error')
    assert.equal(write(), 0)
  })

  it('writes in another form when it is told to, and so do all that were made from it', async () => {
    for (const isForPeople of [false, true]) {
      const written: string[] = []
      const log = await openLog({ level: 'info', format: 'auto', isForPeople, write: (line) => written.push(line) })
      const child = log.with({ module: 'm' })
      const forms = () => {
        for (const one of [log, child]) one.info('hello')
        return written.splice(0).map((line) => (line.startsWith('{') ? 'json' : 'text'))
      }
      const auto = isForPeople ? ['text', 'text'] : ['json', 'json']
      assert.deepEqual(forms(), auto)
      log.setFormat?.('text')
      assert.deepEqual(forms(), ['text', 'text'])
      log.setFormat?.('json')
      assert.deepEqual(forms(), ['json', 'json'])
      log.setFormat?.('auto')
      assert.deepEqual(forms(), auto)
    }
  })

  it('leaves the day out for who looks on', async () => {
    const written: string[] = []
    const log = await openLog({ level: 'info', format: 'auto', isForPeople: true, write: (line) => written.push(line) })
    log.info('hello')
    assert.match(written[0] ?? '', /^\d\d:\d\d:\d\d\.\d{3} info {2}hello\n$/)
  })

  it('writes lines for people, on which nothing a peer sent can act', async () => {
    const { log, written } = await lines('text')
    log.info('hello', { name: 'a b', plain: 'x', port: 1, evil: '\u001b[2J\r\n' })
    assert.equal(written.length, 1)
    assert.match(
      written[0] ?? '',
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info {2}hello name="a b" plain=x port=1 evil="[^\u0000-\u001f]*"\n$/,
    )
  })

  it('never shows a secret, wherever it is and whatever it is called', async () => {
    const { log, written } = await lines('json')
    const secret = 'hunter2'
    const names = [
      'password',
      'Passwd',
      'secret',
      'clientSecret',
      'token',
      'accessToken',
      'authorization',
      'Cookie',
      'apiKey',
      'keyPem',
      'privateKey',
      'saltedPassword',
      'storedKey',
      'credentials',
    ]
    for (const name of names) {
      log.info('at the top', { [name]: secret })
      log.info('deep', { a: [{ b: new Map([[name, secret]]) }] })
      log.info('in an error', { error: Object.assign(new Error('x'), { [name]: secret }) })
      log.with({ [name]: secret }).info('bound')
    }
    log.info('in a url', { url: `postgres://rat:${secret}@db/xmpp` })
    log.info(`connecting to postgres://rat:${secret}@db/xmpp`)
    assert.equal(written.length, names.length * 4 + 2)
    assert.ok(!written.join('').includes(secret))
    assert.ok(written.every((line) => line.includes(REDACTED)))
  })

  it('bounds what it is given: cycles, depth, size, strange values', () => {
    const circle: Record<string, unknown> = {
      big: 10n ** 20n,
      bytes: new Uint8Array(3),
      when: new Date(0),
      fn: () => {},
    }
    circle['self'] = circle
    circle['long'] = 'x'.repeat(100_000)
    circle['many'] = new Array(1_000).fill(1)
    let deep: unknown = 'bottom'
    for (let i = 0; i < 50; i++) deep = { deep }
    const text = JSON.stringify(redact({ circle, deep }))
    assert.ok(text.length < 6_000, `${text.length}`)
    assert.match(text, /"self":"\[circular\]"/)
    assert.match(text, /"big":"100000000000000000000"/)
    assert.match(text, /"bytes":"\[3 bytes\]"/)
    assert.ok(!text.includes('bottom'))
  })

  it('can be silent', () => {
    silentLog.error('nobody hears')
    assert.equal(silentLog.with({ a: 1 }).enabled('error'), false)
  })
})
