/** Who a client says it is, on the server. */
import { parseJid } from '../../jid/index.ts'

/**
 * Whether an authorization identity is the account that signs in. RFC 6120 section 6.3.8: it is a bare JID; a client that acts
 * for itself should send none, but many send their own. To act for another is not offered.
 */
export function isOwnAuthzid(authzid: string, username: string, domain: string): boolean {
  const jid = parseJid(authzid)
  return jid?.isBare === true && jid.local === username && jid.domain === domain
}
