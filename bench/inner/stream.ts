/** A stream without a socket. */
import type { Session } from '../../src/core/session.ts'
import { defaultLimits } from '../../src/xml/limits.ts'
import { Scanner } from '../../src/xml/scanner.ts'
import { HEADER } from '../xml/mix.ts'

/** A stream whose stanzas go to the session, as its connection would hand them over. */
export function streamOf(session: Session): Scanner {
  const scanner = new Scanner('stream', defaultLimits, {
    streamOpen: () => undefined,
    stanza: (el) => session.receive(el),
    streamClose: () => undefined,
    fault: ({ code }) => {
      throw new Error(code)
    },
  })
  scanner.write(Buffer.from(HEADER))
  return scanner
}
