/** DESIGN.md section 14: what a server does to the program that embeds it, which is nothing. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { getHeapStatistics } from 'node:v8'
import { least } from '../../tools/lib/least.ts'
import { createServer } from '../index.ts'
import { startTestServer, type TestServer } from '../test.ts'
import { inMemory, runProgram } from './embed.testing.ts'

const accounts = { 'juliet@localhost': 'balcony' }

/** Everything of the process that a server might touch. */
function surroundings() {
  return {
    listeners: Object.fromEntries(process.eventNames().map((name) => [String(name), process.listenerCount(name)])),
    cwd: process.cwd(),
    umask: process.umask(),
    title: process.title,
    env: JSON.stringify(process.env),
    argv: process.execArgv.join(' '),
    heapLimit: getHeapStatistics().heap_size_limit,
    globals: Object.getOwnPropertyNames(globalThis).sort().join(' '),
    request: globalThis.Request,
    response: globalThis.Response,
    files: readdirSync('.').sort().join(' '),
  }
}

async function chat(server: TestServer, from: string): Promise<void> {
  const client = await server.connect(from)
  client.send('<presence/>')
  await client.receive((el) => el.name === 'presence')
  client.send(`<message to='${client.jid}' type='chat'><body>hello</body></message>`)
  await client.receive((el) => el.name === 'message')
  await client.close()
}

const httpUrl = (server: TestServer) => {
  const place = server.server.listening.find(({ protocol }) => protocol === 'http')?.place
  assert.ok(place?.kind === 'tcp')
  return `http://${place.host}:${place.port}`
}

describe('an embedded server', () => {
  it('changes nothing of the process and prints nothing', async () => {
    const before = surroundings()
    const printed: string[] = []
    const streams = [process.stdout, process.stderr]
    const writes = streams.map((stream) => stream.write)
    for (const stream of streams) {
      stream.write = (chunk: string | Uint8Array) => {
        printed.push(String(chunk))
        return true
      }
    }
    try {
      const server = await startTestServer({ accounts })
      assert.deepEqual(surroundings(), before)
      await chat(server, 'juliet@localhost')
      const answer = await fetch(`${httpUrl(server)}/health`)
      assert.equal(answer.status, 200)
      await answer.text()
      await assert.rejects(server.connect('juliet@localhost', { password: 'wrong' }), /not-authorized/)
      assert.deepEqual(surroundings(), before)
      await server.close()
      assert.deepEqual(surroundings(), before)
    } finally {
      streams.forEach((stream, i) => {
        const write = writes[i]
        if (write !== undefined) stream.write = write
      })
    }
    // The test runner itself reports on standard output, in its own binary form, when it runs the file.
    const ours = printed.filter((text) => !text.includes('test:') && text !== '')
    assert.deepEqual(ours, [])
  })

  it('prints nothing in a process of its own, which ends by itself within a second after close', async () => {
    const waited = await least(1_000, async () => {
      const { code, output } = await runProgram(`
        import { startTestServer } from './test.ts'
        const server = await startTestServer({ accounts: { 'juliet@localhost': 'balcony' } })
        const juliet = await server.connect('juliet@localhost')
        const place = server.server.listening.find(({ protocol }) => protocol === 'http').place
        await (await fetch('http://127.0.0.1:' + place.port + '/health')).text()
        await server.close()
        const closed = performance.now()
        // Node's own codes are below 100.
        process.on('exit', () => {
          process.exitCode = 100 + Math.min(100, Math.floor((performance.now() - closed) / 10))
        })
      `)
      assert.equal(output, '')
      assert.ok(code !== null && code >= 100, `code ${code}`)
      return (code - 100) * 10
    })
    assert.ok(waited < 1_000, `it went on for ${waited} ms`)
  })

  it('may live beside another one', async () => {
    const first = await startTestServer({ accounts: { 'juliet@one.example': 'a' } })
    const second = await startTestServer({ accounts: { 'juliet@two.example': 'b' } })
    const one = await first.connect('juliet@one.example/same')
    const two = await second.connect('juliet@two.example/same')
    // Neither knows the other's hosts, accounts or sessions.
    assert.equal(first.server.core.sessions.count(), 1)
    assert.equal(second.server.core.sessions.count(), 1)
    await assert.rejects(second.connect('juliet@one.example', { password: 'a' }), /host-unknown/)
    one.send(`<message to='juliet@two.example' type='chat'><body>hello</body></message>`)
    const bounce = await one.receive((el) => el.attr('type') === 'error')
    assert.equal(bounce.attr('from'), 'juliet@two.example')
    assert.equal(two.unread.length, 0)
    await first.close()
    await chat(second, 'juliet@two.example')
    assert.equal((await two.request(`<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>`)).attr('type'), 'result')
    await second.close()
  })

  it('answers health and readiness over HTTP', async () => {
    await using server = await startTestServer()
    const ask = async (path: string, init?: RequestInit) => {
      const answer = await fetch(httpUrl(server) + path, init)
      return `${answer.status} ${(await answer.text()).trim()}`
    }
    assert.equal(await ask('/health'), '200 {"status":"ok"}')
    assert.equal(await ask('/ready'), '200 {"status":"ok"}')
    assert.equal(await ask('/nothing'), '404 there is nothing here')
    assert.equal(await ask('/health', { method: 'POST', body: 'x' }), '404 there is nothing here')
    await server.server.stores.close()
    assert.equal(await ask('/ready'), '503 {"status":"store","store":"closed"}')
    assert.equal(await ask('/health'), '200 {"status":"ok"}')
  })

  it('writes no file when its data is in memory', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ratatosk-embed-'))
    try {
      const server = await createServer({ config: { ...inMemory, data_dir: folder } })
      assert.equal(server.authority?.file, undefined)
      assert.match(server.authority?.certPem ?? '', /^-----BEGIN CERTIFICATE-----/)
      await server.close()
      assert.deepEqual(readdirSync(folder), [])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('leaves the heap as it was after 50 lives', async () => {
    // A server is hundreds of kilobytes.
    const most = 8_192
    const { code, output } = await runProgram(`
      import { createServer } from './index.ts'
      import { Server } from './index.ts'
      import { Core } from './core/core.ts'
      import { queryObjects } from 'node:v8'
      import { leftByEach } from './../tools/lib/heap.ts'
      const config = ${JSON.stringify(inMemory)}
      const live = async () => (await createServer({ config })).close()
      // What Node compiles and learns in the first lives stays, and is not ours.
      for (let i = 0; i < 40; i++) await live()
      const perLife = await leftByEach(10, ${most}, live)
      const left = [Server, Core].map((of) => queryObjects(of))
      console.log(JSON.stringify({ perLife, left, resources: process.getActiveResourcesInfo() }))
    `)
    assert.equal(code, 0, output)
    const { perLife, left, resources } = JSON.parse(output.split('\n')[0] ?? '') as {
      perLife: number
      left: number[]
      resources: string[]
    }
    assert.deepEqual(left, [0, 0], 'servers and cores that are still alive')
    assert.ok(perLife < most, `each life leaves ${Math.round(perLife)} bytes`)
    assert.deepEqual(
      resources.filter((name) => name !== 'PipeWrap'),
      [],
    )
  })
})
