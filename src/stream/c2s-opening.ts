/** What a client's stream header leads to (RFC 6120 sections 4.7 to 4.9): our header, and features or an error. */
import { type Jid, parseJid, prepDomain } from '../jid/index.ts'
import type { StreamError } from '../stanza/error.ts'
import type { StreamHeader } from '../xml/index.ts'
import { c2sErrors } from './c2s-errors.ts'
import type { C2sDriver, StreamHost } from './c2s-server.types.ts'
import { headerFault, majorVersion } from './header.ts'
import type { OutHeader } from './machine.types.ts'

/** What is known before the header: after sign-in who it was, and on which host. */
export interface Before {
  readonly account: Jid | undefined
  readonly host: StreamHost | undefined
}

export interface Opening {
  readonly ours: OutHeader
  readonly result: { readonly host: StreamHost; readonly from: Jid | undefined } | StreamError
}

/** Our header where the client's told nothing: an error comes before it, or it could not be read. */
export function plainHeader(driver: C2sDriver, id: string): OutHeader {
  return { from: driver.defaultDomain, to: undefined, id, version: '1.0', lang: 'en' }
}

export function readOpening(header: StreamHeader, before: Before, driver: C2sDriver, id: string): Opening {
  const domain = prepDomain(header.attr('to') ?? '')
  const found = domain === undefined || domain === '' ? undefined : driver.host(domain)
  const host = typeof found === 'object' ? found : undefined
  const fromText = header.attr('from')
  const from = fromText === undefined ? undefined : parseJid(fromText)?.bare
  const isModern = majorVersion(header) >= 1
  const ours: OutHeader = {
    // Section 4.9.1.3: a domain of ours even when `to` is none.
    from: host?.domain ?? driver.defaultDomain,
    // Section 4.7.2: exactly when they said who they are.
    to: from?.toString(),
    id,
    // Section 4.7.5: the lower of the two versions, nothing towards 0.9.
    version: isModern ? '1.0' : undefined,
    // Section 4.7.4: the texts of this house are English, whatever they ask for.
    lang: 'en',
  }
  const fault = headerFault(header) ?? identityFault(fromText, from, before.account)
  if (fault !== undefined) return { ours, result: fault }
  if (driver.refusal !== undefined) return { ours, result: driver.refusal }
  if (host === undefined) return { ours, result: found === 'gone' ? c2sErrors.hostGone : c2sErrors.hostUnknown }
  if (!isModern) return { ours, result: c2sErrors.version }
  if (before.host !== undefined && before.host.domain !== host.domain) return { ours, result: c2sErrors.hostChanged }
  return { ours, result: { host, from } }
}

function identityFault(
  text: string | undefined,
  from: Jid | undefined,
  account: Jid | undefined,
): StreamError | undefined {
  if (text === undefined) return undefined
  if (from === undefined) return c2sErrors.fromMalformed
  return account === undefined || from.equals(account) ? undefined : c2sErrors.fromOther
}
