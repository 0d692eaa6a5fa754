/** XEP-0494 through a whole server: clients are listed, and their access is ended. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { tokenOf } from '../../auth/jwt.testing.ts'
import { jid } from '../../jid/index.ts'
import { SymbolicServer, tokenIssuer } from '../../listeners/symbolic.testing.ts'
import { symbolicCertificate } from '../../sim/index.ts'
import { NS_CLIENT } from '../../stanza/ns.ts'
import { storeError } from '../../store/errors.ts'
import { ClientFailure } from '../../stream/client.ts'
import { type Element, x } from '../../xml/index.ts'
import { accessStore } from './access.store.ts'
import {
  ask,
  auth,
  byToken,
  clientTls,
  connect,
  deviceOf,
  hour,
  keepsTokens,
  laptop,
  list,
  listEl,
  listeners,
  outcome,
  phone,
  phoneWithToken,
  revoke,
  romeo,
  sections,
  secured,
  signsIn,
  tokenFor,
} from './access.testing.ts'
import { NS_CAM, NS_EXTERNAL } from './access.wire.ts'

describe('clients are listed (XEP-0494 §3.1)', () => {
  it('those that are there and those that are not, with what is known of them', () =>
    SymbolicServer.run(sections, async (server) => {
      await tokenFor(server, phone)
      await server.simulation.advance(2 * hour)
      const mine = await signsIn(server, { agent: laptop })
      const clients = await list(mine)
      assert.equal(clients.length, 2)
      const [own, other] = [deviceOf(clients, "Juliet's laptop"), deviceOf(clients, 'phone')]
      const { id: _one, first, last, ...shown } = own
      assert.deepEqual(shown, {
        connected: 'true',
        type: 'session',
        auth: ['password'],
        permission: 'unrestricted',
        software: 'Gajim',
        device: "Juliet's laptop",
      })
      assert.match(first, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      assert.ok(Date.parse(last) - Date.parse(first) < 60_000)
      assert.equal(other.connected, 'false')
      assert.deepEqual(other.auth, ['password', 'fast'])
      const away = Date.parse(first) - Date.parse(other.last)
      assert.ok(away > hour && away < 3 * hour, 'it is long gone')
      assert.deepEqual(
        clients.map(({ device }) => device),
        ["Juliet's laptop", 'phone'],
        'the last that was seen first',
      )
    }))

  it('one that did not say which it is, while it is there', () =>
    SymbolicServer.run(sections, async (server) => {
      const old = await signsIn(server, { profile: 'rfc6120' })
      const mine = await signsIn(server, { agent: laptop })
      const [, other] = await list(mine)
      assert.deepEqual([other?.connected, other?.auth, other?.software], ['true', ['password'], undefined])
      await old.close()
      assert.equal((await list(mine)).length, 1)
    }))

  it('one whose connection is gone and may come back (XEP-0198) is connected', () =>
    SymbolicServer.run(sections, async (server) => {
      const other = await signsIn(server, { agent: phone })
      await other.enable()
      const mine = await signsIn(server, { agent: laptop })
      other.destroy()
      await server.simulation.advance(10_000)
      assert.equal(deviceOf(await list(mine), 'phone').connected, 'true')
      await server.simulation.advance(hour)
      assert.equal(deviceOf(await list(mine), 'phone').connected, 'false')
    }))

  it('the id stays the same, and tells neither the installation nor a resource', () =>
    SymbolicServer.run(sections, async (server) => {
      const first = await signsIn(server, { agent: laptop })
      const [one] = await list(first)
      const { resource } = first.jid
      await first.close()
      const [again] = await list(await signsIn(server, { agent: laptop }))
      assert.equal(again?.id, one?.id)
      assert.ok(one !== undefined && one.id.length >= 16)
      assert.ok(!one.id.includes(laptop.id) && !one.id.includes(resource) && !laptop.id.startsWith(one.id.slice(0, 8)))
      await server.server.accounts.add(jid('juliet@localhost'), 'secret')
      const [hers] = await list(await signsIn(server, { agent: laptop }, { jid: jid('juliet@localhost') }))
      assert.notEqual(hers?.id, one.id, 'another account, another id')
    }))

  it('one whose token has expired has no `fast`, and with a new password no access: it is not listed', () =>
    SymbolicServer.run({ listeners, auth: { ...keepsTokens.auth, token_lifetime: '1 hour' } }, async (server) => {
      const { mine } = await phoneWithToken(server)
      assert.deepEqual(deviceOf(await list(mine), 'phone').auth, ['fast'])
      await server.simulation.advance(hour)
      assert.deepEqual(
        (await list(mine)).map(({ device }) => device),
        ["Juliet's laptop"],
      )
    }))

  it('one that signs in by SASL2 and binds as RFC 6120 has it is the same client', () =>
    SymbolicServer.run(sections, async (server) => {
      const mine = await signsIn(server, { agent: laptop }, { jid: romeo.withResource('a') })
      const [own, ...others] = await list(mine)
      assert.deepEqual([own?.device, own?.connected, others.length], ["Juliet's laptop", 'true', 0])
    }))

  it('asked of the bare JID too; the feature is told by host and account', () =>
    SymbolicServer.run(sections, async (server) => {
      const mine = await signsIn(server, { agent: laptop })
      assert.equal((await list(mine, 'romeo@localhost')).length, 1)
      const NS_INFO = 'http://jabber.org/protocol/disco#info'
      for (const to of ['localhost', 'romeo@localhost']) {
        const features = (await ask(mine, 'get', x('query', NS_INFO), to)).child('query', NS_INFO)?.elements ?? []
        assert.ok(
          features.some((el) => el.attr('var') === NS_CAM),
          to,
        )
      }
    }))
})

describe('access is revoked (XEP-0494 §3.2)', () => {
  it('the token is good no more, and the session that was opened by it ends with not-authorized', () =>
    SymbolicServer.run(keepsTokens, async (server) => {
      const { token, mine } = await phoneWithToken(server)
      const other = await signsIn(server, byToken(phone, token), { password: '' })
      const { id, auth: means } = deviceOf(await list(mine), 'phone')
      assert.deepEqual(means, ['fast'])
      assert.equal(await revoke(mine, id), 'result')
      const end = await other.ended
      assert.ok(end.kind === 'peer-error' && end.error.condition === 'not-authorized')
      const refused = await connect(server, byToken(phone, token), { password: '' })
      assert.ok(refused instanceof ClientFailure && refused.end?.kind === 'refused')
      assert.equal(refused.end.condition, 'not-authorized')
      assert.deepEqual(
        (await list(mine)).map(({ device }) => device),
        ["Juliet's laptop"],
      )
      assert.equal(await revoke(mine, id), 'item-not-found text', 'it is ended')
      assert.equal(server.counter('ratatosk_access_revocations_total'), 1)
    }))

  it('a session that waits for its client (XEP-0198) cannot be resumed, and what it kept is not lost', () =>
    SymbolicServer.run(keepsTokens, async (server) => {
      const { token, mine } = await phoneWithToken(server)
      const other = await signsIn(server, byToken(phone, token), { password: '' })
      await other.enable()
      const { acks } = other
      other.send(x('presence', NS_CLIENT))
      await server.simulation.advance(1_000)
      other.destroy()
      await server.simulation.advance(1_000)
      mine.send(
        x('message', NS_CLIENT, { to: other.jid.toString(), type: 'chat', id: 'm' }, x('body', NS_CLIENT, 'hm')),
      )
      assert.equal(await revoke(mine, deviceOf(await list(mine), 'phone').id), 'result')
      const refused = await connect(server, byToken(phone, token), { password: '', ...(acks && { resume: acks }) })
      assert.ok(refused instanceof ClientFailure)
      const heard: Element[] = []
      const back = await signsIn(
        server,
        {},
        { password: 'new', ...(acks && { resume: acks }), onStanza: (el) => heard.push(el) },
      )
      assert.equal(back.notResumed?.elements[0]?.name, 'item-not-found')
      back.send(x('presence', NS_CLIENT))
      await server.simulation.advance(1_000)
      assert.equal(heard.filter((el) => el.attr('id') === 'm').length, 1)
    }))

  it('one that knows the password is not: service-unavailable with password-reset-required, and nothing ends', () =>
    SymbolicServer.run(sections, async (server) => {
      const token = await tokenFor(server, phone)
      const other = await signsIn(server, byToken(phone, token), { password: '' })
      const mine = await signsIn(server, { agent: laptop })
      const { id } = deviceOf(await list(mine), 'phone')
      assert.equal(await revoke(mine, id), 'service-unavailable text password-reset-required')
      const answer = await ask(mine, 'set', x('revoke', NS_CAM, { id }))
      const error = answer.child('error', NS_CLIENT)
      assert.equal(error?.attr('type'), 'cancel')
      assert.ok(error?.hasChild('password-reset-required', NS_CAM))
      assert.equal((await list(other)).length, 2, 'it is still there')
      await other.close()
      await signsIn(server, byToken(phone, token), { password: '' })
    }))

  it('a session of before the new password may be ended; one by the new one not', () =>
    SymbolicServer.run(sections, async (server) => {
      const old = await signsIn(server, { profile: 'rfc6120' })
      await server.server.accounts.setPassword(romeo, 'new')
      const mine = await signsIn(server, { profile: 'rfc6120' }, { password: 'new' })
      const clients = await list(mine)
      const outdated = clients.find((one) => one.auth.length === 0) ?? assert.fail('none')
      const own = clients.find((one) => one !== outdated)
      assert.equal(await revoke(mine, own?.id), 'service-unavailable text password-reset-required')
      assert.equal(await revoke(mine, outdated.id), 'result')
      assert.equal((await old.ended).kind, 'peer-error')
      assert.equal((await list(mine)).length, 1)
    }))

  it('one that signs itself out has its result before its stream ends', () =>
    SymbolicServer.run(keepsTokens, async (server) => {
      const { token } = await phoneWithToken(server)
      const other = await signsIn(server, byToken(phone, token), { password: '' })
      assert.equal(await revoke(other, deviceOf(await list(other), 'phone').id), 'result')
      const end = await other.ended
      assert.ok(end.kind === 'peer-error' && end.error.condition === 'not-authorized')
    }))

  it('item-not-found for one that is not known, or of somebody else; bad-request without an id', () =>
    SymbolicServer.run(keepsTokens, async (server) => {
      const { mine } = await phoneWithToken(server)
      const { id } = deviceOf(await list(mine), 'phone')
      await server.server.accounts.add(jid('juliet@localhost'), 'secret')
      const juliet = await signsIn(server, { agent: laptop }, { jid: jid('juliet@localhost') })
      for (const wrong of [id, phone.id, 'x'.repeat(10_000)]) {
        assert.equal(await revoke(juliet, wrong), 'item-not-found text')
      }
      assert.equal(await revoke(juliet, undefined), 'bad-request text')
      assert.equal(await revoke(juliet, ''), 'bad-request text')
      assert.equal((await list(mine)).length, 2)
    }))

  it('while the store fails it is not done, and said so', () =>
    SymbolicServer.run(keepsTokens, async (server) => {
      const { token, mine } = await phoneWithToken(server)
      const { id } = deviceOf(await list(mine), 'phone')
      server.engine.failing = storeError('RTK_STORE_DISK_FULL', 'full')
      assert.match(await revoke(mine, id), /^(resource-constraint|internal-server-error)/)
      server.engine.failing = undefined
      await signsIn(server, byToken(phone, token), { password: '' })
      assert.equal(await revoke(mine, id), 'result')
    }))

  it('a client with a certificate is told of, and its authority has to end it: not-allowed', () =>
    SymbolicServer.run({ ...sections, tls: clientTls }, async (server) => {
      const world = server.simulation.world('romeo')
      const shown = { names: [], issuer: 'clients', addresses: ['romeo@localhost'] }
      const certificate = world.net.tls.prepare(symbolicCertificate(shown))
      const wire = await secured(server, { certificate })
      const agent = `<user-agent id='${phone.id}'><device>phone</device></user-agent>`
      wire.says(
        `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='EXTERNAL'><initial-response/>${agent}<bind xmlns='urn:xmpp:bind:0'/></authenticate>`,
      )
      await wire.hears(/<success /)
      const mine = await signsIn(server, { agent: laptop })
      const { id, auth: means } = deviceOf(await list(mine), 'phone')
      assert.deepEqual(means, ['certificate'])
      const answer = await ask(mine, 'get', listEl)
      assert.ok(
        answer
          .child('clients', NS_CAM)
          ?.elements.some((el) => el.child('auth', NS_CAM)?.hasChild('certificate', NS_EXTERNAL)),
      )
      assert.equal(await revoke(mine, id), 'not-allowed text')
    }))
})

describe('access by a grant (XEP-0494 §3.1)', () => {
  const jwt = { ...auth, backends: ['internal', 'jwt'], jwt: { keys: '/tls/tokens.json' } }

  it('of an issuer of tokens (RFC 7628) is told, and the issuer has to end it: not-allowed', () =>
    SymbolicServer.run({ listeners, auth: jwt }, async (server) => {
      const exp = Math.floor(server.simulation.world('server').clock.wallMs() / 1_000) + 600
      const shown = btoa(`n,,\x01auth=Bearer ${tokenOf(tokenIssuer, { sub: 'romeo', exp })}\x01\x01`)
      const wire = await secured(server)
      const agent = `<user-agent id='${phone.id}'><device>phone</device></user-agent>`
      wire.says(
        `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='OAUTHBEARER'><initial-response>${shown}</initial-response>${agent}<bind xmlns='urn:xmpp:bind:0'/></authenticate>`,
      )
      await wire.hears(/<success /)
      const mine = await signsIn(server, { agent: laptop })
      const { id, auth: means } = deviceOf(await list(mine), 'phone')
      assert.deepEqual(means, ['grant'])
      assert.equal(await revoke(mine, id), 'not-allowed text')
      wire.closes()
      await server.simulation.advance(1_000)
      const { auth: later, connected } = deviceOf(await list(mine), 'phone')
      assert.deepEqual([later, connected], [['grant'], 'false'])
    }))
})

describe('who may ask (XEP-0494 §5)', () => {
  it('nobody but the account itself: others hear what they hear of one that does not exist', () =>
    SymbolicServer.run(keepsTokens, async (server) => {
      const { mine } = await phoneWithToken(server)
      const { id } = deviceOf(await list(mine), 'phone')
      await server.server.accounts.add(jid('juliet@localhost'), 'secret')
      const juliet = await signsIn(server, {}, { jid: jid('juliet@localhost') })
      for (const to of ['romeo@localhost', 'nobody@localhost', 'localhost', mine.jid.domain]) {
        assert.equal(outcome(await ask(juliet, 'get', listEl, to)), 'service-unavailable', to)
        assert.equal(outcome(await ask(juliet, 'set', x('revoke', NS_CAM, { id }), to)), 'service-unavailable', to)
      }
      assert.equal((await list(mine)).length, 2)
    }))

  it('of another host of the server, of the same name: neither', () =>
    SymbolicServer.run({ ...sections, hosts: { localhost: {}, 'example.org': {} } }, async (server) => {
      await server.server.accounts.add(jid('romeo@example.org'), 'secret')
      const mine = await signsIn(server, { agent: laptop })
      assert.equal(outcome(await ask(mine, 'get', listEl, 'romeo@example.org')), 'service-unavailable')
      const store = await server.server.stores.open(accessStore)
      assert.deepEqual(await store.ofAccount({ host: 'example.org', local: 'romeo' }), [])
    }))
})
