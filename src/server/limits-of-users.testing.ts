/** Passes the limits of those who have signed in: of the core, of sessions, of modules. */
import type { Wire } from '../../plays/language/wire.ts'
import { Packet } from '../core/packet.ts'
import { jid } from '../jid/jid.ts'
import { answerTo, exodus, featured, type Program, psi } from '../modules/caps/caps.testing.ts'
import type { StanzaKind } from '../stanza/stanza.ts'
import { accounts } from '../store/accounts.ts'
import { parseElement } from '../xml/index.ts'
import { anyStanzaError, anyStreamError, type Ground, message, simulated } from './limits.testing.ts'

const NS_ROSTER = 'jabber:iq:roster'
const nobody = 'nobody@localhost'

const list = (name: string) =>
  `<query xmlns='jabber:iq:privacy'><list name='${name}'><item action='allow' order='1'/></list></query>`
const block = (jid: string) => `<block xmlns='urn:xmpp:blocking'><item jid='${jid}'/></block>`
const set = (item: string, id = 'set') => `<iq type='set' id='${id}'><query xmlns='${NS_ROSTER}'>${item}</query></iq>`
const keep = (content: string) => `<iq type='set' id='set'><query xmlns='jabber:iq:private'>${content}</query></iq>`
const card = (name: string) => `<iq type='set' id='set'><vCard xmlns='vcard-temp'><FN>${name}</FN></vCard></iq>`
const subscribe = (to: string, more = '') => `<presence type='subscribe' to='${to}'>${more}</presence>`

/** A handler that stands in the way of every stanza of this kind until it is released; undefined: never. */
function obstacle({ symbolic }: Ground, kind: StanzaKind, released: Promise<undefined>): void {
  const { hooks } = symbolic.server.core.hostType('default')
  hooks.on('stanza:sent', 'obstacle', () => released, { kinds: [kind] })
}

/** Sets of which the first is taken, and the second is one too much. */
const sets =
  (good: string, bad: string, form = set) =>
  async (ground: Ground) => {
    const wire = await ground.bound()
    wire.says(form(good))
    await wire.hears(/<iq [^>]*type='result'[^>]*>/)
    ground.still()
    wire.says(form(bad))
    return wire.hears(anyStanzaError)
  }

/** Becomes available with the capabilities of a program; the question that comes. */
async function asked(wire: Wire, { c }: Program): Promise<string> {
  wire.says(`<presence>${c}</presence>`)
  return wire.hears(anyQuestion)
}
const anyQuestion = /<iq [^>]*type='get'[^>]*><query [^>]*disco#info[^>]*\/><\/iq>/

/** The same, and answers. */
async function tells(wire: Wire, program: Program): Promise<string> {
  wire.says(answerTo(await asked(wire, program), program.told))
  wire.says(`<iq type='get' id='told' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`)
  return wire.hears(/<iq [^>]*id='told'[^>]*>/)
}

const filledIn = (username: string, password: string) =>
  `<iq type='set' id='set'><query xmlns='jabber:iq:register'><username>${username}</username><password>${password}</password></query></iq>`

/** Two strangers make accounts, the second in vain. */
async function signsUpTwice(ground: Ground, first: string, second: string): Promise<string> {
  const wire = await ground.secured(first)
  wire.says(filledIn('first', 'secret'))
  await wire.hears(/<iq [^>]*type='result'[^>]*>/)
  ground.still()
  const other = await ground.secured(second)
  other.says(filledIn('second', 'secret'))
  return other.hears(anyStanzaError)
}

/** juliet, whose session counts and may be resumed. */
async function counted(ground: Ground): Promise<Wire> {
  await ground.account('juliet')
  const juliet = await ground.bound('juliet')
  juliet.says(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`)
  await juliet.hears(/<enabled [^>]*>/)
  return juliet
}

/** juliet acknowledges nothing of two floods, of which the first is just not too much. */
const acknowledgesNothing = (first: string, second: string) => async (ground: Ground) => {
  const juliet = await counted(ground)
  const romeo = await ground.bound()
  romeo.says(first)
  await ground.passes(500)
  ground.still()
  romeo.says(second)
  const heard = await juliet.hears(anyStreamError)
  await ground.passes(3_000)
  // What she did not acknowledge is not lost.
  if (ground.counter('ratatosk_offline_kept_total') === 0) throw new Error('nothing was kept')
  return heard
}

/** A store that is asked, beside what others ask it, for `count` things of so many bytes, and answers nothing. */
const silentStore = (count: number, bytes: number) => async (ground: Ground) => {
  const wire = await ground.bound()
  const { server, engine } = ground.symbolic
  const store = await server.stores.open(accounts)
  engine.hang()
  const asked = Array.from({ length: count }, (_, n) => store.get({ host: 'x'.repeat(bytes), name: String(n) }))
  const settled = Promise.allSettled(asked)
  ground.still()
  wire.says(message(nobody, 'hello'))
  const heard = await wire.hears(anyStanzaError)
  if (!heard.includes("type='wait'")) throw new Error(`no sender tries that again: ${heard}`)
  engine.resume()
  await settled
  wire.says(message(nobody, 'hello'))
  // Nobody of that name is here: now that is known.
  await wire.hears(/<service-unavailable /)
  return heard
}
/** Requests of which the first is granted, and the second is one too much. */
const asks = (good: string, bad: string) => async (ground: Ground) => {
  const wire = await ground.bound()
  const ask = (payload: string) => wire.says(`<iq type='set' id='set'>${payload}</iq>`)
  ask(good)
  await wire.hears(/<iq [^>]*type='result'[^>]*>/)
  ground.still()
  ask(bad)
  return wire.hears(anyStanzaError)
}

export const serverProofs = {
  'store.operation_timeout': simulated(
    { store: { engine: 'memory', operation_timeout: '1 second' } },
    silentStore(0, 0),
  ),
  'store.queue_operations': simulated({ store: { engine: 'memory', queue_operations: 100 } }, silentStore(100, 1)),
  'store.queue_bytes': simulated({ store: { engine: 'memory', queue_bytes: '1 MiB' } }, silentStore(16, 65_330)),
  'limits.session_queue_bytes': simulated({ limits: { session_queue_bytes: '64 KiB' } }, async (ground) => {
    const { romeo, juliet } = await ground.unread()
    const words = message('juliet@localhost/here', 'x'.repeat(1_000))
    romeo.says(words.repeat(50))
    await ground.passes(1_000)
    ground.still()
    romeo.says(words.repeat(50))
    await ground.passes(1_000)
    juliet.transport.resume()
    const heard = await juliet.hears(anyStreamError)
    // She does not close her side; the connection is dropped.
    await ground.passes(3_000)
    // What did not arrive is not lost.
    if (ground.counter('ratatosk_offline_kept_total') === 0) throw new Error('nothing was kept')
    return heard
  }),
  'limits.session_pending_stanzas': simulated({ limits: { session_pending_stanzas: 2 } }, async (ground) => {
    const wire = await ground.bound()
    const { promise, resolve } = Promise.withResolvers<undefined>()
    obstacle(ground, 'message', promise)
    wire.says(message(nobody, '1').repeat(2))
    await ground.passes(100)
    ground.still()
    wire.says(message(nobody, '2').repeat(2))
    await ground.passes(100)
    resolve(undefined)
    // All are handled in the end.
    for (let n = 0; n < 4; n++) await wire.hears(/<\/message>/)
    return ''
  }),
  'limits.hook_timeout': simulated({ limits: { hook_timeout: '1 second' } }, async (ground) => {
    const wire = await ground.bound()
    obstacle(ground, 'message', new Promise(() => undefined))
    wire.says(message(nobody, 'hello'))
    await ground.passes(900)
    ground.still()
    return wire.hears(anyStanzaError)
  }),
  'limits.jid_cache_entries': simulated({ limits: { jid_cache_entries: 100 } }, async (ground) => {
    const wire = await ground.bound()
    const spoken = async (from: number, to: number) => {
      for (let n = from; n < to; n++) wire.says(message(`n${n}@localhost`, 'hello'))
      for (let n = from; n < to; n++) await wire.hears(/<\/message>/)
    }
    await spoken(0, 90)
    ground.still()
    await spoken(90, 200)
    if (ground.counter('ratatosk_jid_cache_entries') > 100) throw new Error('the cache is larger than its limit')
    return ''
  }),
  'session.max_per_user': simulated({ session: { max_per_user: 1 } }, async (ground) => {
    const old = await ground.bound('romeo', 'old')
    ground.still()
    await ground.bound('romeo', 'new')
    return old.hears(anyStreamError)
  }),
  'modules.csi.held_bytes': simulated({ modules: { csi: { held_bytes: '200 B' } } }, async (ground) => {
    await ground.account('juliet')
    const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
    juliet.says(`<inactive xmlns='urn:xmpp:csi:0'/>`)
    await ground.passes(100)
    const receipt = (id: string) =>
      `<message to='juliet@localhost/here' type='chat'><received xmlns='urn:xmpp:receipts' id='${id}'/></message>`
    romeo.says(receipt('one'))
    await ground.passes(100)
    ground.still()
    romeo.says(receipt('two'))
    return juliet.hears(/id='one'.*id='two'.*?<\/message>/)
  }),
  'modules.caps.hashes_max': simulated({ modules: { caps: { hashes_max: 1 } } }, async (ground) => {
    await tells(await ground.bound('romeo', 'one'), exodus)
    ground.still()
    await tells(await ground.bound('romeo', 'two'), psi)
    await ground.passes(100)
    // It was forgotten.
    return tells(await ground.bound('romeo', 'three'), exodus)
  }),
  'modules.caps.elsewhere_max': simulated({ modules: { caps: { elsewhere_max: 1 } } }, async (ground) => {
    const { core } = ground.symbolic.server
    const [to, origin] = [jid('romeo@localhost'), { kind: 'service', label: 'elsewhere' }] as const
    const comes = (from: string) => {
      const el = parseElement(`<presence xmlns='jabber:client'>${exodus.c}</presence>`)
      core.router.submit(new Packet('presence', el, jid(from), to, origin))
    }
    comes('one@example.org/x')
    comes('one@example.org/x')
    await ground.passes(100)
    ground.still()
    comes('two@example.org/x')
    await ground.passes(100)
    if (ground.counter('ratatosk_caps_elsewhere') > 1) throw new Error('more is remembered than the limit says')
    return ''
  }),
  'modules.caps.queries_per_peer': simulated({ modules: { caps: { queries_per_peer: 1 } } }, async (ground) => {
    const [one, two] = [await ground.bound('romeo', 'one'), await ground.bound('romeo', 'two')]
    const question = await asked(one, exodus)
    ground.still()
    two.says(`<presence>${psi.c}</presence>`)
    await ground.passes(100)
    one.says(answerTo(question, exodus.told))
    return two.hears(anyQuestion)
  }),
  'modules.caps.size_max': simulated({ modules: { caps: { size_max: '1 KiB' } } }, async (ground) => {
    const small = featured(`urn:${'x'.repeat(500)}`)
    const large = featured(`urn:${'x'.repeat(1_024)}`)
    await tells(await ground.bound('romeo', 'one'), small)
    await ground.passes(100)
    ground.still()
    return tells(await ground.bound('romeo', 'two'), large)
  }),
  'modules.last.status_size': simulated({ modules: { last: { status_size: '5 B' } } }, async (ground) => {
    const leaves = async (status: string) => {
      const wire = await ground.bound()
      wire.says(`<presence/><presence type='unavailable'><status>${status}</status></presence>`)
      wire.says('</stream:stream>')
      await wire.isClosed()
    }
    await leaves('short')
    ground.still()
    await leaves('longer')
    // Nobody is told, and he comes back as ever.
    const wire = await ground.bound()
    wire.says(`<iq type='get' id='last'><query xmlns='jabber:iq:last'/></iq>`)
    return wire.hears(/<iq [^>]*id='last'.*?<\/iq>/)
  }),
  'modules.offline.messages_max': simulated({ modules: { offline: { messages_max: 1 } } }, async (ground) => {
    await ground.account('juliet')
    const wire = await ground.bound()
    wire.says(message('juliet@localhost', 'kept'))
    await ground.passes(100)
    ground.still()
    wire.says(message('juliet@localhost', 'one too many'))
    return wire.hears(anyStanzaError)
  }),
  'modules.offline.bytes_max': simulated({ modules: { offline: { bytes_max: '1 KiB' } } }, async (ground) => {
    await ground.account('juliet')
    const wire = await ground.bound()
    wire.says(message('juliet@localhost', 'x'.repeat(600)))
    await ground.passes(100)
    ground.still()
    wire.says(message('juliet@localhost', 'x'.repeat(600)))
    return wire.hears(anyStanzaError)
  }),
  'modules.offline.hand_over_timeout': simulated(
    { modules: { offline: { hand_over_timeout: '5 s' } } },
    async (ground) => {
      await ground.account('juliet')
      const romeo = await ground.bound()
      for (let i = 0; i < 50; i++) romeo.says(message('juliet@localhost', 'x'.repeat(10_000), String(i)))
      await ground.passes(1_000)
      const { network } = ground.symbolic.simulation
      const { everywhere } = network
      network.everywhere = { ...everywhere, bytesPerSecond: 0, windowBytes: 4_096, chop: false }
      const wire = await ground.bound('juliet')
      wire.transport.pause()
      wire.says('<presence/>')
      await ground.passes(4_000)
      ground.still()
      await ground.passes(1_500)
      wire.transport.resume()
      return wire.hears(anyStreamError)
    },
  ),
  'modules.ping.ask_after': simulated({ modules: { ping: { ask_after: '10 seconds' } } }, async (ground) => {
    await ground.account('juliet')
    const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
    romeo.says(message('juliet@localhost/here', 'are you there?'))
    await ground.passes(9_000)
    ground.still()
    return juliet.hears(/<ping [^>]*\/>/)
  }),
  'modules.ping.answer_timeout': simulated(
    { modules: { ping: { ask_after: '10 seconds', answer_timeout: '10 seconds' } } },
    async (ground) => {
      await ground.account('juliet')
      const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
      await ground.passes(10_000)
      romeo.says(message('juliet@localhost/here', 'are you there?'))
      await juliet.hears(/<ping [^>]*\/>/)
      await ground.passes(9_000)
      ground.still()
      return juliet.hears(anyStreamError)
    },
  ),
  'modules.presence.directed_max': simulated({ modules: { presence: { directed_max: 1 } } }, async (ground) => {
    const wire = await ground.bound()
    wire.says(`<presence to='a@localhost'/>`.repeat(2))
    await ground.passes(100)
    ground.still()
    wire.says(`<presence to='b@localhost'/>`)
    return wire.hears(anyStanzaError)
  }),
  'modules.presence.size_max': simulated({ modules: { presence: { size_max: '1 KiB' } } }, async (ground) => {
    const wire = await ground.bound()
    wire.says(`<presence><status>${'x'.repeat(900)}</status></presence>`)
    await wire.hears(/<\/presence>/)
    ground.still()
    wire.says(`<presence><status>${'x'.repeat(1_024)}</status></presence>`)
    return wire.hears(anyStanzaError)
  }),
  'modules.privacy.items_max': simulated(
    { modules: { privacy: { items_max: 1 } } },
    asks(block('a@localhost'), block('b@localhost')),
  ),
  'modules.privacy.lists_max': simulated({ modules: { privacy: { lists_max: 1 } } }, asks(list('one'), list('two'))),
  'modules.privacy.bytes_max': simulated(
    { modules: { privacy: { bytes_max: '100 B' } } },
    asks(list('one'), list('x'.repeat(100))),
  ),
  'modules.privacy.cache_accounts': simulated({ modules: { privacy: { cache_accounts: 1 } } }, async (ground) => {
    for (const name of ['juliet', 'mallory']) await ground.account(name)
    const wire = await ground.bound()
    const writes = async (to: string) => {
      wire.says(message(to, 'hello'))
      await ground.passes(100)
    }
    await writes('juliet@localhost')
    ground.still()
    await writes('mallory@localhost')
    await writes('juliet@localhost')
    if (ground.counter('ratatosk_offline_kept_total') !== 3) throw new Error('a message was lost')
    return ''
  }),
  'modules.register.sign_ups_per_address': simulated(
    { modules: { register: { sign_up: 'open', sign_ups_per_address: 1 } } },
    async (ground) => signsUpTwice(ground, 'romeo', 'romeo'),
  ),
  'modules.register.sign_ups_max': simulated(
    { modules: { register: { sign_up: 'open', sign_ups_max: 1 } } },
    async (ground) => signsUpTwice(ground, 'romeo', 'juliet'),
  ),
  'modules.register.password_changes_max': simulated(
    { modules: { register: { password_changes_max: 1 } } },
    async (ground) => {
      const wire = await ground.bound()
      wire.says(filledIn('romeo', 'one'))
      await wire.hears(/<iq [^>]*type='result'[^>]*>/)
      ground.still()
      wire.says(filledIn('romeo', 'two'))
      return wire.hears(anyStanzaError)
    },
  ),
  'modules.private.bytes_max': simulated(
    { modules: { private: { bytes_max: '1 KiB' } } },
    sets(`<e xmlns='urn:a'>${'x'.repeat(500)}</e>`, `<e xmlns='urn:b'>${'x'.repeat(500)}</e>`, keep),
  ),
  'modules.private.namespace_max': simulated(
    { modules: { private: { namespace_max: '5 B' } } },
    sets(`<e xmlns='urn:a'>x</e>`, `<e xmlns='urn:ab'>x</e>`, keep),
  ),
  'modules.roster.items_max': simulated(
    { modules: { roster: { items_max: 1 } } },
    sets(`<item jid='a@localhost'/>`, `<item jid='b@localhost'/>`),
  ),
  'modules.roster.requests_max': simulated({ modules: { roster: { requests_max: 1 } } }, async (ground) => {
    for (const name of ['juliet', 'mallory', 'rosaline']) await ground.account(name)
    const [one, other] = [await ground.bound('romeo'), await ground.bound('mallory')]
    one.says(subscribe('juliet@localhost'))
    await ground.passes(100)
    ground.still()
    other.says(subscribe('juliet@localhost'))
    await ground.passes(100)
    other.says(`<iq type='get' id='after' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`)
    return other.hears(/<iq [^>]*id='after'[^>]*>/)
  }),
  'modules.roster.name_max': simulated(
    { modules: { roster: { name_max: 5 } } },
    sets(
      `<item jid='a@localhost' name='Romeo'><group>House</group></item>`,
      `<item jid='a@localhost' name='Romeo'><group>Houses</group></item>`,
    ),
  ),
  'modules.roster.groups_max': simulated(
    { modules: { roster: { groups_max: 1 } } },
    sets(
      `<item jid='a@localhost'><group>one</group></item>`,
      `<item jid='a@localhost'><group>one</group><group>two</group></item>`,
    ),
  ),
  'modules.roster.request_size': simulated({ modules: { roster: { request_size: '200 B' } } }, async (ground) => {
    for (const name of ['juliet', 'mallory']) await ground.account(name)
    const wire = await ground.bound()
    wire.says(subscribe('juliet@localhost', '<status>hello</status>'))
    await ground.passes(100)
    ground.still()
    wire.says(subscribe('mallory@localhost', `<x xmlns='urn:x'>${'x'.repeat(200)}</x>`))
    await ground.passes(100)
    const mallory = await ground.bound('mallory')
    mallory.says('<presence/>')
    return mallory.hears(/<presence [^>]*type='subscribe'[^>]*><delay [^>]*\/><\/presence>/)
  }),
  'modules.sm.resume_timeout': simulated({ modules: { sm: { resume_timeout: '10 seconds' } } }, async (ground) => {
    const juliet = await counted(ground)
    juliet.closes()
    await ground.passes(9_000)
    ground.still()
    await ground.passes(2_000)
    return ''
  }),
  'modules.sm.queue_stanzas': simulated(
    { modules: { sm: { queue_stanzas: 10 } } },
    acknowledgesNothing(message('juliet@localhost/here', 'x').repeat(10), message('juliet@localhost/here', 'y')),
  ),
  'modules.sm.queue_bytes': simulated(
    { modules: { sm: { queue_bytes: '64 KiB' } } },
    acknowledgesNothing(
      message('juliet@localhost/here', 'x'.repeat(1_000)).repeat(50),
      message('juliet@localhost/here', 'x'.repeat(1_000)).repeat(20),
    ),
  ),
  'modules.sm.ack_timeout': simulated({ modules: { sm: { ack_timeout: '5 seconds' } } }, async (ground) => {
    const juliet = await counted(ground)
    const romeo = await ground.bound()
    romeo.says(message('juliet@localhost/here', 'x'))
    await juliet.hears(/<r [^>]*>/)
    await ground.passes(4_000)
    ground.still()
    await ground.passes(2_500)
    await juliet.isClosed()
    return ''
  }),
  'modules.roster.cache_accounts': simulated({ modules: { roster: { cache_accounts: 1 } } }, async (ground) => {
    await ground.account('juliet')
    const asks = async (user: string) => {
      const wire = await ground.bound(user)
      wire.says(`<iq type='get' id='roster'><query xmlns='${NS_ROSTER}'/></iq>`)
      return wire.hears(/<iq [^>]*id='roster'[^>]*>/)
    }
    await asks('romeo')
    ground.still()
    await asks('juliet')
    if (ground.counter('ratatosk_roster_cached') !== 1) throw new Error('the cache is larger than its limit')
    return asks('romeo')
  }),
  'modules.vcard.bytes_max': simulated(
    { modules: { vcard: { bytes_max: '1 KiB' } } },
    sets('x'.repeat(900), 'x'.repeat(1_024), card),
  ),
}
