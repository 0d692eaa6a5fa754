/** Passes the limits that no option sets: turns, the control socket, stanzas that go in circles. */
import assert from 'node:assert/strict'
import { fixedLimits } from '../../tools/docs/limits.ts'
import { clientsMax } from '../auth/tokens.ts'
import { AccountService, accountCacheMax } from '../core/account-service.ts'
import type { AuthBackend } from '../core/auth.ts'
import { messageHoldBytes, messageHoldMs } from '../core/message-holds.ts'
import { Metrics } from '../core/metrics.ts'
import { requestsOpenMax } from '../core/requests.ts'
import { jid } from '../jid/index.ts'
import { Admission } from '../listeners/admission.ts'
import { House } from '../modules/modules.testing.ts'
import { Quota } from '../modules/register/quota.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { MAX_TOKEN } from '../stream/sasl/index.ts'
import { x } from '../xml/index.ts'
import { type Act, message, simulated } from './limits.testing.ts'
import { control } from './limits-of-connections.testing.ts'

const nobody = 'nobody@localhost'

/** More in one write than one turn takes: all of it is handled, in several. */
const inOneWrite =
  (text: string, count: number): Act =>
  async (ground) => {
    const wire = await ground.bound()
    ground.still()
    wire.says(text.repeat(count))
    for (let n = 0; n < count; n++) await wire.hears(/<\/message>/)
    return ''
  }

/** romeo is there, and what comes for him waits for the end of a hand-over. */
async function held(metric: string, act: (house: House) => Promise<void>) {
  const house = await House.build()
  const romeo = await house.online('romeo@montague.net/orchard')
  romeo.session.takesMessages = false
  const hold = house.core.holdMessages(romeo.session.jid.bare)
  await act(house)
  assert.equal(hold.isOver, true)
  assert.equal(house.core.metrics.value('ratatosk_messages_held'), 0)
  return { heard: '', moved: house.core.metrics.value(metric) }
}

export const fixedProofs = {
  turn_stanzas: simulated({}, inOneWrite(message(nobody, 'hello'), 200)),
  turn_bytes: simulated({}, inOneWrite(message(nobody, 'x'.repeat(10_000)), 40)),
  account_cache_entries: async (metric: string) => {
    const house = await House.build()
    const backend = { exists: () => Promise.resolve(true) } as unknown as AuthBackend
    const service = new AccountService(house.clock, house.stores, () => backend)
    service.attach(house.core)
    const host = house.host('montague.net')
    for (let n = 0; n < accountCacheMax; n++) await service.exists(host, String(n))
    assert.equal(house.core.metrics.value(metric), 0)
    await service.exists(host, 'one more')
    assert.equal(house.core.metrics.value('ratatosk_account_cache_entries'), accountCacheMax)
    service.close()
    return { heard: '', moved: house.core.metrics.value(metric) }
  },
  sign_in_failure_keys: async (metric: string) => {
    const metrics = new Metrics()
    const limit = { connections: 1, failures: 1, accountFailures: 1, failureWindowMs: 1_000 }
    const admission = new Admission({ monoMs: () => 0 }, () => limit, metrics)
    const { value } = fixedLimits['sign_in_failure_keys'] ?? assert.fail()
    for (let n = 0; n < Number(value); n++) admission.accountFailed(`n${n}`, 'localhost')
    assert.equal(metrics.value(metric), 0)
    admission.accountFailed('one more', 'localhost')
    return { heard: '', moved: metrics.value(metric) }
  },
  bearer_token_bytes: simulated(
    { auth: { backends: ['internal', 'jwt'], jwt: { keys: '/tls/tokens.json' } } },
    async (ground) => {
      const wire = await ground.secured()
      const shows = (token: string) =>
        wire.says(
          `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='OAUTHBEARER'>${btoa(`n,,\x01auth=Bearer ${token}\x01\x01`)}</auth>`,
        )
      // It is no token, and that is all.
      shows('x'.repeat(MAX_TOKEN))
      await wire.hears(/<\/challenge>/)
      ground.still()
      shows('x'.repeat(MAX_TOKEN + 1))
      return wire.hears(/<\/failure>/)
    },
  ),
  tokens_per_account: simulated({}, async (ground) => {
    const first = `<initial-response>${btoa('\0romeo\0secret')}</initial-response>`
    const wish = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"
    for (let n = 0; n <= clientsMax; n++) {
      if (n === clientsMax) ground.still()
      const wire = await ground.secured()
      const agent = `<user-agent id='d4565fa7-4d72-4749-b3d3-${String(n).padStart(12, '0')}'/>`
      wire.says(`<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>${first}${agent}${wish}</authenticate>`)
      await wire.hears(/<token [^>]*\/><\/success>/)
      wire.closes()
      await ground.passes(100)
    }
    return ''
  }),
  register_quota_keys: async (metric: string) => {
    const forgotten = new Metrics().counter(metric, '')
    const quota = new Quota({ monoMs: () => 0 }, forgotten)
    const { value } = fixedLimits['register_quota_keys'] ?? assert.fail()
    for (let n = 0; n < Number(value); n++) quota.take(`n${n}`, 1, 1_000)
    assert.equal(forgotten.value, 0)
    quota.take('one more', 1, 1_000)
    return { heard: '', moved: forgotten.value }
  },
  requests_open: async (metric: string) => {
    const house = await House.build()
    const elsewhere = house.elsewhere()
    const [from, to] = [jid('montague.net'), jid('elsewhere.example')]
    const asks = () => house.core.requests.ask('get', from, to, x('ping', 'urn:xmpp:ping'))
    const answers = Promise.allSettled(Array.from({ length: requestsOpenMax }, asks))
    assert.equal(house.core.metrics.value(metric), 0)
    assert.equal(house.core.metrics.value('ratatosk_requests_open'), requestsOpenMax)
    await assert.rejects(asks(), { code: 'RTK_REQUESTS_OPEN_MAX', condition: 'resource-constraint' })
    house.core.requests.close()
    await answers
    await elsewhere.drain()
    return { heard: '', moved: house.core.metrics.value(metric) }
  },
  control_commands: simulated({}, async (ground) => {
    const wire = await control(ground)
    // Each waits for its input.
    for (let id = 1; id <= 16; id++) wire.says(`{"id":${id},"run":"account add","args":{},"input":true}\n`)
    await ground.passes(100)
    ground.still()
    wire.says(`{"id":17,"run":"account add","args":{},"input":true}\n`)
    return wire.hears(/\{"id":17.*\}/)
  }),
  message_hold_time: (metric: string) =>
    held(metric, async (house) => {
      house.actor('juliet@capulet.com/b').send(message('romeo@montague.net', 'hark'))
      await house.pass(messageHoldMs - 1)
      assert.equal(house.core.metrics.value('ratatosk_messages_held'), 1)
      assert.equal(house.core.metrics.value(metric), 0)
      await house.pass(1)
    }),
  message_hold_bytes: (metric: string) =>
    held(metric, async (house) => {
      const text = message('romeo@montague.net', 'x'.repeat(messageHoldBytes / 2))
      house.actor('juliet@capulet.com/b').send(text)
      await house.settle()
      assert.equal(house.core.metrics.value('ratatosk_messages_held'), 1)
      assert.equal(house.core.metrics.value(metric), 0)
      house.actor('nurse@capulet.com/b').send(text)
      await house.settle()
    }),
  route_hops: async (metric: string) => {
    const house = await House.build()
    const [one, other] = [jid('one.example'), jid('other.example')]
    const { core } = house
    for (const [here, there] of [
      [one, other],
      [other, one],
    ] as const) {
      core.router.add(here.domain, {
        name: here.domain,
        receive: (packet) => {
          packet.settle('handed')
          return core.send(packet.el, here, there)
        },
      })
    }
    assert.equal(core.metrics.value(metric), 0)
    core.send(x('message', NS_CLIENT, x('body', NS_CLIENT, 'again')), one, other)
    await house.settle()
    return { heard: '', moved: core.metrics.value(metric) }
  },
}
