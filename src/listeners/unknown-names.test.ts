/**
 * AUTH-10 through a whole server, from the listener to the store and the decoys: nobody learns from an attempt to sign in
 * whether an account exists. What the mechanisms alone do is in `stream/sasl/unknown-names.test.ts`.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { header, Wire } from '../../plays/language/wire.ts'
import { least } from '../../tools/lib/least.ts'
import { jid } from '../jid/index.ts'
import { createWorld } from '../world/index.ts'
import { serveWith } from './listeners.testing.ts'
import { SymbolicServer } from './symbolic.testing.ts'

const NS = 'urn:ietf:params:xml:ns:xmpp-sasl'
const names = 1_000
const iterations = 4_096

const auth = (mechanism: string, data: string) => `<auth xmlns='${NS}' mechanism='${mechanism}'>${btoa(data)}</auth>`
const plain = (name: string) => auth('PLAIN', `\0${name}\0guess`)
const failure = /<failure .*?<\/failure>/

interface Told {
  readonly salt: string
  readonly iterations: string
  readonly failure: string
  /** Milliseconds to the challenge, and to the failure after the response. */
  readonly times: readonly [number, number]
}

/** One attempt with a wrong password: all that the client is told, and how long it took. */
async function attempt(wire: Wire, name: string, now: () => number): Promise<Told> {
  const began = now()
  wire.says(auth('SCRAM-SHA-256', `n,,n=${name},r=abc`))
  const heard = await wire.hears(/<challenge [^>]*>[^<]*<\/challenge>/)
  const challenged = now()
  const challenge = atob(/>([^<]*)<\/challenge>/.exec(heard)?.[1] ?? '')
  const [, nonce = '', salt = '', count = ''] = /^r=([^,]+),s=([^,]+),i=(\d+),h=[^,]+$/.exec(challenge) ?? []
  const proof = btoa('\0'.repeat(32))
  const answered = now()
  wire.says(`<response xmlns='${NS}'>${btoa(`c=biws,r=${nonce},p=${proof}`)}</response>`)
  const told = await wire.hears(failure)
  return { salt, iterations: count, failure: told, times: [challenged - began, now() - answered] }
}

describe('AUTH-10: a name that does not exist', () => {
  it(`${names} of them: the mechanisms, the iterations and the failure of names that do, and a salt as long and as stable`, () =>
    SymbolicServer.run(
      {
        limits: { sign_in_failures: 100_000, connections_per_address: 10_000 },
        listeners: [{ name: 'c2s', protocol: 'c2s', tls: 'none', address: '0.0.0.0', port: 5222 }],
      },
      async (server) => {
        const { simulation } = server
        const known = ['romeo', 'juliet', 'mercutio']
        for (const name of known.slice(1)) await server.server.accounts.add(jid(`${name}@localhost`), 'secret')

        /** Who says in his header who he is, as RFC 6120 section 4.7.1 has it. */
        const tries = async (name: string) => {
          const wire = await server.wire('mallory')
          wire.says(header('localhost').replace(' to=', ` from='${name}@localhost' to=`))
          const features = await wire.hears(/<\/stream:features>/)
          const mechanisms = /<mechanisms .*<\/mechanisms>/.exec(features)?.[0] ?? ''
          const told = await attempt(wire, name, () => simulation.now)
          wire.closes()
          return { mechanisms, told }
        }

        const ofKnown = []
        for (const name of known) ofKnown.push(await tries(name))
        const first = ofKnown[0] ?? assert.fail()
        assert.match(first.mechanisms, /SCRAM-SHA-256/)
        assert.equal(first.told.iterations, String(iterations))
        assert.match(first.told.failure, /<not-authorized\/>/)
        const same = ({ mechanisms, told }: typeof first) => ({
          mechanisms,
          iterations: told.iterations,
          length: told.salt.length,
          failure: told.failure,
        })
        for (const other of ofKnown) assert.deepEqual(same(other), same(first))

        const salts = new Map<string, string>()
        for (let n = 0; n < names; n++) {
          const unknown = await tries(`unknown${n}`)
          assert.deepEqual(same(unknown), same(first), `unknown${n}`)
          salts.set(`unknown${n}`, unknown.told.salt)
        }
        assert.equal(new Set(salts.values()).size, names, 'each has a salt of his own')
        for (let n = 0; n < names; n += 10) {
          const { salt } = (await tries(`unknown${n}`)).told
          assert.equal(salt, salts.get(`unknown${n}`), `unknown${n}: the same salt the next time`)
        }
        const again = await tries('romeo')
        assert.equal(again.told.salt, first.told.salt)
      },
    ))

  it('takes as long as one that does: medians differ by less than their spread', async (t) => {
    const world = createWorld()
    const now = () => performance.now()
    await using served = await serveWith({
      store: { engine: 'sqlite' },
      auth: { scram_iterations: iterations },
      limits: {
        sign_in_attempts: 100,
        sign_in_elements: 1_000,
        sign_in_bytes: '1 MiB',
        sign_in_failures: 100_000,
        sign_in_failures_per_account: 100_000,
      },
      listeners: [{ name: 'c2s', protocol: 'c2s', address: '127.0.0.1', port: 0 }],
    })
    const known = ['romeo']
    for (let n = 1; n < 20; n++) {
      await served.server.accounts.add(jid(`known${n}@localhost`), 'secret')
      known.push(`known${n}`)
    }

    let wire: Wire | undefined
    let left = 0
    /** A new connection before the attempts of this one are used up. */
    const connection = async (): Promise<Wire> => {
      if (wire !== undefined && left-- > 0) return wire
      wire?.closes()
      left = 90
      const fresh = await Wire.open(world, served.place('c2s'), 30_000)
      fresh.says(`${header('localhost')}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
      await fresh.hears(/<proceed [^>]*\/>/)
      await fresh.secures({ servername: 'localhost', alpn: [], verify: true, ca: served.ca })
      fresh.says(header('localhost'))
      await fresh.hears(/<\/stream:features>/)
      wire = fresh
      return fresh
    }

    const scram = async (name: string) => (await attempt(await connection(), name, now)).times
    const password = async (name: string) => {
      const its = await connection()
      const began = now()
      its.says(plain(name))
      await its.hears(failure)
      return [now() - began]
    }
    const steps = [
      { titles: ['SCRAM: the challenge', 'SCRAM: the failure'], run: scram, pairs: names - 120 },
      { titles: ['PLAIN: the failure'], run: password, pairs: 120 },
    ]
    for (const { titles, run, pairs } of steps) {
      const spreads = await least(1, async () => {
        const times = titles.map(() => ({ known: [] as number[], unknown: [] as number[] }))
        // The two take turns, and turns in who is first: what else the machine does falls on both alike.
        for (let n = -60; n < pairs; n++) {
          const order = n % 2 === 0 ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const)
          for (const kind of order) {
            const name =
              kind === 'known' ? (known[Math.abs(n) % known.length] ?? '') : `nobody${Math.abs(n) % known.length}`
            const took = await run(name)
            // The first ones are slow because they are compiled.
            if (n >= 0) for (const [step, ms] of took.entries()) times[step]?.[kind].push(ms)
          }
        }
        return Math.max(
          ...times.map((of, step) => {
            const medians = { known: at(of.known, 0.5), unknown: at(of.unknown, 0.5) }
            const spread = Math.min(at(of.known, 0.9) - at(of.known, 0.1), at(of.unknown, 0.9) - at(of.unknown, 0.1))
            t.diagnostic(
              `${titles[step]}: medians ${medians.known.toFixed(3)} ms known, ${medians.unknown.toFixed(3)} ms unknown; spread ${spread.toFixed(3)} ms`,
            )
            return Math.abs(medians.known - medians.unknown) / spread
          }),
        )
      })
      assert.ok(spreads < 1, `${titles.join(', ')}: medians differ by ${spreads.toFixed(2)} times their spread`)
    }
    wire?.closes()
  })
})

function at(times: readonly number[], quantile: number): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * quantile)] ?? 0
}
