/** A link that takes everything and sends nothing: rows about what is inside leave the sockets out. */
import type { LinkInfo, SessionLink } from '../../src/core/session-link.ts'

/** `took` is called for each write. */
export function deafLink(took: () => void = () => {}): SessionLink {
  return {
    queuedBytes: 0,
    receivedBytes: 0,
    traffic: { receivedBytes: 0, sentBytes: 0 },
    write: took,
    hold() {},
    release() {},
    askDrained() {},
    close() {},
    cut() {},
    drop() {},
  }
}

export const deafInfo: LinkInfo = {
  address: '127.0.0.1',
  port: 1,
  transport: 'tcp',
  tls: '',
  auth: 'SCRAM-SHA-1',
  listener: 'c2s',
}
