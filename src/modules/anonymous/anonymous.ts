/**
 * XEP-0175: Best Practices for Use of SASL ANONYMOUS, version 1.2: what those may not do who signed in without an account. Who may
 * sign in so is the option `auth.anonymous`; the class `anonymous` of access rules is theirs alone.
 */
import { defineModule } from '../../core/module.ts'
import { refuse, verdictHanded } from '../../core/packet.ts'
import type { Session } from '../../core/session.ts'
import { StanzaError } from '../../stanza/error.ts'
import { NS_ROSTER } from '../../stanza/ns.ts'
import { iqResult } from '../../stanza/reply.ts'
import { x } from '../../xml/build.ts'

const NS_INFO = 'http://jabber.org/protocol/disco#info'
const NS_ITEMS = 'http://jabber.org/protocol/disco#items'

const noRoster = refuse(
  new StanzaError('RTK_ANONYMOUS_ROSTER', 'service-unavailable', { text: 'there is no roster without an account' }),
)
const noSubscription = refuse(
  new StanzaError('RTK_ANONYMOUS_SUBSCRIPTION', 'not-allowed', { text: 'sign in with an account to subscribe' }),
)

function isAnonymous({ info }: Session): boolean {
  return info.auth === 'ANONYMOUS'
}

export default defineModule({
  name: 'anonymous',
  xeps: [{ xep: 175, version: '1.2', status: 'complete' }],
  setup(ctx) {
    const { sessions } = ctx
    let deletions = 0
    ctx.underWay(() => deletions)

    // §3 rule 3: no relationships that would outlive the session.
    ctx.on('stanza:sent', (_packet, session) => (isAnonymous(session) ? noRoster : undefined), {
      kinds: ['iq'],
      wants: [{ name: 'query', ns: NS_ROSTER }],
      types: ['get', 'set'],
      before: 'roster',
    })
    ctx.on('stanza:sent', (_packet, session) => (isAnonymous(session) ? noSubscription : undefined), {
      kinds: ['presence'],
      types: ['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed'],
      before: ['roster', 'presence'],
    })

    // §5: whoever asks is told what the account is.
    ctx.on(
      'stanza:inbound',
      (packet) => {
        const { to, from, el } = packet
        const [one] = to.resource === '' ? sessions.ofAccount(to.domain, to.local) : []
        if (one === undefined || !isAnonymous(one)) return undefined
        const identity = x('identity', NS_INFO, { category: 'account', type: 'anonymous' })
        const features = [NS_INFO, NS_ITEMS].map((name) => x('feature', NS_INFO, { var: name }))
        ctx.send(iqResult(el, x('query', NS_INFO, identity, ...features)), to, from)
        return verdictHanded
      },
      { kinds: ['iq'], types: ['get'], wants: [{ name: 'query', ns: NS_INFO }] },
    )

    // §3 rule 4: what modules kept of it goes with the session.
    ctx.on('session:ended', ({ session }) => {
      const { host, jid } = session
      if (!isAnonymous(session) || sessions.isOnline(jid.domain, jid.local)) return
      deletions++
      ctx
        .tellAll('account:delete', { host, local: jid.local })
        .catch((error) => ctx.log.error('what was kept of an anonymous session could not be deleted', { error }))
        .finally(() => {
          deletions--
        })
    })
  },
})
