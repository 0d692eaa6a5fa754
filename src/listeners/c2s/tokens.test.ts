/** XEP-0484 through a whole server: tokens that are given, used, rotated, ended, and revoked. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { tokenStore } from '../../auth/tokens.store.ts'
import { clientsMax, Tokens } from '../../auth/tokens.ts'
import { jid } from '../../jid/index.ts'
import { accounts } from '../../store/accounts.ts'
import type { C2sClientConfig } from '../../stream/c2s-client.types.ts'
import { ClientFailure, connectClient, type XmppClient } from '../../stream/client.ts'
import { requestTokenElement } from '../../stream/fast.ts'
import type { TokenMechanism } from '../../stream/sasl/index.ts'
import { x } from '../../xml/index.ts'
import { SymbolicServer } from '../symbolic.testing.ts'

const sections = { listeners: [{ name: 'c2s', protocol: 'c2s', address: '0.0.0.0', port: 5222 }] }
const romeo = jid('romeo@localhost')
const phone = { id: 'd4565fa7-4d72-4749-b3d3-740edbf87770', software: 'Awesome', device: 'phone' }
const laptop = { id: '0b0c0f2e-3f4c-4c15-9f3e-6a4f5a1b2c3d', software: 'Awesome', device: 'laptop' }
const hour = 3_600_000
const day = 24 * hour
/** A simulation ends after a day: tokens are due earlier. */
const hourly = { ...sections, auth: { scram_iterations: 4096, token_rotation: '1 hour' } }
const none: TokenMechanism = 'HT-SHA-256-NONE'

type Sasl = NonNullable<Parameters<typeof connectClient>[1]['sasl']>

async function connect(server: SymbolicServer, sasl: Sasl, password = 'secret'): Promise<XmppClient | ClientFailure> {
  return connectClient(server.simulation.world('romeo'), {
    jid: romeo,
    password,
    place: { kind: 'tcp', host: 'server', port: 5222 },
    tls: 'starttls',
    ca: server.ca,
    sasl: { agent: phone, ...sasl },
  })
}

interface Given {
  readonly token: string
  readonly expiry: string
}

function tokenOf(client: XmppClient | ClientFailure): Given | undefined {
  assert.ok(!(client instanceof ClientFailure), String(client))
  const el = client.success?.child('token', 'urn:xmpp:fast:0')
  return el === undefined ? undefined : { token: el.attr('token') ?? '', expiry: el.attr('expiry') ?? '' }
}

/** Signs in by password and asks for a token. */
async function first(server: SymbolicServer, mechanism = none, agent = phone): Promise<Given> {
  const client = await connect(server, { agent, inline: [requestTokenElement(mechanism)] })
  return tokenOf(client) ?? assert.fail('no token')
}

/** Signs in by a token alone; the new token that came with it. */
async function again(server: SymbolicServer, token: string, more: Partial<C2sClientConfig> = {}, mechanism = none) {
  const client = await connect(server, { token: { mechanism, token }, ...more }, '')
  if (!(client instanceof ClientFailure)) {
    const session = server.server.core.sessions.find(client.jid)
    assert.equal(session?.info.auth, mechanism)
  }
  return client
}

function refusal(client: XmppClient | ClientFailure): string {
  assert.ok(client instanceof ClientFailure, 'it signed in')
  return client.end?.kind === 'refused' ? String(client.end.condition) : client.code
}

/** Without a password the client has nothing to fall back on: what the server said of the token is the end. */
async function isRefused(server: SymbolicServer, token: string, why: string, mechanism = none): Promise<void> {
  assert.equal(refusal(await again(server, token, {}, mechanism)), why)
}

describe('a token', () => {
  for (const mechanism of ['HT-SHA-256-EXPR', 'HT-SHA-256-ENDP', none] as const) {
    it(`section 3.3: of ${mechanism} is given after a sign-in by password, and signs in with one message`, () =>
      SymbolicServer.run(sections, async (server) => {
        const { token, expiry } = await first(server, mechanism)
        const left = new Date(expiry).getTime() - server.simulation.world('romeo').clock.wallMs()
        assert.ok(Math.abs(left - 21 * day) < 60_000, expiry)
        assert.ok(token.length >= 22, 'at least 128 bits (draft section 5)')
        const client = await again(server, token, {}, mechanism)
        assert.equal(tokenOf(client), undefined, 'nothing is due')
      }))
  }

  it('section 3.4: serves no other mechanism, and no other client', () =>
    SymbolicServer.run(sections, async (server) => {
      const { token } = await first(server, 'HT-SHA-256-EXPR')
      await isRefused(server, token, 'not-authorized', none)
      await isRefused(server, token, 'not-authorized', 'HT-SHA-256-ENDP')
      assert.equal(refusal(await again(server, token, { agent: laptop }, 'HT-SHA-256-EXPR')), 'not-authorized')
      assert.ok(!((await again(server, token, {}, 'HT-SHA-256-EXPR')) instanceof ClientFailure))
    }))

  it('is not given to a client that does not say which it is', () =>
    SymbolicServer.run(sections, async (server) => {
      const agent = { id: '', software: 'x', device: '' }
      assert.equal(tokenOf(await connect(server, { agent, inline: [requestTokenElement(none)] })), undefined)
    }))

  it('is not given, and does not serve, where the host gives none', () =>
    SymbolicServer.run(sections, async (server) => {
      const { token } = await first(server)
      await server.reload({ ...sections, auth: { scram_iterations: 4096, tokens: false } })
      assert.equal(tokenOf(await connect(server, { inline: [requestTokenElement(none)] })), undefined)
      assert.ok((await connect(server, { token: { mechanism: none, token } }, 'x')) instanceof ClientFailure)
    }))

  it('section 3.5: is replaced when it is due; the old one serves until the new one was used', () =>
    SymbolicServer.run(hourly, async (server) => {
      const { token } = await first(server)
      assert.equal(tokenOf(await again(server, token)), undefined)
      await server.simulation.advance(hour)
      const lost = tokenOf(await again(server, token)) ?? assert.fail('none came')
      const next = tokenOf(await again(server, token)) ?? assert.fail('none came')
      await isRefused(server, lost.token, 'not-authorized')
      assert.equal(tokenOf(await again(server, next.token)), undefined)
      await isRefused(server, token, 'not-authorized')
      assert.equal(tokenOf(await again(server, next.token)), undefined)
    }))

  it('section 4.2: that has expired is told to have, and the client signs in otherwise', () =>
    SymbolicServer.run({ ...sections, auth: { scram_iterations: 4096, token_lifetime: '2 hours' } }, async (server) => {
      const { token } = await first(server)
      await server.simulation.advance(2 * hour + 1_000)
      await isRefused(server, token, 'credentials-expired')
      assert.ok(!((await connect(server, {})) instanceof ClientFailure))
    }))

  it('section 3.6: that the client ends serves once more, and never again; a new one may be asked for', () =>
    SymbolicServer.run(hourly, async (server) => {
      const { token } = await first(server)
      await server.simulation.advance(2 * hour)
      const leaving = await again(server, token, { token: { mechanism: none, token, invalidate: true } })
      assert.equal(tokenOf(leaving), undefined, 'though it was due')
      await isRefused(server, token, 'not-authorized')
      const other = await first(server)
      const invalidate = { mechanism: none, token: other.token, invalidate: true }
      const next = tokenOf(await again(server, other.token, { token: invalidate, inline: [requestTokenElement(none)] }))
      await isRefused(server, other.token, 'not-authorized')
      assert.equal(tokenOf(await again(server, next?.token ?? '')), undefined)
    }))

  it('does not outlive its account, nor a new password, nor a prohibition', () =>
    SymbolicServer.run(sections, async (server) => {
      const { accounts } = server.server
      const one = await first(server)
      await accounts.setState(romeo, 'disabled')
      await isRefused(server, one.token, 'account-disabled')
      await accounts.setState(romeo, 'active')
      assert.ok(!((await again(server, one.token)) instanceof ClientFailure))
      await accounts.setPassword(romeo, 'secret')
      await isRefused(server, one.token, 'not-authorized')
      const two = await first(server)
      await accounts.remove(romeo)
      await isRefused(server, two.token, 'not-authorized')
      await accounts.add(romeo, 'secret')
      await isRefused(server, two.token, 'not-authorized')
    }))

  it('makes no hash (XEP-0480): who has it need not have the password, and would have one of his own', () =>
    SymbolicServer.run({ ...sections, auth: { scram_iterations: 4096, upgrades: true } }, async (server) => {
      const store = await server.server.stores.open(accounts)
      await store.removeCredential({ host: 'localhost', name: 'romeo', mechanism: 'SCRAM-SHA-256' })
      const { token } = await first(server)
      const upgrade = x('upgrade', 'urn:xmpp:sasl:upgrade:0', 'UPGR-SCRAM-SHA-256')
      const client = await again(server, token, { inline: [upgrade] })
      // A client that is asked for one does not sign in: it has nothing to make it of.
      assert.ok(!(client instanceof ClientFailure), String(client))
      assert.equal(client.success?.child('continue', 'urn:xmpp:sasl:2'), undefined)
    }))

  it('outlives a new password where revoke_tokens says so', () =>
    SymbolicServer.run({ ...sections, auth: { scram_iterations: 4096, revoke_tokens: false } }, async (server) => {
      const { token } = await first(server)
      await server.server.accounts.setPassword(romeo, 'another')
      assert.ok(!((await again(server, token)) instanceof ClientFailure))
    }))

  it('signs in although the account is held off for guesses at its password', () =>
    SymbolicServer.run({ ...sections, limits: { sign_in_failures_per_account: 2 } }, async (server) => {
      const { token } = await first(server)
      for (let n = 0; n < 3; n++) await connect(server, {}, 'guess')
      assert.equal(refusal(await connect(server, {})), 'temporary-auth-failure')
      assert.ok(!((await again(server, token)) instanceof ClientFailure))
    }))

  it('is not given while the store does not answer, and nobody is kept out for that', () =>
    SymbolicServer.run(sections, async (server) => {
      const { token } = await first(server)
      server.engine.hang()
      const waiting = again(server, token)
      await server.simulation.advance(11_000)
      assert.equal(refusal(await waiting), 'temporary-auth-failure')
      server.engine.resume()
    }))
})

describe('the clients of an account', () => {
  const caller = { name: 'test', permits: () => true, signal: new AbortController().signal }

  it(`are ${clientsMax} at most: of more, the one that came longest ago loses its tokens (tokens_per_account)`, () =>
    SymbolicServer.run(sections, async (server) => {
      const store = await server.server.stores.open(tokenStore)
      const { clock, random } = server.simulation.world('server')
      const evicted = { value: 0 }
      const tokens = new Tokens({ store, clock, random, evicted })
      const host = server.server.core.host('localhost') ?? assert.fail()
      const wish = { mechanism: none, software: '', device: '', lifetimeMs: day }
      for (let n = 0; n < clientsMax + 2; n++) {
        await tokens.issue({ host, local: 'romeo', agent: `client ${String(n).padStart(3, '0')}` }, wish)
        await server.simulation.advance(1_000)
      }
      assert.equal(evicted.value, 2)
      const left = await tokens.list(host, 'romeo', '', 1_000)
      assert.equal(left.length, clientsMax)
      assert.equal(left[0]?.agent, 'client 002')
      await tokens.issue({ host, local: 'romeo', agent: 'client 002' }, wish)
      assert.equal(evicted.value, 2, 'another for one that has some takes no room')
    }))

  it('are listed, and signed out one by one or all, with their sessions', () =>
    SymbolicServer.run(sections, async (server) => {
      const { accounts } = server.server
      const one = await first(server)
      const two = await first(server, none, laptop)
      const clients = await accounts.tokens(romeo, '', 10)
      assert.deepEqual(
        clients.map(({ agent, software, device }) => ({ id: agent, software, device })),
        [laptop, phone],
      )
      const client = await again(server, one.token)
      assert.ok(!(client instanceof ClientFailure))
      await accounts.revokeTokens(romeo, phone.id)
      const end = await client.ended
      assert.ok(end.kind === 'peer-error' && end.error.condition === 'not-authorized')
      await isRefused(server, one.token, 'not-authorized')
      const other = await again(server, two.token, { agent: laptop })
      assert.ok(!(other instanceof ClientFailure))
      await assert.rejects(accounts.revokeTokens(romeo, phone.id), { code: 'RTK_TOKEN_UNKNOWN' })
      const { commands } = server.server
      const listed = await commands.call('account tokens', { jid: 'romeo@localhost' }, caller)
      assert.ok(listed.ok)
      const [row] = listed.result as { client: string; device: string; online: boolean }[]
      assert.deepEqual([row?.client, row?.device, row?.online], [laptop.id, 'laptop', true])
      const revoked = await commands.call('account revoke', { jid: 'romeo@localhost' }, caller)
      assert.ok(revoked.ok)
      assert.equal((await other.ended).kind, 'peer-error')
      assert.deepEqual(await accounts.tokens(romeo, '', 10), [])
    }))
})
