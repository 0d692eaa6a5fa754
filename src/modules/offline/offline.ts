/**
 * XEP-0160: Best Practices for Handling Offline Messages, version 1.0.1: what no resource may take waits in the store
 * and is handed to the next one that becomes available, in order, before anything newer.
 */
import { opt } from '../../core/config/opt.ts'
import { defineModule } from '../../core/module.ts'
import { drop, refuse, type Verdict } from '../../core/packet.ts'
import { isDelayedBy, NS_DELAY, withDelay, withoutDelayBy } from '../../stanza/delay.ts'
import { StanzaError } from '../../stanza/error.ts'
import { asksForStore, forbidsStore } from '../../stanza/hints.ts'
import { hasContent } from '../../stanza/instant.ts'
import { messageType } from '../../stanza/stanza.ts'
import type { Element } from '../../xml/element.types.ts'
import { Mailboxes } from './mailboxes.ts'
import { accountData } from './offline.account.ts'
import { offlineStore } from './offline.store.ts'

// RFC 6121 section 8.5.2.2.1: what is not kept is refused.
const errorNoStore = new StanzaError('RTK_OFFLINE_NO_STORE', 'service-unavailable', {
  text: 'nobody is there, and the message may not be kept',
})

export default defineModule({
  name: 'offline',
  xeps: [
    { xep: 160, version: '1.0.1', status: 'complete' },
    { xep: 203, version: '2.0', status: 'complete' },
    { xep: 334, version: '1.0.0', status: 'complete', note: 'no-copy is obeyed by the module carbons' },
  ],
  options: {
    messages_max: opt.int({
      default: 1000,
      min: 1,
      description: 'Messages that wait for one account; one more is refused with service-unavailable.',
      reload: 'hot',
    }),
    bytes_max: opt.bytes({
      default: '16 MiB',
      description: 'Bytes of messages that wait for one account; one more message is refused with service-unavailable.',
      reload: 'hot',
    }),
    hand_over_timeout: opt.duration({
      default: '2 minutes',
      min: '5 seconds',
      description:
        'A client that does not read the next 32 KiB of what waited for its account in this time is cut with policy-violation: meanwhile nothing reaches the other resources.',
      reload: 'hot',
    }),
  },
  async setup(ctx) {
    const { options } = ctx
    const store = await ctx.store(offlineStore)
    const counters = {
      kept: ctx.counter('kept', 'Messages for nobody who was there, put into the store'),
      full: ctx.counter(
        'messages_max',
        'Messages refused because the mailbox had too many; limit modules.offline.messages_max',
      ),
      fullBytes: ctx.counter(
        'bytes_max',
        'Messages refused because the mailbox had too many bytes; limit modules.offline.bytes_max',
      ),
      handed: ctx.counter('handed', 'Messages from the store handed to a client'),
      failed: ctx.counter('store_failures', 'Messages for nobody who was there, refused because the store failed'),
      slow: ctx.counter(
        'hand_over_timeout',
        'Clients cut because they did not take their messages from the store; limit modules.offline.hand_over_timeout',
      ),
    }
    const mailboxes = new Mailboxes(ctx, store, counters, options)
    ctx.gauge(
      'mailboxes_active',
      'Accounts with messages on their way into or out of the store now',
      () => mailboxes.size,
    )
    ctx.underWay(() => mailboxes.size)

    ctx.features.add('msgoffline')

    ctx.on('message:undelivered', (packet, host): Verdict | Promise<Verdict> => {
      if (!isKept(packet.el)) {
        const isMissed = forbidsStore(packet.el) && hasContent(packet.el)
        return isMissed ? refuse(errorNoStore) : drop('RTK_OFFLINE_NOT_KEPT')
      }
      const addressed = packet.el.withAttrs({ from: packet.from.toString(), to: packet.to.toString() })
      return mailboxes.add(packet, addressed, host, packet.to.local)
    })

    ctx.on('presence:ready', (session) => mailboxes.handOver(session))
    ctx.on('hand-over:resumed', ({ session, batch }) => mailboxes.resumes(session, batch))

    // XEP-0203 §5: nobody but this server says that this server held something back.
    ctx.on(
      'stanza:inbound',
      (packet, host): Verdict | undefined => {
        const honest = withoutDelayBy(packet.el, host.jid)
        return honest === packet.el ? undefined : { kind: 'replace', el: honest }
      },
      { kinds: ['message', 'presence'], wants: [{ name: 'delay', ns: NS_DELAY }], foreign: true, phase: 'early' },
    )

    // XEP-0198 §4: since when it was held back, though somebody takes it now. It may have been late before.
    ctx.on('message:late', (el, { host, sentMs }) =>
      isDelayedBy(el, host.jid) ? el : withDelay(el, host.jid, new Date(sentMs)),
    )

    accountData(ctx, store)
  },
})

/**
 * §3: normal and chat messages, but not those that say nothing but a chat state; unless their sender asks otherwise (XEP-0334
 * §4.2 and §4.4). What may be kept in no archive (§4.1) waits here all the same: it is removed when it is handed over.
 */
function isKept(el: Element): boolean {
  const type = messageType(el)
  if ((type !== 'normal' && type !== 'chat') || forbidsStore(el)) return false
  return hasContent(el) || asksForStore(el)
}
