// needs: slixmpp
/**
 * slixmpp (Debian), on Python's TLS. Up to 1.8.4 it binds SCRAM to tls-unique even on TLS 1.3, which no server can offer
 * there, and so comes to PLAIN; where -PLUS is not offered it uses SCRAM.
 */
import { it } from 'node:test'
import { allScenes, scenes } from './scenes.ts'

allScenes('slixmpp', /^(?:PLAIN|SCRAM-SHA-512)$/, /CERTIFICATE_VERIFY_FAILED|certificate/)

it('slixmpp signs in with SCRAM where channels are not bound', () =>
  scenes('slixmpp', 'direct', /^SCRAM-SHA-512$/, 'auth: { mechanisms: [SCRAM-SHA-512, SCRAM-SHA-256, SCRAM-SHA-1] }'))
