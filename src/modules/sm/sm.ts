/**
 * XEP-0198: Stream Management, version 1.6.3. The session counts and keeps (core/ledger.ts, core/resumption.ts); this is
 * what client and server say to one another about it.
 */
import type { ClientStream, Resumable } from '../../core/client-stream.ts'
import { opt } from '../../core/config/opt.ts'
import type { LedgerPolicy } from '../../core/ledger.ts'
import { defineModule } from '../../core/module.ts'
import type { AcknowledgementService } from '../../core/services/acknowledgements.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'
import { StreamError } from '../../stanza/error.ts'
import {
  NS_SM,
  readCount,
  readFlag,
  smAnswer,
  smEnabled,
  smFailed,
  smFeature,
  smRequest,
  smResumed,
  smTooHigh,
} from '../../stanza/sm.ts'
import type { Element } from '../../xml/element.types.ts'
import { Ended } from './ended.ts'
import { accountData, keeperOf } from './kept.ts'
import { smStore } from './sm.store.ts'

// §3: a second `<enable/>` ends the stream.
const errorTwice = new StreamError('RTK_SM_ENABLED', 'policy-violation', 'stream management is enabled')
// §4: an `<a/>` has an 'h', which is an xs:unsignedInt.
const errorCount = new StreamError('RTK_SM_COUNT', 'bad-format', 'an acknowledgement has a number')

export default defineModule({
  name: 'sm',
  xeps: [{ xep: 198, version: '1.6.3', status: 'complete' }],
  provides: ['acknowledgements'],
  options: {
    resume_timeout: opt.duration({
      default: '5 minutes',
      min: '0 seconds',
      max: '1 day',
      description:
        'How long a session without a connection waits for its client; a client may ask for less. 0 seconds: not at all.',
      reload: 'hot',
    }),
    queue_stanzas: opt.int({
      default: 5000,
      min: 10,
      max: 1_000_000,
      description: 'Stanzas that a client may leave unacknowledged; then its session ends.',
      reload: 'hot',
    }),
    queue_bytes: opt.bytes({
      default: '4 MiB',
      min: '64 KiB',
      max: '1 GiB',
      description: 'Bytes that a client may leave unacknowledged; then its session ends.',
      reload: 'hot',
    }),
    ack_timeout: opt.duration({
      default: '1 minute',
      min: '2 seconds',
      max: '1 hour',
      description:
        'A client that has been asked what it has, and does not answer in this time, is taken to be gone: its connection is dropped.',
      reload: 'hot',
    }),
    durable: opt.bool({
      default: false,
      description:
        'Keep sessions and what their clients have not acknowledged in the store, so that they outlive the server. Each stanza then waits for a commit.',
      reload: 'restart',
    }),
  },
  async setup(ctx) {
    const { options } = ctx
    const ended = new Ended()
    const store = options.durable ? await ctx.store(smStore) : undefined
    const journal = store === undefined ? undefined : ctx.streams.journal(keeperOf(store, ctx.hosts))
    if (store !== undefined) accountData(ctx, store)
    const policy: LedgerPolicy = {
      journal,
      request: smRequest,
      begun: { name: 'enabled', ns: NS_SM },
      get stanzasMax() {
        return options.queue_stanzas
      },
      get bytesMax() {
        return options.queue_bytes
      },
      get answerMs() {
        return options.ack_timeout
      },
    }

    // §3
    function enable(session: Session, request: Element): Element {
      if (session.ledger !== undefined) return smFailed('unexpected-request')
      const id = ctx.random.id()
      // Who has no account (XEP-0175) never signs in as the same again.
      const mayReturn = readFlag(request.attr('resume')) && session.info.auth !== 'ANONYMOUS'
      const seconds = mayReturn ? resumeSeconds(request, options.resume_timeout) : 0
      session.beginLedger(policy, id, seconds * 1_000)
      return smEnabled(seconds === 0 ? undefined : { id, seconds })
    }

    // §5
    function find(account: Jid, request: Element): Resumable | Element | StreamError {
      const h = readCount(request.attr('h'))
      const previd = request.attr('previd')
      if (h === undefined || previd === undefined) return smFailed('bad-request')
      const live = ctx.sessions
        .ofAccount(account.domain, account.local)
        .find(({ ledger }) => ledger !== undefined && ledger.id === previd && ledger.resumeMs > 0)
      // Of one that has ended the client is told what was handled, once that is known.
      const session = live ?? ended.find(account, previd)
      // What was promised holds over a reload.
      if (session?.ledger === undefined)
        return smFailed(options.resume_timeout === 0 ? 'feature-not-implemented' : 'item-not-found')
      if (live?.ledger?.mayAcknowledge(h) === false) return smTooHigh(h, live.ledger.sent)
      return {
        session,
        answers: {
          taken: ({ ledger }) => {
            ledger?.acknowledge(h)
            return smResumed(previd, ledger?.handled ?? 0)
          },
          failed: () => smFailed('item-not-found', ended.find(account, previd)?.ledger?.handled),
        },
      }
    }

    function resume(stream: ClientStream, request: Element): void {
      const { account } = stream
      // After a resource is bound, too: it is not asked for a second time.
      if (stream.stage !== 'bind' || account === undefined) {
        stream.send(smFailed('unexpected-request'))
        return
      }
      const found = find(account, request)
      if (found instanceof StreamError) stream.close(found)
      else if ('session' in found) stream.takeOver(found.session, found.answers)
      else stream.send(found)
    }

    const service: AcknowledgementService = { policy, enable, find, resume }
    ctx.provide('acknowledgements', service)
    ctx.on('stream:features', (features, { session }) =>
      session?.ledger === undefined ? [...features, smFeature] : features,
    )

    // §9.1
    ctx.on('bind2:features', (names) => [...names, NS_SM])
    ctx.on('bind2:bound', (children, { session, bind }) => {
      const request = bind.child('enable', NS_SM)
      if (request === undefined) return children
      // What it was sent before could not be counted.
      const isFirst = session.delivered === 0
      return [...children, isFirst ? enable(session, request) : smFailed('internal-server-error')]
    })

    // §9.2
    ctx.on('sasl2:features', (features) => [...features, smFeature])
    ctx.on('sasl2:resume', (found, { account, inline }) => {
      const request = inline.find(({ name, ns }) => name === 'resume' && ns === NS_SM)
      return found !== undefined || request === undefined ? found : find(account, request)
    })

    ctx.on('session:ended', ({ session }) => ended.note(session))

    ctx.streams.element({ name: 'enable', ns: NS_SM }, (el, stream) => {
      const { session } = stream
      if (session === undefined) {
        stream.send(smFailed('unexpected-request'))
        return
      }
      const isFirst = session.ledger === undefined
      stream.send(enable(session, el))
      if (!isFirst) stream.close(errorTwice)
    })

    ctx.streams.element({ name: 'resume', ns: NS_SM }, (el, stream) => resume(stream, el))

    // §4
    ctx.streams.element({ name: 'r', ns: NS_SM }, (_el, stream) => {
      const { session } = stream
      const ledger = session?.ledger
      if (session === undefined || ledger === undefined) {
        stream.send(smFailed('unexpected-request'))
        return
      }
      stream.write(smAnswer(ledger.handled))
      if (session.isBusy) answersLater(session, stream, ledger.handled)
    })

    /** What a client was last told while something of his was under way. */
    const told = new WeakMap<Session, number>()
    /**
     * §4: he asked for what is under way too, and is told when that is settled. Some wait for it (aioxmpp with each request), and ask
     * again only when nothing has come for long.
     */
    function answersLater(session: Session, stream: ClientStream, h: number): void {
      const isAwaited = told.has(session)
      told.set(session, h)
      if (isAwaited) return
      session.whenSettled(() => {
        const last = told.get(session)
        told.delete(session)
        const handled = session.ledger?.handled
        if (handled === undefined || handled === last || stream.session !== session || !session.isActive) return
        stream.write(smAnswer(handled))
      })
    }

    ctx.streams.element({ name: 'a', ns: NS_SM }, (el, stream) => {
      const ledger = stream.session?.ledger
      const h = readCount(el.attr('h'))
      if (ledger === undefined) stream.send(smFailed('unexpected-request'))
      else if (h === undefined) stream.close(errorCount)
      else if (!ledger.acknowledge(h)) stream.close(smTooHigh(h, ledger.sent))
    })
  },
})

/** §3: what the client prefers, in seconds, and not more than is allowed. */
function resumeSeconds(request: Element, allowedMs: number): number {
  const allowed = Math.floor(allowedMs / 1_000)
  const wished = readCount(request.attr('max'))
  return wished === undefined || wished === 0 ? allowed : Math.min(wished, allowed)
}
