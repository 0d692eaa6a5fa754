/**
 * XEP-0160: Best Practices for Handling Offline Messages, version 1.0.1: what no resource may take waits in the store
 * and is handed to the next one that becomes available, in order, before anything newer.
 */
import { opt } from '../../core/config/opt.ts'
import type { Host } from '../../core/host.ts'
import { defineModule } from '../../core/module.ts'
import { refuse, type Verdict, verdictKept } from '../../core/packet.ts'
import type { Session } from '../../core/session.ts'
import { parseJid } from '../../jid/jid.ts'
import { withDelay } from '../../stanza/delay.ts'
import { StanzaError } from '../../stanza/error.ts'
import { stanzaBytes } from '../../stanza/keep.ts'
import { NS_CLIENT } from '../../stanza/ns.ts'
import { messageType } from '../../stanza/stanza.ts'
import type { Element } from '../../xml/element.types.ts'
import { decode, encode } from '../../xml/octets.ts'
import { parseOctets } from '../../xml/parse.ts'
import { offlineStore } from './offline.store.ts'

const NS_CHAT_STATES = 'http://jabber.org/protocol/chatstates'

/** Messages read from the store at once while they are handed over. */
const pageSize = 100

// §2 rule 3
const errorFull = new StanzaError('RTK_OFFLINE_MESSAGES_MAX', 'service-unavailable', { text: 'the mailbox is full' })

/** Per account: messages on their way into the store, and the hand-over under way. */
interface Mailbox {
  adding: number
  added: number
  idle: (() => void)[]
  flush: Promise<void> | undefined
}

export default defineModule({
  name: 'offline',
  xeps: [
    { xep: 160, version: '1.0.1', status: 'complete' },
    { xep: 203, version: '2.0', status: 'complete' },
  ],
  options: {
    messages_max: opt.int({
      default: 1000,
      min: 1,
      description: 'Messages that wait for one account; one more is refused with service-unavailable.',
      reload: 'hot',
    }),
  },
  async setup(ctx) {
    const { clock, options } = ctx
    const store = await ctx.store(offlineStore)
    const mailboxes = new Map<string, Mailbox>()
    const kept = ctx.counter('kept', 'Messages put into the offline store')
    const full = ctx.counter('messages_max', 'Messages refused because the mailbox was full')
    const handed = ctx.counter('handed', 'Offline messages handed to a client')

    ctx.features.add('msgoffline')

    function mailbox(host: Host, local: string): Mailbox {
      const key = `${host.domain}\0${local}`
      let found = mailboxes.get(key)
      if (found === undefined) {
        found = { adding: 0, added: 0, idle: [], flush: undefined }
        mailboxes.set(key, found)
      }
      return found
    }

    /** Nothing is remembered of an account that has nothing under way. */
    function tidy(host: Host, local: string, box: Mailbox): void {
      if (box.adding === 0 && box.flush === undefined) mailboxes.delete(`${host.domain}\0${local}`)
    }

    async function add(el: Element, host: Host, local: string): Promise<Verdict> {
      const box = mailbox(host, local)
      box.adding++
      box.added++
      try {
        const stanza = stanzaBytes(el)
        const result = await store.add({
          host: host.domain,
          local,
          received: clock.wallMs(),
          stanza,
          max: options.messages_max,
        })
        if (result.outcome === 'kept') {
          kept.value++
          return verdictKept
        }
        full.value++
        return refuse(errorFull)
      } finally {
        box.adding--
        if (box.adding === 0) for (const tell of box.idle.splice(0)) tell()
        tidy(host, local, box)
      }
    }

    ctx.on('message:undelivered', (packet, host) => {
      if (!isKept(packet.el)) return { kind: 'drop', reason: 'RTK_OFFLINE_NOT_KEPT' }
      const addressed = packet.el.withAttrs({ from: packet.from.toString(), to: packet.to.toString() })
      return add(addressed, host, packet.to.local)
    })

    /** Hands over page after page until nothing is left and nothing is on its way in. */
    async function flush(session: Session, box: Mailbox): Promise<void> {
      const { host } = session
      const account = { host: host.domain, local: session.jid.local }
      for (;;) {
        const added = box.added
        const rows = await store.page({ ...account, after: 0, limit: pageSize })
        let last = 0
        for (const row of rows) {
          if (!handOver(session, parseOctets(row.stanza), new Date(row.received))) break
          handed.value++
          last = row.seq
        }
        if (last > 0) await store.removeUpTo({ ...account, seq: last })
        if (!session.isActive) return
        if (rows.length > 0) continue
        if (box.adding > 0) await new Promise<void>((resolve) => box.idle.push(resolve))
        else if (box.added === added) return
      }
    }

    function handOver(session: Session, el: Element, since: Date): boolean {
      const from = parseJid(el.attr('from') ?? '')
      const to = parseJid(el.attr('to') ?? '')
      if (from === undefined || to === undefined) return true
      return session.deliverFrom(withDelay(el, session.host.jid, since, 'Offline Storage'), from, to)
    }

    ctx.on('presence:ready', async (session) => {
      const { host } = session
      const { local } = session.jid
      const box = mailbox(host, local)
      // One hand-over at a time: two resources that come at once must not both get a message.
      const before = box.flush
      const mine = (async () => {
        await before?.catch(() => undefined)
        await flush(session, box)
      })()
      box.flush = mine
      try {
        await mine
      } finally {
        if (box.flush === mine) box.flush = undefined
        tidy(host, local, box)
      }
    })

    ctx.on('account:export', async (data, { host, local }) => {
      const rows: { received: number; stanza: string }[] = []
      let after = 0
      for (;;) {
        const page = await store.page({ host: host.domain, local, after, limit: pageSize })
        for (const row of page) rows.push({ received: row.received, stanza: decode(row.stanza) })
        const last = page.at(-1)
        if (last === undefined) break
        after = last.seq
      }
      return [...data, { store: 'offline', rows }]
    })

    ctx.on('account:import', async ({ host, local, data }) => {
      const rows = data.filter((part) => part.store === 'offline').flatMap((part) => part.rows)
      if (rows.length === 0) return
      await store.importMessages(
        { host: host.domain, local },
        rows.map((row) => ({ received: Number(row['received'] ?? 0), stanza: encode(String(row['stanza'] ?? '')) })),
      )
    })

    ctx.on('account:delete', async ({ host, local }) => {
      await store.deleteAccount({ host: host.domain, local })
    })
  },
})

/** §3: normal and chat messages, but not those that say nothing but a chat state. */
function isKept(el: Element): boolean {
  const type = messageType(el)
  if (type !== 'normal' && type !== 'chat') return false
  const names = el.childNames
  return names.length > 0 && names.some((child) => child.ns !== NS_CHAT_STATES && !isThread(child.name, child.ns))
}

function isThread(name: string, ns: string): boolean {
  return name === 'thread' && ns === NS_CLIENT
}
