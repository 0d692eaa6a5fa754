/** Passes the limits of those who have signed in: of the core, of sessions, of modules. */
import type { StanzaKind } from '../stanza/stanza.ts'
import { anyStanzaError, anyStreamError, type Ground, message, simulated } from './limits.testing.ts'

const NS_ROSTER = 'jabber:iq:roster'
const nobody = 'nobody@localhost'

const list = (name: string) =>
  `<query xmlns='jabber:iq:privacy'><list name='${name}'><item action='allow' order='1'/></list></query>`
const block = (jid: string) => `<block xmlns='urn:xmpp:blocking'><item jid='${jid}'/></block>`
const set = (item: string, id = 'set') => `<iq type='set' id='${id}'><query xmlns='${NS_ROSTER}'>${item}</query></iq>`
const subscribe = (to: string, more = '') => `<presence type='subscribe' to='${to}'>${more}</presence>`

/** A handler that stands in the way of every stanza of this kind until it is released; undefined: never. */
function obstacle({ symbolic }: Ground, kind: StanzaKind, released: Promise<undefined>): void {
  const { hooks } = symbolic.server.core.hostType('default')
  hooks.on('stanza:sent', 'obstacle', () => released, { kinds: [kind] })
}

/** Sets of which the first is taken, and the second is one too much. */
const sets = (good: string, bad: string) => async (ground: Ground) => {
  const wire = await ground.bound()
  wire.says(set(good))
  await wire.hears(/<iq [^>]*type='result'[^>]*>/)
  ground.still()
  wire.says(set(bad))
  return wire.hears(anyStanzaError)
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
  'limits.session_queue_bytes': simulated({ limits: { session_queue_bytes: '64 KiB' } }, async (ground) => {
    await ground.account('juliet')
    const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
    const { network } = ground.symbolic.simulation
    network.everywhere = { ...network.everywhere, windowBytes: 4_096 }
    juliet.transport.pause()
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
    return mallory.hears(/<presence [^>]*type='subscribe'[^>]*\/>/)
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
}
