/**
 * Half-open connections: the network of many clients goes, in a network namespace of its own, without a FIN or RST. Those who
 * are sent nothing are noticed by the kernel's questions, the others, and those who were answered just before, by the server's ping.
 */
// needs: ip
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { Arena } from './arena.ts'

/** Of four addresses each. */
const networks = 64

/** A network with one link to this machine. The documentation's addresses (RFC 5737) are nobody's. */
class Island {
  readonly host: string
  readonly #there: string
  readonly #name = `rtk${process.pid}`
  readonly #outer = `rtk${process.pid}a`

  static open(t: TestContext): Island | undefined {
    sweep()
    const island = new Island(freeNetwork())
    if (spawnSync('ip', ['netns', 'add', island.#name]).status !== 0) {
      t.skip('no permission to make a network namespace')
      return undefined
    }
    const inner = `${island.#name}b`
    ip('link', 'add', island.#outer, 'type', 'veth', 'peer', 'name', inner, 'netns', island.#name)
    ip('address', 'add', `${island.host}/30`, 'dev', island.#outer)
    ip('link', 'set', island.#outer, 'up')
    for (const args of [
      ['address', 'add', `${island.#there}/30`, 'dev', inner],
      ['link', 'set', inner, 'up'],
    ]) {
      ip('-n', island.#name, ...args)
    }
    island.#remember()
    return island
  }

  private constructor(network: number) {
    this.host = `198.51.100.${4 * network + 1}`
    this.#there = `198.51.100.${4 * network + 2}`
  }

  /** A command before another, which runs there. */
  get inside(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name]
  }

  /**
   * Whether all that was sent there is acknowledged. What is not is sent again for a quarter of an hour (RFC 1122 section
   * 4.2.3.5), and the kernel asks nothing meanwhile.
   */
  get isAcknowledged(): boolean {
    return this.unacknowledged === 0
  }

  /** Sockets with something that is not. */
  get unacknowledged(): number {
    const sockets = execFileSync('ss', ['-Htn', 'dst', this.#there], { encoding: 'utf8' })
    return sockets.split('\n').filter((line) => line !== '' && !/^\S+\s+\d+\s+0\s/.test(line)).length
  }

  /** Otherwise this machine notices that nobody there answers for the address. */
  #remember(): void {
    const [{ address = '' } = {}] = JSON.parse(
      execFileSync('ip', ['-n', this.#name, '-json', 'link', 'show', `${this.#name}b`], { encoding: 'utf8' }),
    ) as { address?: string }[]
    ip('neighbour', 'replace', this.#there, 'lladdr', address, 'nud', 'permanent', 'dev', this.#outer)
  }

  /** What is sent there arrives nowhere, and nobody says so. At once: an acknowledgement takes no longer than this. */
  leave(): void {
    ip('-n', this.#name, 'address', 'flush', 'dev', `${this.#name}b`)
  }

  comeBack(): void {
    ip('-n', this.#name, 'address', 'add', `${this.#there}/30`, 'dev', `${this.#name}b`)
  }

  close(): void {
    spawnSync('ip', ['link', 'delete', this.#outer])
    spawnSync('ip', ['netns', 'delete', this.#name])
  }
}

/** Another run of this test may have a network at the same time: with the same addresses neither would reach its own. */
function freeNetwork(): number {
  const taken = execFileSync('ip', ['-4', '-oneline', 'address'], { encoding: 'utf8' })
  for (let tries = 0; tries < networks; tries++) {
    const network = (process.pid + tries) % networks
    if (!taken.includes(`198.51.100.${4 * network + 1}/`)) return network
  }
  throw new Error('all 64 networks are taken')
}

/** Removes what a run left that was killed. */
function sweep(): void {
  const { stdout } = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' })
  for (const [, pid = ''] of stdout.matchAll(/^rtk(\d+)\b/gm)) {
    if (existsSync(`/proc/${pid}`)) continue
    spawnSync('ip', ['link', 'delete', `rtk${pid}a`])
    spawnSync('ip', ['netns', 'delete', `rtk${pid}`])
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args)
}

const settings = `
session: { max_per_user: 1000 }
modules: { ping: { ask_after: 30 seconds, answer_timeout: 5 seconds } }
`
const count = 100

/** The kernel asks after 10 seconds, and asks again for 10 or so; a ping takes 45. */
const patienceMs = 60_000

describe('half-open connections', { timeout: 300_000 }, () => {
  it('are noticed, by the kernel or by a ping', async (t) => {
    const island = Island.open(t)
    if (island === undefined) return
    const start = { settings, listener: ', tcp_keepalive: 10 seconds' }
    const arena = await Arena.open(start, { host: island.host }).catch((error: unknown) => {
      island.close()
      throw error
    })
    const { server } = arena
    const writesToNurse = async () => {
      const { done } = await arena.attack('numbered', {
        user: 'sender',
        host: island.host,
        count: 5,
        to: 'nurse@localhost',
      })
      assert.deepEqual(await done, { errors: 0 })
    }
    const figures = async () => {
      const names = ['connections', 'sessions', 'ping_asked_total', 'ping_unanswered_total', 'offline_kept_total']
      const told = await Promise.all(names.map((name) => server.metric(`ratatosk_${name}`)))
      return `${names.map((name, i) => `${name} ${told[i]}`).join(', ')}; ${island.unacknowledged}`
    }
    const until = async (isSo: () => Promise<boolean>) => {
      const end = Date.now() + patienceMs
      while (!(await isSo())) {
        if (Date.now() >= end) assert.fail(`${isSo}: ${await figures()}`)
        await server.bystanders.pause(200)
      }
    }
    /** They sign in, their network goes, and in the end the server knows. */
    const vanish = async (user: string, how: { isAvailable?: boolean; asks?: boolean }, then: () => Promise<void>) => {
      const before = await server.metric('ratatosk_connections')
      const gone = await arena.attack('dumb', { user, count, ...how }, island.inside)
      // The last acknowledgements are a few hundredths of a second late (RFC 1122 section 4.2.3.2): of those who ask, some are not sent.
      if (how.asks !== true) await until(async () => island.isAcknowledged)
      island.leave()
      assert.equal(await server.metric('ratatosk_sessions'), 2 + count)
      await then()
      await until(async () => (await server.metric('ratatosk_connections')) <= before)
      assert.equal(await server.metric('ratatosk_sessions'), 2)
      gone.stop()
      island.comeBack()
    }
    try {
      await arena.row({
        attack: `${count} half-open, sent nothing`,
        limit: 'listeners[].tcp_keepalive',
        metric: 'ratatosk_connections_timed_out_total',
        moves: count,
        growthMaxMiB: 20,
        async run() {
          await vanish('attacker', {}, async () => undefined)
          return 'nothing: nobody is there'
        },
      })
      await arena.row({
        attack: `${count} half-open, answered just before`,
        limit: 'modules.ping.answer_timeout',
        growthMaxMiB: 20,
        async run() {
          await vanish('attacker', { asks: true }, async () => {
            await server.bystanders.pause(1_000)
            // The kernel says it again, and asks nothing meanwhile.
            assert.ok(island.unacknowledged > 0, `${island.unacknowledged} of ${count} have not acknowledged`)
          })
          return 'connection-timeout (unread)'
        },
      })
      await arena.row({
        attack: `${count} half-open, sent to`,
        limit: 'modules.ping.answer_timeout',
        moves: count,
        growthMaxMiB: 20,
        async run() {
          await vanish('nurse', { isAvailable: true }, writesToNurse)
          return 'connection-timeout (unread)'
        },
      })
      // Nobody is taken to be there any more: what is said now is kept.
      const kept = await server.metric('ratatosk_offline_kept_total')
      await writesToNurse()
      assert.equal(await server.metric('ratatosk_offline_kept_total'), kept + 5)
    } finally {
      arena.close()
      island.close()
    }
  })
})
