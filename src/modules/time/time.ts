/** XEP-0202: Entity Time, version 2.0. The server answers with its clock's time in UTC (§3, XEP-0082 profiles). */
import { defineModule } from '../../core/module.ts'
import { x } from '../../xml/build.ts'

export const NS = 'urn:xmpp:time'

export default defineModule({
  name: 'time',
  xeps: [{ xep: 202, version: '2.0', status: 'complete' }],
  setup({ clock, features, iq }) {
    features.add(NS)
    iq.get({ name: 'time', ns: NS }, () =>
      x('time', NS, x('tzo', NS, '+00:00'), x('utc', NS, clock.now().toISOString())),
    )
  },
})
