// needs: aioxmpp
/** aioxmpp (Debian), on OpenSSL by way of Python. It knows SCRAM-SHA-256 and lesser, binds no channels, and PLAIN. */
import { allScenes } from './scenes.ts'

allScenes('aioxmpp', /^SCRAM-SHA-256$/, /certificate verify failed/)
