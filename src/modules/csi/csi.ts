/**
 * XEP-0352: Client State Indication, version 1.0.0. A client whose user does not look at it says so, and what he need not
 * have now (urgency.ts) waits until he looks again, or until something comes that cannot wait: then all that waits goes first,
 * so that nothing overtakes anything.
 */
import { opt } from '../../core/config/opt.ts'
import { defineModule } from '../../core/module.ts'
import type { Session } from '../../core/session.ts'
import { StreamError } from '../../stanza/error.ts'
import { x } from '../../xml/build.ts'
import { InactiveGate } from './gate.ts'
import { Waiting, waitingCodec } from './waiting.ts'

export const NS_CSI = 'urn:xmpp:csi:0'

const errorEarly = new StreamError('RTK_CSI_EARLY', 'unsupported-stanza-type', 'there is no session yet')

const feature = x('csi', NS_CSI)

export default defineModule({
  name: 'csi',
  xeps: [{ xep: 352, version: '1.0.0', status: 'complete' }],
  options: {
    held_bytes: opt.bytes({
      default: '64 KiB',
      description:
        'Bytes of stanzas that wait for one inactive client (XEP-0352); with one more all of them are sent. With 0 nothing waits.',
      reload: 'hot',
    }),
  },
  setup(ctx) {
    const { options, clock } = ctx
    const slot = ctx.slot('waiting', () => new Waiting(), { kept: waitingCodec })
    const needs = {
      options,
      clock,
      held: ctx.counter('held', 'Stanzas that waited because their client had said that it is inactive (XEP-0352)'),
      replaced: ctx.counter(
        'replaced',
        'Stanzas that waited for an inactive client and were replaced by a later one of the same sender',
      ),
      full: ctx.counter(
        'full',
        'Times all that waited for an inactive client was sent because it was too much; limit modules.csi.held_bytes',
      ),
    }

    function deactivate(session: Session): void {
      if (session.gate !== undefined) return
      const waiting = new Waiting()
      session.slots.set(slot, waiting)
      session.gate = new InactiveGate(session, waiting, needs)
    }

    // Nobody else is told (§6), and a stream begins active (§4.2, §5.2): `Session.attach` lifts the gate.
    function activate(session: Session): void {
      if (!(session.gate instanceof InactiveGate)) return
      session.ungate()
      session.slots.set(slot, undefined)
    }

    ctx.on('stream:features', (features) => [...features, feature])

    // §5.1: at its place in the stream, so that what waits has gone before a later request is answered.
    for (const [name, apply] of [
      ['active', activate],
      ['inactive', deactivate],
    ] as const) {
      ctx.streams.element({ name, ns: NS_CSI }, (_el, stream) => {
        // It may have moved.
        const session = stream.session === undefined ? undefined : ctx.sessions.find(stream.session.jid)
        if (session === undefined || session.id !== stream.session?.id) stream.close(errorEarly)
        else apply(session)
      })
    }

    // XEP-0386 §3.2: the session begins as its client says; active, when it says both.
    ctx.on('bind2:features', (names) => [...names, NS_CSI])
    ctx.on('bind2:bound', (children, { session, bind }) => {
      if (bind.hasChild('inactive', NS_CSI) && !bind.hasChild('active', NS_CSI)) deactivate(session)
      return children
    })

    ctx.on('session:adopted', (session) => {
      const waiting = session.slots.peek(slot)
      if (waiting === undefined) return
      if (waiting.isLifted) session.slots.set(slot, undefined)
      else session.gate = new InactiveGate(session, waiting, needs)
    })

    ctx.onStop(() => {
      for (const { domain } of ctx.hosts()) ctx.sessions.each(domain, activate)
    })
  },
})
