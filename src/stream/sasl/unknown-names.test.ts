/** Nobody learns from an attempt to sign in whether an account exists. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { least } from '../../../tools/lib/least.ts'
import { RealHashing } from '../../world/hashing.ts'
import { toBase64, toUtf8 } from './encoding.ts'
import { Decoys, deriveScram, SALT_LENGTH, type ScramCredential, ScramServer, verifyPassword } from './index.ts'

const hashing = new RealHashing()
const ITERATIONS = 10_000
const decoys = new Decoys(hashing, toUtf8('a secret of thirty-two bytes ...'), ITERATIONS)
const SALT = hashing.hash('sha256', toUtf8('any')).subarray(0, SALT_LENGTH)
const made = await deriveScram(hashing, 'sha256', 'secret', SALT, ITERATIONS)
assert.ok(made)
const account = made

/** All that a client with a wrong password sees. */
function attempt(name: string, found: ScramCredential | undefined) {
  const needs = { hashing, mechanism: 'SCRAM-SHA-256', plus: false, plusOffered: false, bindings: new Map() } as const
  const server = new ScramServer({ ...needs, domain: 'example.org', nonce: 'SERVERNONCE' })
  const lookup = server.step(toUtf8(`n,,n=${name},r=abc`))
  assert.ok(lookup.kind === 'lookup')
  const challenge = server.resume(decoys.answer(lookup, found))
  assert.ok(challenge.kind === 'challenge')
  const [, nonce, salt = '', iterations] =
    /^r=(\S+),s=(\S+),i=(\d+)$/.exec(Buffer.from(challenge.data).toString()) ?? []
  const proof = toBase64(new Uint8Array(32))
  const ended = server.step(toUtf8(`c=biws,r=abcSERVERNONCE,p=${proof}`))
  return { nonce, salt, iterations, ended }
}

test('AUTH-10: 1,000 unknown names: the same iterations, a stable salt of the same length, the same failure', () => {
  const known = attempt('known', account)
  const salts = new Set<string>()
  for (let i = 0; i < 1000; i++) {
    const unknown = attempt(`unknown${i}`, undefined)
    assert.equal(unknown.iterations, known.iterations)
    assert.equal(unknown.salt.length, known.salt.length)
    assert.equal(unknown.ended, known.ended)
    assert.equal(attempt(`Unknown${i}`, undefined).salt, unknown.salt, 'stable, whatever the case of the name')
    salts.add(unknown.salt)
  }
  assert.equal(salts.size, 1000)
})

test('salts differ by mechanism, domain and secret', () => {
  const salts = [
    decoys.for('SCRAM-SHA-1', 'user', 'example.org'),
    decoys.for('SCRAM-SHA-256', 'user', 'example.org'),
    decoys.for('SCRAM-SHA-256', 'user', 'example.com'),
    new Decoys(hashing, toUtf8('another secret of 32 bytes .....'), ITERATIONS).for(
      'SCRAM-SHA-256',
      'user',
      'example.org',
    ),
  ].map((decoy) => toBase64(decoy.salt))
  assert.equal(new Set(salts).size, salts.length)
})

test('a decoy knows no password', async () => {
  const decoy = decoys.for('SCRAM-SHA-256', 'user', 'example.org')
  assert.equal(await verifyPassword(hashing, 'secret', decoy, false), false)
  assert.equal(await verifyPassword(hashing, 'secret', account, true), true)
  assert.equal(await verifyPassword(hashing, 'secret', account, false), false)
  assert.equal(await verifyPassword(hashing, 'Secret', account, true), false)
})

test('AUTH-10: medians of the time differ by less than their spread', async () => {
  const measure = () => {
    const times: { known: number[]; unknown: number[] } = { known: [], unknown: [] }
    for (let i = 0; i < 3000; i++) {
      for (const kind of i % 2 === 0 ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const)) {
        const start = performance.now()
        attempt(`user${i}`, kind === 'known' ? account : undefined)
        // The first ones are slow because they are compiled.
        if (i >= 1000) times[kind].push(performance.now() - start)
      }
    }
    const at = (of: number[], quantile: number) => of.toSorted((a, b) => a - b)[Math.floor(of.length * quantile)] ?? 0
    const spread = Math.min(...[times.known, times.unknown].map((of) => at(of, 0.9) - at(of, 0.1)))
    return Math.abs(at(times.known, 0.5) - at(times.unknown, 0.5)) / spread
  }
  const spreads = await least(1, measure)
  assert.ok(spreads < 1, `medians differ by ${spreads.toFixed(2)} times their spread`)
})
