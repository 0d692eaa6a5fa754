/** What keeps a process alive (DESIGN.md section 14): listeners and connections do, timers do not. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'

function run(body: string): { stdout: string; status: number | null; stderr: string } {
  const program = `
    import { createWorld } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}
    const handler = { data() {}, drained() {}, secured() {}, ended() {}, closed() {} }
    const world = createWorld({ sockets: process.env.SOCKETS })
    ${body}`
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, SOCKETS: sockets },
  })
  return { stdout, stderr, status }
}

let sockets = 'fast'

for (const choice of ['fast', 'plain']) {
  describe(`life of a process with ${choice} sockets`, () => {
    it('ends by itself after the listener has closed, timers or not, printing nothing', () => {
      sockets = choice
      const { stdout, stderr, status } = run(`
        world.clock.after(3_600_000, () => {}, undefined)
        const listening = await world.net.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }, { backlog: 1 }, () => handler)
        const transport = await world.net.connect(listening.place, handler, 1_000)
        transport.destroy()
        await listening.close()`)
      assert.deepEqual({ stdout, stderr, status }, { stdout: '', stderr: '', status: 0 })
    })

    it('stays alive while somebody listens', () => {
      sockets = choice
      const { stdout, status } = run(`
        const listening = await world.net.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }, { backlog: 1 }, () => handler)
        world.clock.after(200, async () => { process.stdout.write('alive'); await listening.close() }, undefined)`)
      assert.deepEqual({ stdout, status }, { stdout: 'alive', status: 0 })
    })
  })
}

describe('a world that was only made', () => {
  it('holds nothing open and installs no listener', () => {
    sockets = 'auto'
    const { stdout, status } = run(`
      const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'uncaughtException', 'unhandledRejection', 'warning', 'exit']
      process.stdout.write(String(signals.reduce((sum, name) => sum + process.listenerCount(name), 0)))`)
    // Node itself listens to one of them ('warning').
    assert.ok(Number(stdout) <= 1)
    assert.equal(status, 0)
  })
})
