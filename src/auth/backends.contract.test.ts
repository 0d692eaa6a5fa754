/** AUTH-06: what every back end promises, of the one that keeps passwords, the one that takes tokens, and both in either order. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AuthBackend } from '../core/auth.ts'
import type { Host } from '../core/host.ts'
import { simulate } from '../sim/index.ts'
import { accounts } from '../store/accounts.ts'
import { openStores } from '../store/index.ts'
import { SimulatedEngine } from '../store/sim-engine.ts'
import { Decoys } from '../stream/sasl/index.ts'
import { WorldError } from '../world/error.ts'
import { readVerificationKeys } from '../world/signatures.ts'
import { ChainBackend } from './chain.ts'
import { InternalBackend } from './internal.ts'
import { issuerOf, tokenOf } from './jwt.testing.ts'
import { JwtBackend } from './jwt-backend.ts'

const issuer = issuerOf('EdDSA')
const read = readVerificationKeys(issuer.pem)
assert.ok(typeof read !== 'string')
const { keys } = read
const [host, other] = [{ domain: 'localhost' } as Host, { domain: 'b.example' } as Host]

interface Ground {
  readonly backend: AuthBackend
  readonly internal: InternalBackend
  readonly engine: SimulatedEngine
  /** Accounts that a back end has made by itself. */
  readonly made: readonly string[]
  /** What lets this account in, on this host. */
  secret(local: string, domain?: string): string
}

type Kind = 'internal' | 'jwt' | 'internal, jwt' | 'jwt, internal'

/** Accounts juliet (active), tybalt (disabled), paris (being deleted) on localhost, romeo on b.example. */
const on = (kind: Kind, work: (ground: Ground) => Promise<void>, makesAccounts = false) =>
  simulate(1, async (simulation) => {
    const world = simulation.world('server')
    const engine = new SimulatedEngine(world.clock)
    const stores = await openStores(world, engine)
    const store = await stores.open(accounts)
    const { hashing, random, clock, log } = world
    const decoys = new Decoys(hashing, random.bytes(32), 4096)
    const internal = new InternalBackend({ store, hashing, random, clock, decoys, iterations: 4096 })
    const made: string[] = []
    const jwt = new JwtBackend({
      clock,
      log,
      store,
      internal,
      isBesideInternal: kind !== 'jwt',
      rules: {
        keys,
        algorithms: ['EdDSA'],
        issuer: undefined,
        audience: [],
        scope: undefined,
        claim: 'sub',
        leewayMs: 0,
      },
      help: {},
      makesAccounts,
      made: ({ domain }, local) => void made.push(`${local}@${domain}`),
    })
    for (const local of ['juliet', 'tybalt', 'paris']) await internal.create(host, local, `secret of ${local}`, 'test')
    await internal.create(other, 'romeo', 'secret of romeo', 'test')
    await internal.setState(host, 'tybalt', 'disabled')
    await internal.setState(host, 'paris', 'leaving')
    const kinds = {
      internal,
      jwt,
      'internal, jwt': new ChainBackend([internal, jwt]),
      'jwt, internal': new ChainBackend([jwt, internal]),
    }
    const secret = (local: string, domain = host.domain) =>
      kind === 'internal'
        ? `secret of ${local}`
        : tokenOf(issuer, { sub: `${local}@${domain}`, exp: clock.wallMs() / 1_000 + 60 })
    await work({ backend: kinds[kind], internal, engine, made, secret })
    await stores.close()
  })

for (const kind of ['internal', 'jwt', 'internal, jwt', 'jwt, internal'] as const) {
  describe(`AUTH-06: the back end ${kind}`, () => {
    it('lets in whoever has the secret of an active account, and tells nobody else anything', () =>
      on(kind, async ({ backend, secret }) => {
        const verify = (local: string, password: string, on = host) => backend.verify(on, local, password)
        assert.equal(await verify('juliet', secret('juliet')), 'right')
        assert.equal(await verify('tybalt', secret('tybalt')), 'account-disabled')
        assert.equal(await verify('paris', secret('paris')), 'account-disabled')
        for (const wrong of ['guess', '', 'a.b.c', secret('romeo')]) {
          for (const local of ['juliet', 'tybalt', 'paris', 'nobody']) {
            assert.equal(await verify(local, wrong), 'wrong', `${local} by ${wrong.slice(0, 10)}`)
          }
        }
        assert.equal(await verify('nobody', secret('nobody')), 'wrong')
        assert.equal(await verify('juliet', secret('juliet'), other), 'wrong', 'of another host')
        assert.equal(await verify('romeo', secret('romeo', other.domain), other), 'right')
      }))

    it('knows which accounts there are, and in which state', () =>
      on(kind, async ({ backend }) => {
        const known = async (local: string, on = host) =>
          `${await backend.exists(on, local)} ${await backend.state(on, local)}`
        assert.equal(await known('juliet'), 'true active')
        assert.equal(await known('tybalt'), 'true disabled')
        assert.equal(await known('paris'), 'false leaving')
        assert.equal(await known('nobody'), 'false undefined')
        assert.equal(await known('juliet', other), 'false undefined')
      }))

    it('declares what it can: a credential for each mechanism that it names, and for no other', () =>
      on(kind, async ({ backend }) => {
        assert.equal(backend.checksPasswords, true)
        for (const mechanism of ['SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
          const record = await backend.signIn(host, 'juliet', mechanism)
          assert.equal(record?.credential !== undefined, backend.scram.includes(mechanism))
          assert.equal(await backend.signIn(host, 'nobody', mechanism), undefined)
        }
        assert.equal(backend.scramIterations, backend.scram.length > 0 ? 4096 : 0)
        assert.equal(backend.bearer !== undefined, kind !== 'internal')
        assert.equal((await backend.keeper?.list(host, '', 10))?.length, 3)
        assert.equal(backend.keeper?.keepsPasswords !== false, kind !== 'jwt')
      }))

    it('AUTH-07: says so when it cannot tell', () =>
      on(kind, async ({ backend, secret, engine }) => {
        // Its operations time out, then are refused at once.
        engine.hang()
        const code = (error: unknown) => error instanceof WorldError && error.temporary
        await assert.rejects(backend.verify(host, 'juliet', secret('juliet')), code)
        await assert.rejects(backend.exists(host, 'juliet'), code)
        await assert.rejects(backend.state(host, 'juliet'), code)
        if (backend.bearer !== undefined) await assert.rejects(backend.bearer.judge(host, secret('juliet')), code)
        engine.resume()
      }))

    if (kind === 'internal') return

    it('judges tokens as it checks them in place of passwords', () =>
      on(kind, async ({ backend, secret }) => {
        const judge = async (token: string) => {
          const verdict = await backend.bearer?.judge(host, token)
          return `${verdict?.result} ${verdict?.local}`
        }
        assert.equal(await judge(secret('juliet')), 'right juliet')
        assert.equal(await judge(secret('tybalt')), 'account-disabled tybalt')
        assert.equal(await judge(secret('nobody')), 'wrong ')
        assert.equal(await judge('guess'), 'wrong ')
        assert.equal(await judge(tokenOf(issuer, { sub: 'juliet', exp: 1 })), 'credentials-expired juliet')
      }))

    it('makes an account once, however many sign in to it at once, and none for a token that is shown for another', () =>
      on(
        kind,
        async ({ backend, secret, made }) => {
          assert.equal(await backend.verify(host, 'benvolio', secret('nurse')), 'wrong')
          assert.deepEqual(made, [])
          const all = Array.from({ length: 5 }, () => backend.bearer?.judge(host, secret('nurse')))
          for (const verdict of await Promise.all(all)) assert.deepEqual(verdict, { result: 'right', local: 'nurse' })
          assert.equal(await backend.verify(host, 'nurse', secret('nurse')), 'right')
          assert.deepEqual(made, ['nurse@localhost'])
          assert.equal(await backend.exists(host, 'nurse'), true)
          assert.equal(await backend.exists(host, 'benvolio'), false)
        },
        true,
      ))
  })
}
