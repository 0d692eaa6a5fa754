/** AUTH-07: several back ends in order, the first success wins, and one that fails is never a no. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AuthBackend, BearerVerdict, PasswordVerdict, SignInRecord } from '../core/auth.ts'
import type { Host } from '../core/host.ts'
import { WorldError } from '../world/error.ts'
import { ChainBackend } from './chain.ts'

const host = { domain: 'localhost' } as Host
const broken = new WorldError('RTK_TEST', 'no answer', { temporary: true })

interface Known {
  readonly password?: string
  readonly verdict?: PasswordVerdict
}

/** What a back end knows of accounts; 'broken': it cannot tell of any. */
function backend(
  name: string,
  accounts: Readonly<Record<string, Known>> | 'broken',
  asked: string[] = [],
): AuthBackend {
  const find = async (local: string, what: string): Promise<Known | undefined> => {
    asked.push(`${name} ${what}`)
    if (accounts === 'broken') throw broken
    return accounts[local]
  }
  const credential = { hash: 'sha256', salt: Buffer.from(name), iterations: 1 } as unknown as SignInRecord['credential']
  return {
    name,
    scram: ['SCRAM-SHA-256'],
    scramIterations: 4096,
    checksPasswords: true,
    keeper: undefined,
    async signIn(_host, local) {
      return (await find(local, 'signIn')) === undefined ? undefined : { state: 'active', credential }
    },
    async verify(_host, local, password) {
      const known = await find(local, 'verify')
      return known?.verdict ?? (known?.password === password ? 'right' : 'wrong')
    },
    async exists(_host, local) {
      return (await find(local, 'exists')) !== undefined
    },
    async state(_host, local) {
      return (await find(local, 'state')) === undefined ? undefined : 'active'
    },
  }
}

describe('a chain of back ends', () => {
  const first = {
    romeo: { password: 'one' },
    juliet: { password: 'one' },
    tybalt: { verdict: 'account-disabled' },
  } as const
  const second = { romeo: { password: 'two' }, mercutio: { password: 'two' }, tybalt: { password: 'two' } } as const

  it('AUTH-07: asks in order, and the first that says yes decides', async () => {
    const asked: string[] = []
    const chain = new ChainBackend([backend('a', first, asked), backend('b', second, asked)])
    assert.equal(await chain.verify(host, 'juliet', 'one'), 'right')
    assert.deepEqual(asked.splice(0), ['a verify'])
    assert.equal(await chain.verify(host, 'romeo', 'two'), 'right')
    assert.deepEqual(asked.splice(0), ['a verify', 'b verify'])
    assert.equal(await chain.verify(host, 'romeo', 'three'), 'wrong')
    assert.equal(await chain.verify(host, 'nobody', 'one'), 'wrong')
    assert.equal(await chain.verify(host, 'tybalt', 'two'), 'account-disabled', 'forbidden there is forbidden')
    const record = await chain.signIn(host, 'romeo', 'SCRAM-SHA-256')
    assert.equal(Buffer.from(record?.credential?.salt ?? []).toString(), 'a')
    assert.equal(await chain.signIn(host, 'nobody', 'SCRAM-SHA-256'), undefined)
    assert.equal(await chain.exists(host, 'mercutio'), true)
    assert.equal(await chain.exists(host, 'nobody'), false)
    assert.equal(await chain.state(host, 'mercutio'), 'active')
  })

  it('one that cannot tell does not hide what another knows', async () => {
    for (const chain of [
      new ChainBackend([backend('a', 'broken'), backend('b', second)]),
      new ChainBackend([backend('b', second), backend('a', 'broken')]),
    ]) {
      assert.equal(await chain.verify(host, 'mercutio', 'two'), 'right')
      assert.equal(await chain.exists(host, 'mercutio'), true)
      assert.equal(await chain.state(host, 'mercutio'), 'active')
      assert.ok((await chain.signIn(host, 'mercutio', 'SCRAM-SHA-256'))?.credential)
    }
  })

  it('AUTH-07: and it is never a no: where nobody says yes, the failure is told', async () => {
    for (const chain of [
      new ChainBackend([backend('a', 'broken'), backend('b', second)]),
      new ChainBackend([backend('b', second), backend('a', 'broken')]),
    ]) {
      await assert.rejects(chain.verify(host, 'mercutio', 'wrong'), broken)
      await assert.rejects(chain.verify(host, 'nobody', 'x'), broken)
      await assert.rejects(chain.exists(host, 'nobody'), broken)
      await assert.rejects(chain.state(host, 'nobody'), broken)
      await assert.rejects(chain.signIn(host, 'nobody', 'SCRAM-SHA-256'), broken)
    }
    const behind = new ChainBackend([backend('a', 'broken'), backend('b', second)])
    assert.equal((await behind.signIn(host, 'mercutio', 'SCRAM-SHA-256'))?.isUncertain, true)
    const before = new ChainBackend([backend('b', second), backend('a', 'broken')])
    assert.equal((await before.signIn(host, 'mercutio', 'SCRAM-SHA-256'))?.isUncertain, undefined)
  })

  it('AUTH-07: asks those that judge tokens, in order, as it asks for passwords', async () => {
    const judge = (name: string, said: BearerVerdict['result'] | 'broken', asked: string[] = []): AuthBackend => ({
      ...backend(name, {}),
      bearer: {
        help: { scope: name },
        async judge() {
          asked.push(name)
          if (said === 'broken') throw broken
          return { result: said, local: said === 'wrong' ? '' : name }
        },
      },
    })
    const asked: string[] = []
    const of = (...said: readonly Parameters<typeof judge>[1][]) =>
      new ChainBackend([backend('z', first), ...said.map((one, at) => judge('abc'[at] ?? '', one, asked))])
    assert.equal(of().bearer, undefined)
    assert.deepEqual(of('right').bearer?.help, { scope: 'a' })
    const rows = [
      [of('right', 'right'), 'a'],
      [of('wrong', 'right'), 'b'],
      [of('broken', 'right'), 'b'],
      [of('right', 'broken'), 'a'],
      [of('credentials-expired', 'right'), 'a'],
    ] as const
    for (const [chain, local] of rows) assert.equal((await chain.bearer?.judge(host, 't'))?.local, local)
    assert.deepEqual(asked.splice(0), ['a', 'a', 'b', 'a', 'b', 'a', 'a'])
    assert.deepEqual(await of('wrong', 'wrong').bearer?.judge(host, 't'), { result: 'wrong', local: '' })
    await assert.rejects(of('wrong', 'broken').bearer?.judge(host, 't') ?? Promise.resolve(), broken)
    await assert.rejects(of('broken', 'wrong').bearer?.judge(host, 't') ?? Promise.resolve(), broken)
  })

  it('has the iterations of the first that has SCRAM', () => {
    const mute = { ...backend('c', {}), scram: [], scramIterations: 0 } as AuthBackend
    assert.equal(new ChainBackend([mute, backend('a', first)]).scramIterations, 4096)
  })

  it('offers what any of them can', () => {
    const mute = { ...backend('c', {}), scram: [], checksPasswords: false } as AuthBackend
    const chain = new ChainBackend([mute, backend('a', first)])
    assert.deepEqual(chain.scram, ['SCRAM-SHA-256'])
    assert.equal(chain.checksPasswords, true)
    assert.equal(new ChainBackend([mute]).checksPasswords, false)
    assert.equal(chain.name, 'c, a')
  })
})
