/** XEP-0199: XMPP Ping, version 2.0.1. The server and the accounts it speaks for answer pings. */
import { defineModule } from '../../core/module.ts'

export const NS = 'urn:xmpp:ping'

export default defineModule({
  name: 'ping',
  xeps: [{ xep: 199, version: '2.0.1', status: 'complete' }],
  setup({ features, iq }) {
    features.add(NS, ['host', 'account'])
    // §4.2 and §4.4: a server answers for itself and for the accounts it hosts with an empty result.
    iq.get({ name: 'ping', ns: NS }, () => undefined, { on: ['host', 'account'] })
  },
})
