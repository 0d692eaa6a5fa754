/** @xmpp/client (npm), on Node's TLS. It knows SCRAM-SHA-1 and PLAIN. */
import { allScenes } from './scenes.ts'

allScenes('xmpp-js', /^SCRAM-SHA-1$/, /SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER/)
