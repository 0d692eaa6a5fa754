/** Addresses: parsing, preparation, comparison (RFC 7622) and XEP-0106. */
export { JidCache } from './cache.ts'
export { prepDomain, toAscii } from './domain.ts'
export { escapeLocal, unescapeLocal } from './escaping.ts'
export type { JidFault } from './fault.ts'
export { Jid, jid, makeJid, parseJid, parseJidOrFault } from './jid.ts'
export { prepLocal, prepPassword, prepResource, prepUsernameForSasl } from './precis.ts'
