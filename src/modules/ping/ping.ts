/**
 * XEP-0199: XMPP Ping, version 2.0.1. The server and the accounts it speaks for answer pings; clients that say nothing are
 * asked (attendance.ts).
 */
import { opt } from '../../core/config/opt.ts'
import { defineModule } from '../../core/module.ts'
import { Attendance, NS } from './attendance.ts'

export { NS }

export default defineModule({
  name: 'ping',
  xeps: [{ xep: 199, version: '2.0.1', status: 'complete' }],
  options: {
    ask_after: opt.duration({
      default: '5 minutes',
      min: '5 seconds',
      max: '1 day',
      unlimited: true,
      description:
        'A client that is sent something, and says nothing for so long, is asked whether it is there. One with stream management is asked by that: for stanzas sooner, for anything else after so long too.',
      reload: 'hot',
    }),
    answer_timeout: opt.duration({
      default: '1 minute',
      min: '5 seconds',
      max: '1 hour',
      description: 'One that neither answers in this time nor says anything else is taken to be gone.',
      reload: 'hot',
    }),
  },
  setup(ctx) {
    const { features, iq, options } = ctx
    features.add(NS, ['host', 'account'])
    // §4.2 and §4.4: a server answers for itself and for the accounts it hosts with an empty result.
    iq.get({ name: 'ping', ns: NS }, () => undefined, { on: ['host', 'account'] })

    // §4.1
    const attendance = new Attendance(ctx, options, {
      asked: ctx.counter(
        'asked',
        'Times a client that said nothing was asked whether it is there; limit modules.ping.ask_after',
      ),
      unanswered: ctx.counter(
        'unanswered',
        'Clients taken to be gone because they did not answer when asked; limit modules.ping.answer_timeout',
      ),
    })
    ctx.on('session:bound', () => attendance.arm())
    ctx.on('session:ended', () => attendance.ended())
    attendance.arm()
  },
})
