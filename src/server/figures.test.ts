/**
 * Every figure that a server has from its start moves for the reason that its help tells; those of limits move in
 * `limits.test.ts`. A figure without a test is found by the first one here.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { header, type Wire } from '../../plays/language/wire.ts'
import { fixedLimits, limits } from '../../tools/docs/limits.ts'
import type { MetricFamily } from '../core/metrics.ts'
import { familyName, unitOf } from '../core/openmetrics.ts'
import { Packet } from '../core/packet.ts'
import { jid } from '../jid/index.ts'
import { answerTo, exodus } from '../modules/caps/caps.testing.ts'
import type { SimVitals } from '../sim/vitals.ts'
import { NS_SM } from '../stanza/sm.ts'
import { storeError } from '../store/errors.ts'
import type { MemoryFigures } from '../world/vitals.types.ts'
import { parseElement, x } from '../xml/index.ts'
import { type Ground, listener, message, simulated } from './limits.testing.ts'
import { control } from './limits-of-connections.testing.ts'

/** What is seen of one figure. */
interface Seen {
  readonly ground: Ground
  /** From now on counts what comes. */
  from(): void
  /** It has risen by this much since `from`, or since the start. */
  rose(by: number): void
}

type Story = (seen: Seen) => Promise<void>
type Sections = Parameters<typeof simulated>[0]

const NS_ROSTER = 'jabber:iq:roster'
const roster = `<iq type='get' id='roster'><query xmlns='${NS_ROSTER}'/></iq>`
const set = `<iq type='set' id='set'><query xmlns='${NS_ROSTER}'><item jid='a@localhost'/></query></iq>`
const nobody = message('nobody@localhost', 'hello')
const stranger = 'nobody@localhost'

/** Somebody says this; when it is dealt with, the figure has risen by so much. */
const after =
  (said: string, by: number, heard = /<\/message>/): Story =>
  async ({ ground, from, rose }) => {
    const wire = await ground.bound()
    from()
    wire.says(said)
    await wire.hears(heard)
    rose(by)
  }

const register = (content: string) =>
  `<iq type='set' id='set'><query xmlns='jabber:iq:register'>${content}</query></iq>`

const durable: Sections = { modules: { sm: { durable: true } } }

/** A session whose queue is kept says twenty messages to itself in one turn. */
const journals =
  (by: number): Story =>
  async ({ ground, from, rose }) => {
    const wire = await ground.bound()
    await counts(wire)
    await ground.passes(100)
    from()
    wire.says(message('romeo@localhost/here', 'to myself').repeat(20))
    await wire.hears(/(?:<message .*){20}/)
    rose(by)
  }

/** romeo's client advertises capabilities, and is asked. */
async function advertises(ground: Ground): Promise<readonly [Wire, string]> {
  const wire = await ground.bound()
  wire.says(`<presence>${exodus.c}</presence>`)
  return [wire, await wire.hears(/<iq [^>]*type='get'.*?<\/iq>/)]
}

/** He answers what they are. */
const capable: Story = async ({ ground, rose }) => {
  const [wire, question] = await advertises(ground)
  rose(0)
  wire.says(answerTo(question, exodus.told))
  await ground.passes(100)
  rose(1)
}

/** Somebody advertises what nobody knows yet, and tells it. */
const wonders: Story = async ({ ground, rose }) => {
  const [wire, question] = await advertises(ground)
  rose(1)
  wire.says(answerTo(question, exodus.told))
  await ground.passes(100)
  rose(0)
}

/** Stanzas of the session count from now on, and it may be resumed; returns its SM-ID. */
async function counts(wire: Wire): Promise<string> {
  wire.says(`<enable xmlns='${NS_SM}' resume='true'/>`)
  return /id='([^']*)'/.exec(await wire.hears(/<enabled [^>]*>/))?.[1] ?? ''
}

/** A message for somebody who is not there. */
async function kept(ground: Ground): Promise<void> {
  await ground.account('juliet')
  const romeo = await ground.bound()
  romeo.says(message('juliet@localhost', 'kept'))
  await ground.passes(100)
}

/** juliet does not read what romeo tells her. */
async function behind(ground: Ground): Promise<void> {
  const { romeo } = await ground.unread()
  for (let i = 0; i < 100; i++) romeo.says(message('juliet@localhost/here', 'x'.repeat(1_000)))
  await ground.passes(1_000)
}

/** juliet has asked romeo, his roster is in memory, and then the store falls silent. */
async function silentStore(ground: Ground, before: (ground: Ground) => Promise<void>): Promise<void> {
  await ground.account('juliet')
  const juliet = await ground.bound('juliet')
  juliet.says(`<presence type='subscribe' to='romeo@localhost'/>`)
  await before(ground)
  ground.symbolic.engine.hang()
}

const processFigure =
  (change: (vitals: SimVitals) => void, by: number): Story =>
  async ({ ground, rose }) => {
    change(ground.vitals)
    rose(by)
  }

const memory = (of: Partial<MemoryFigures>) =>
  processFigure((vitals) => {
    vitals.figures = { ...vitals.figures, ...of }
  }, 1_000)

const collected = processFigure((vitals) => {
  vitals.collected = [{ kind: 'minor', runs: 7, seconds: 7 }]
}, 7)

const fullDisk: Story = async ({ ground, from, rose }) => {
  const wire = await ground.bound()
  ground.symbolic.engine.failing = storeError('RTK_STORE_DISK_FULL', 'full')
  from()
  wire.says(set)
  await wire.hears(/type='error'/)
  rose(1)
  ground.symbolic.engine.failing = undefined
}

const stories: Readonly<Record<string, Story | readonly [Sections, Story]>> = {
  process_cpu_seconds_total: processFigure((vitals) => {
    vitals.cpu = 3.5
  }, 3.5),
  process_resident_memory_bytes: memory({ resident: 1_000 }),
  process_start_time_seconds: processFigure((vitals) => {
    vitals.startSeconds = 1.5
  }, 1.5),
  ratatosk_loop_cpu_seconds_total: processFigure((vitals) => {
    vitals.loopCpu = 2.5
  }, 2.5),
  ratatosk_loop_busy_seconds_total: processFigure((vitals) => {
    vitals.busy = 4
  }, 4),
  ratatosk_loop_delay_seconds: async ({ ground }) => {
    ground.vitals.counts = { buckets: [{ atMost: 0.001, count: 3 }], count: 5, sum: 2 }
    const of = (suffix: string) => ground.counter(`ratatosk_loop_delay_seconds${suffix}`)
    assert.deepEqual([of('_bucket{le="0.001"}'), of('_bucket{le="+Inf"}'), of('_count'), of('_sum')], [3, 5, 5, 2])
  },
  ratatosk_heap_bytes: memory({ heap: 1_000 }),
  ratatosk_heap_used_bytes: memory({ heapUsed: 1_000 }),
  ratatosk_external_memory_bytes: memory({ external: 1_000 }),
  'ratatosk_gc_runs_total{kind="minor"}': collected,
  'ratatosk_gc_seconds_total{kind="minor"}': collected,
  ratatosk_account_cache_entries: after(nobody, 1),
  ratatosk_accounts_unsettled: async ({ ground, rose }) => {
    const { romeo, juliet } = await ground.unread()
    for (let i = 0; i < 300; i++) romeo.says(message('juliet@localhost/here', 'x'.repeat(100)))
    await ground.passes(1_000)
    ground.symbolic.engine.latencyMs = 1_000
    juliet.closes()
    await ground.passes(500)
    rose(1)
    await ground.passes(60_000)
    rose(0)
  },
  ratatosk_bind_conflicts_total: async ({ ground, rose }) => {
    await ground.bound('romeo', 'here')
    rose(0)
    await ground.bound('romeo', 'here')
    rose(1)
  },
  ratatosk_carbons_copies_total: async ({ ground, rose }) => {
    const [one, two] = [await ground.bound('romeo', 'one'), await ground.bound('romeo', 'two')]
    two.says(`<iq type='set' id='enable'><enable xmlns='urn:xmpp:carbons:2'/></iq>`)
    await two.hears(/id='enable'/)
    rose(0)
    one.says(nobody)
    await two.hears(/<sent /)
    rose(1)
  },
  ratatosk_caps_hashes: capable,
  ratatosk_caps_verified_total: capable,
  ratatosk_caps_rejected_total: async ({ ground, rose }) => {
    const [wire, question] = await advertises(ground)
    wire.says(answerTo(question, ''))
    await ground.passes(100)
    rose(1)
  },
  ratatosk_caps_queries_open: wonders,
  ratatosk_caps_unknown: wonders,
  ratatosk_caps_elsewhere: async ({ ground, rose }) => {
    const { router } = ground.symbolic.server.core
    const [from, to] = [jid('far@example.org/x'), jid('romeo@localhost')]
    const comes = (text: string) => {
      const el = parseElement(`<presence xmlns='jabber:client'${text}`)
      router.submit(new Packet('presence', el, from, to, { kind: 'service', label: 'elsewhere' }))
    }
    comes(`>${exodus.c}</presence>`)
    rose(1)
    comes(` type='unavailable'/>`)
    rose(0)
  },
  ratatosk_connections: async ({ ground, rose }) => {
    const wires = [await ground.connected(), await ground.connected('juliet')]
    await ground.passes(100)
    rose(2)
    wires[0]?.closes()
    await ground.passes(100)
    rose(1)
  },
  ratatosk_connections_accepted_total: async ({ ground, rose }) => {
    ;(await ground.connected()).closes()
    await ground.connected()
    await ground.passes(100)
    rose(2)
  },
  ratatosk_connections_refused_access_total: [
    { listener: { access: 'none' } },
    async ({ ground, rose }) => {
      await (await ground.connected()).hears(/<policy-violation /)
      rose(1)
    },
  ],
  ratatosk_connections_refused_proxy_total: [
    { listener: { proxy_protocol: true, proxies: ['192.0.2.1'] } },
    async ({ ground, rose }) => {
      await (await ground.connected('198.51.100.1')).isClosed()
      rose(1)
    },
  ],
  ratatosk_connections_behind: async ({ ground, rose }) => {
    await behind(ground)
    rose(1)
  },
  ratatosk_connections_behind_bytes: async ({ ground }) => {
    await behind(ground)
    const bytes = ground.counter('ratatosk_connections_behind_bytes')
    assert.ok(bytes > 50_000 && bytes < 200_000, `${bytes}`)
  },
  ratatosk_tls_handshakes_waiting: async ({ ground, rose }) => {
    // They wait for no time at all; `handshakes.test.ts` sees them do so.
    const { net } = ground.symbolic.simulation.world('server')
    Object.defineProperty(net, 'queues', { value: { ...net.queues, handshakes: 12 } })
    rose(12)
  },
  ratatosk_control_connections: async ({ ground, rose }) => {
    const wire = await control(ground)
    await wire.hears(/"protocol"/)
    rose(1)
    wire.closes()
    await ground.passes(100)
    rose(0)
  },
  ratatosk_csi_held_total: async ({ ground, rose }) => {
    await typed(ground, 2)
    rose(2)
  },
  ratatosk_csi_replaced_total: async ({ ground, rose }) => {
    await typed(ground, 2)
    rose(1)
  },
  ratatosk_fan_out_copies_total: async ({ ground, from, rose }) => {
    const [one, two] = [await ground.bound('romeo', 'one'), await ground.bound('romeo', 'two')]
    one.says('<presence/>')
    await one.hears(/<presence /)
    from()
    // To both of them; and the new one is told of the other.
    two.says('<presence/>')
    await two.hears(/<presence [^>]*>.*<presence [^>]*>/)
    rose(3)
  },
  ratatosk_handler_faults_total: async ({ ground, rose }) => {
    const { hooks } = ground.symbolic.server.core.hostType('default')
    const fails = () => {
      throw new Error('a fault of the test')
    }
    hooks.on('stanza:sent', 'faulty', fails, { kinds: ['message'] })
    const wire = await ground.bound()
    wire.says(nobody)
    await wire.hears(/<internal-server-error /)
    rose(1)
  },
  ratatosk_hosts: async ({ ground, rose }) => {
    const reload = (...hosts: readonly string[]) => ground.symbolic.reload({ listeners: [listener], hosts })
    await reload('localhost', 'second.example', 'third.example')
    rose(2)
    await reload('localhost')
    rose(0)
  },
  ratatosk_jid_cache_entries: after(nobody, 1),
  ratatosk_access_revocations_total: async ({ ground, rose }) => {
    const wire = await ground.bound()
    // Who knows the password cannot be signed out.
    await ground.symbolic.server.accounts.setPassword(jid('romeo@localhost'), 'another')
    const cam = (name: string, type: string, id = '') =>
      wire.says(`<iq type='${type}' id='${name}'><${name} xmlns='urn:xmpp:cam:0'${id}/></iq>`)
    cam('list', 'get')
    const id = /<client [^>]*id=['"]([^'"]*)/.exec(await wire.hears(/<\/clients><\/iq>/))?.[1] ?? ''
    cam('revoke', 'set', ` id='${id}'`)
    await wire.hears(/id='revoke'[^>]*type='result'/)
    rose(1)
  },
  ratatosk_access_store_failures_total: async ({ ground, rose }) => {
    const wire = await ground.secured()
    const agent = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/><bind xmlns='urn:xmpp:bind:0'/>"
    const first = `<initial-response>${btoa('\0romeo\0secret')}</initial-response>`
    wire.says(`<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>${first}${agent}</authenticate>`)
    await wire.hears(/<\/success>/)
    for (let minutes = 0; minutes < 120; minutes += 4) {
      wire.says(' ')
      await ground.passes(4 * 60_000)
    }
    ground.symbolic.engine.failing = storeError('RTK_STORE_DISK_FULL', 'full')
    wire.closes()
    await ground.passes(100)
    rose(1)
    ground.symbolic.engine.failing = undefined
  },
  ratatosk_last_store_failures_total: async ({ ground, rose }) => {
    const wire = await ground.bound()
    ground.symbolic.engine.failing = storeError('RTK_STORE_DISK_FULL', 'full')
    wire.says('</stream:stream>')
    await wire.isClosed()
    await ground.passes(100)
    rose(1)
    ground.symbolic.engine.failing = undefined
  },
  ratatosk_messages_held: async ({ ground, rose }) => {
    await ground.account('juliet')
    const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
    juliet.says('<presence/>')
    await juliet.hears(/<presence /)
    const { core } = ground.symbolic.server
    const session = core.sessions.find(jid('juliet@localhost/here')) ?? assert.fail()
    // As while she is handed what was kept for her.
    session.takesMessages = false
    const hold = core.holdMessages(session.jid.bare)
    romeo.says(message('juliet@localhost', 'hark'))
    await ground.passes(100)
    rose(1)
    session.takeMessages(0)
    hold.release()
    rose(0)
    await juliet.hears(/hark/)
  },
  ratatosk_offline_kept_total: async ({ ground, rose }) => {
    await kept(ground)
    rose(1)
  },
  ratatosk_offline_handed_total: async ({ ground, rose }) => {
    await kept(ground)
    rose(0)
    const juliet = await ground.bound('juliet')
    juliet.says('<presence/>')
    await juliet.hears(/kept/)
    rose(1)
  },
  ratatosk_offline_mailboxes_active: async ({ ground, rose }) => {
    await ground.account('juliet')
    const romeo = await ground.bound()
    ground.symbolic.engine.latencyMs = 1_000
    romeo.says(message('juliet@localhost', 'on its way'))
    // Until it is known whom she has blocked, and that she exists, it is nobody's.
    await ground.passes(4_500)
    rose(1)
    await ground.passes(2_500)
    rose(0)
  },
  ratatosk_offline_store_failures_total: async ({ ground, rose }) => {
    await ground.account('juliet')
    const romeo = await ground.bound()
    ground.symbolic.engine.failing = storeError('RTK_STORE_DISK_FULL', 'full')
    romeo.says(message('juliet@localhost', 'lost'))
    await romeo.hears(/<service-unavailable /)
    rose(1)
    ground.symbolic.engine.failing = undefined
  },
  ratatosk_presence_departures_delayed_total: async ({ ground, rose }) => departs(ground, () => rose(1)),
  ratatosk_presence_departures_waiting: async ({ ground, rose }) => {
    await departs(ground, () => rose(1))
    await ground.passes(60_000)
    rose(0)
  },
  ratatosk_presence_greetings_incomplete_total: async ({ ground, rose }) => {
    const romeo = await ground.bound()
    await silentStore(ground, async () => {
      await ground.passes(100)
      romeo.says(roster)
      await romeo.hears(/id='roster'/)
    })
    romeo.says('<presence/>')
    await ground.passes(7_500)
    rose(0)
    await ground.passes(2_000)
    rose(1)
    ground.symbolic.engine.resume()
  },
  ratatosk_privacy_held: async ({ ground, rose }) => {
    const wire = await ground.bound()
    await ground.passes(100)
    rose(1)
    wire.says('</stream:stream>')
    await wire.isClosed()
    rose(0)
  },
  ratatosk_privacy_stopped_total: async ({ ground, rose }) => {
    const wire = await ground.bound()
    wire.says(
      `<iq type='set' id='block'><block xmlns='urn:xmpp:blocking'><item jid='${stranger}'/></block></iq>${nobody}`,
    )
    await wire.hears(/<blocked /)
    rose(1)
  },
  ratatosk_privacy_store_failures_total: async ({ ground, rose }) => {
    await ground.account('juliet')
    const romeo = await ground.bound()
    ground.symbolic.engine.hang()
    romeo.says(message('juliet@localhost', 'refused'))
    await ground.passes(60_000)
    await romeo.hears(/<resource-constraint /)
    rose(1)
    ground.symbolic.engine.resume()
  },
  ratatosk_register_sign_ups_total: [
    { modules: { register: { sign_up: 'open' } } },
    async ({ ground, rose }) => {
      const wire = await ground.secured()
      wire.says(register('<username>nurse</username><password>secret</password>'))
      await wire.hears(/<iq [^>]*id='set'[^>]*type='result'/)
      rose(1)
    },
  ],
  ratatosk_register_password_changes_total: after(
    register('<username>romeo</username><password>better</password>'),
    1,
    /<iq [^>]*id='set'[^>]*type='result'/,
  ),
  ratatosk_register_removals_total: after(register('<remove/>'), 1, /<iq [^>]*id='set'[^>]*type='result'/),
  ratatosk_requests_open: async ({ ground, rose }) => {
    const { core } = ground.symbolic.server
    const romeo = await ground.bound()
    const [host, full] = [jid('localhost'), jid('romeo@localhost/here')]
    const asked = core.requests.ask('get', host, full, x('ping', 'urn:xmpp:ping'))
    rose(1)
    const id = /id='([^']*)'/.exec(await romeo.hears(/<iq .*?<\/iq>/))?.[1]
    romeo.says(`<iq type='result' id='${id}' to='localhost'/>`)
    await asked
    rose(0)
  },
  ratatosk_roster_cached: after(roster, 1, /id='roster'/),
  ratatosk_sessions: async ({ ground, rose }) => {
    const wire = await ground.bound()
    rose(1)
    wire.says('</stream:stream>')
    await wire.isClosed()
    rose(0)
  },
  ratatosk_sessions_resumed_total: async ({ ground, rose }) => {
    const wire = await ground.bound()
    const id = await counts(wire)
    wire.closes()
    const other = await ground.signedIn()
    other.says(`<resume xmlns='${NS_SM}' previd='${id}' h='0'/>`)
    await other.hears(/<resumed [^>]*>/)
    rose(1)
  },
  ratatosk_sessions_waiting: async ({ ground, rose }) => {
    const wire = await ground.bound()
    await counts(wire)
    rose(0)
    wire.closes()
    await ground.passes(100)
    rose(1)
    await ground.passes(300_000)
    rose(0)
  },
  ratatosk_sessions_restored_total: [
    durable,
    async ({ ground, rose }) => {
      for (const name of ['juliet', 'mercutio']) await ground.account(name)
      await counts(await ground.bound())
      await counts(await ground.bound('juliet'))
      await ground.bound('mercutio')
      await ground.symbolic.restart()
      rose(2)
    },
  ],
  ratatosk_journal_writes_total: [durable, journals(1)],
  ratatosk_journal_stanzas_total: [durable, journals(20)],
  ratatosk_journal_failures_total: [
    durable,
    async ({ ground, rose }) => {
      ground.symbolic.engine.failing = storeError('RTK_STORE_DISK_FULL', 'the disk is full')
      await counts(await ground.bound())
      await ground.passes(500)
      rose(1)
      ground.symbolic.engine.failing = undefined
    },
  ],
  ratatosk_unacknowledged_bytes: async ({ ground, rose }) => {
    const wire = await ground.bound()
    await counts(wire)
    wire.says(message('romeo@localhost/here', 'to myself'))
    const heard = /<message .*<\/message>/.exec(await wire.hears(/<\/message>/))?.[0] ?? ''
    rose(heard.length)
    wire.says(`<a xmlns='${NS_SM}' h='1'/>`)
    await ground.passes(100)
    rose(0)
  },
  ratatosk_sign_ins_total: async ({ ground, rose }) => {
    await ground.signedIn()
    rose(1)
  },
  ratatosk_stanzas_dropped_total: async ({ ground, rose }) => {
    const wire = await ground.bound()
    wire.says(`<presence type='subscribe' to='romeo@localhost'/>`)
    await ground.passes(100)
    rose(1)
  },
  ratatosk_stanzas_refused_total: after(nobody, 1),
  // The stanza, and its error.
  ratatosk_stanzas_routed_total: after(nobody, 2),
  ratatosk_stanzas_unsent_total: async ({ ground, rose }) => {
    const { romeo, juliet } = await ground.unread()
    romeo.says(message('juliet@localhost/here', 'x'.repeat(100)))
    romeo.says(message('juliet@localhost/here', 'x'.repeat(20_000)))
    await ground.passes(1_000)
    rose(0)
    juliet.closes()
    await ground.passes(1_000)
    rose(1)
  },
  // Whether nobody has lists, and whether he exists.
  ratatosk_store_reads_total: after(nobody, 2),
  ratatosk_store_writes_total: after(set, 1, /id='set'/),
  ratatosk_store_commits_total: after(set, 1, /id='set'/),
  ratatosk_store_errors_total: fullDisk,
  ratatosk_store_disk_full_total: fullDisk,
  ratatosk_store_stalled_total: async ({ ground, rose }) => {
    const wire = await ground.bound()
    ground.symbolic.engine.hang()
    wire.says(nobody)
    await wire.hears(/<resource-constraint /)
    rose(0)
    wire.says(nobody)
    await wire.hears(/<resource-constraint /)
    rose(1)
    ground.symbolic.engine.resume()
  },
  ratatosk_store_state: async ({ ground, rose }) => {
    const wire = await ground.bound()
    rose(0)
    ground.symbolic.engine.failing = storeError('RTK_STORE_DISK_FULL', 'full')
    wire.says(set)
    await wire.hears(/type='error'/)
    rose(1)
    ground.symbolic.engine.failing = undefined
    wire.says(set)
    await wire.hears(/type='result'/)
    rose(0)
    ground.symbolic.engine.hang()
    wire.says(nobody)
    await wire.hears(/<resource-constraint /)
    rose(2)
    ground.symbolic.engine.resume()
    await ground.passes(100)
    rose(0)
    ground.symbolic.engine.die()
    rose(3)
    await ground.passes(1_000)
    rose(0)
  },
  ratatosk_store_restarts_total: async ({ ground, rose }) => {
    ground.symbolic.engine.die()
    await ground.passes(60_000)
    rose(1)
  },
  ratatosk_store_queue_operations: async ({ ground, rose }) => {
    const wire = await ground.bound()
    ground.symbolic.engine.hang()
    wire.says(nobody)
    await ground.passes(100)
    rose(1)
    ground.symbolic.engine.resume()
    await ground.passes(100)
    rose(0)
  },
  ratatosk_store_queue_bytes: async ({ ground, rose }) => {
    const wire = await ground.bound()
    ground.symbolic.engine.hang()
    wire.says(nobody)
    await ground.passes(100)
    assert.ok(ground.counter('ratatosk_store_queue_bytes') > stranger.length)
    ground.symbolic.engine.resume()
    await ground.passes(100)
    rose(0)
  },
  'ratatosk_stream_errors_total{condition="host-unknown"}': async ({ ground, rose }) => {
    const wire = await ground.connected()
    wire.says(header('example.org'))
    await wire.hears(/<host-unknown /)
    rose(1)
  },
  ratatosk_connections_timed_out_total: async ({ ground, rose }) => {
    await ground.bound()
    ground.symbolic.simulation.network.cut('romeo', 'server', 'ECONNRESET')
    await ground.passes(100)
    rose(0)
    await ground.bound()
    ground.symbolic.simulation.network.cut('romeo', 'server', 'ETIMEDOUT')
    await ground.passes(100)
    rose(1)
  },
  ratatosk_plaintext_discarded_total: async ({ ground, rose }) => {
    const wire = await ground.connected()
    wire.says(`${header('localhost')}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><message/>`)
    await wire.hears(/<proceed [^>]*\/>/)
    wire.closes()
    await ground.passes(100)
    rose(1)
  },
}

/** Chat states for juliet, who does not look. */
async function typed(ground: Ground, count: number): Promise<void> {
  await ground.account('juliet')
  const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
  juliet.says(`<inactive xmlns='urn:xmpp:csi:0'/>`)
  await ground.passes(100)
  const typing = `<message to='juliet@localhost/here' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`
  romeo.says(typing.repeat(count))
  await ground.passes(100)
}

/** romeo, whom juliet sees, loses his connection while his roster cannot be read. */
async function departs(ground: Ground, then: () => void): Promise<void> {
  const { core } = ground.symbolic.server
  const romeo = await ground.bound()
  romeo.says('<presence/>')
  await romeo.hears(/<presence /)
  const items = core.hostType('default').services.find('roster')
  assert.ok(items)
  await items.set(core.hosts()[0] ?? assert.fail(), 'romeo', {
    jid: jid('juliet@localhost'),
    name: '',
    subscription: 'from',
    pendingOut: false,
    pendingIn: false,
    approved: false,
    listed: true,
    groups: [],
  })
  ground.symbolic.engine.hang()
  romeo.closes()
  await ground.passes(10_500)
  then()
  ground.symbolic.engine.resume()
}

/** The limits that a help names. */
const limitsIn = (help: string): readonly string[] => /; limits? (.*)$/.exec(help)?.[1]?.split(', ') ?? []

describe('a figure', () => {
  it('has a test, whichever a server has from its start', async () => {
    let figures: readonly MetricFamily[] = []
    await simulated({}, async ({ symbolic }) => {
      figures = symbolic.server.metrics.families()
      return ''
    })('none')
    const ofLimits = [...Object.values(limits), ...Object.values(fixedLimits)].map(({ metric }) => metric)
    const tested = new Set([...ofLimits, ...Object.keys(stories)].map((name) => name.replace(/\{.*/, '')))
    const names = figures.map(({ name }) => name)
    // Limits and the version stand still; `metrics-page.test.ts` reads them all.
    const left = names.filter((name) => !tested.has(name) && !/^ratatosk_(?:limit(?:_|$)|build_info)/.test(name))
    assert.deepEqual(left, [])
    assert.ok(names.length > 60)
  })

  it('names the limit that it counts, or may grow to, as the label `limit` does', async () => {
    let figures: readonly MetricFamily[] = []
    await simulated({}, async ({ symbolic }) => {
      figures = symbolic.server.metrics.families()
      return ''
    })('none')
    const helps = new Map(figures.map(({ name, help }) => [name, help]))
    const all = { ...limits, ...fixedLimits }
    for (const [path, { metric }] of Object.entries(all)) {
      // Codes are told apart by their label.
      if (metric.includes('{')) continue
      assert.match(helps.get(metric) ?? '', /; limits? /, metric)
      assert.ok(limitsIn(helps.get(metric) ?? '').includes(path), `${metric} is of ${path}`)
    }
    const known = new Set(Object.keys(all))
    for (const [name, help] of helps) for (const path of limitsIn(help)) assert.ok(known.has(path), `${name}: ${path}`)
  })

  it('has a help that can be read alone, and a unit only where it is of one', async () => {
    let figures: readonly MetricFamily[] = []
    await simulated({}, async ({ symbolic }) => {
      figures = symbolic.server.metrics.families()
      return ''
    })('none')
    for (const { name, kind, help } of figures) {
      assert.doesNotMatch(help, /\b(?:their bytes|of that|that they took|wait for them)\b|`/i, name)
      // Whoever counts times or things must not be told to be bytes.
      const unit = unitOf(familyName({ name, kind }))
      if (kind === 'counter' && unit !== '') assert.match(help, /\b(?:bytes|time)\b/i, name)
    }
  })

  for (const [name, given] of Object.entries(stories)) {
    const [config, story] = typeof given === 'function' ? [{}, given] : given
    it(`${name} moves`, async () => {
      let isTold = false
      await simulated(config, async (ground) => {
        let start = ground.counter(name)
        await story({
          ground,
          from: () => {
            start = ground.counter(name)
          },
          rose: (by) => assert.equal(ground.counter(name) - start, by, name),
        })
        isTold = true
        return ''
      })('none')
      assert.ok(isTold)
    })
  }
})
