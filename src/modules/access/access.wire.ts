/** XEP-0494 as elements. */
import { StanzaError } from '../../stanza/error.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import type { KnownClient } from './clients.ts'

export const NS_CAM = 'urn:xmpp:cam:0'

/** §3.1 lets others than its three stand in `<auth/>` under a namespace of their own. */
export const NS_EXTERNAL = 'urn:ratatosk:access:0'

export const refusals = {
  // §5: whoever is not the owner is told as much as of an account that does not exist.
  hidden: new StanzaError('RTK_ACCESS_HIDDEN', 'service-unavailable'),
  incomplete: new StanzaError('RTK_ACCESS_ID', 'bad-request', { text: 'it is not said which client' }),
  unknown: new StanzaError('RTK_ACCESS_UNKNOWN', 'item-not-found', { text: 'there is no such client' }),
  // §3.2, Example 5.
  password: new StanzaError('RTK_ACCESS_PASSWORD', 'service-unavailable', {
    text: 'this client knows the password: change it',
    application: { name: 'password-reset-required', ns: NS_CAM },
  }),
  grant: new StanzaError('RTK_ACCESS_GRANT', 'not-allowed', {
    text: 'this client has its tokens from an issuer, who has to stop that',
  }),
  certificate: new StanzaError('RTK_ACCESS_CERTIFICATE', 'not-allowed', {
    text: 'this client has a certificate, which its authority has to revoke',
  }),
} as const

/** §3.1, Example 2. */
export function clientsElement(clients: readonly KnownClient[]): Element {
  return x('clients', NS_CAM, ...clients.map(clientElement))
}

function clientElement(client: KnownClient): Element {
  const { id, sinceMs, seenMs, sessions, software, device, password, token, certificate, grant } = client
  const auth: Element[] = []
  if (password) auth.push(x('password', NS_CAM))
  if (grant) auth.push(x('grant', NS_CAM))
  if (token) auth.push(x('fast', NS_CAM))
  if (certificate) auth.push(x('certificate', NS_EXTERNAL))
  const agent: Element[] = []
  if (software !== '') agent.push(x('software', NS_CAM, software))
  if (device !== '') agent.push(x('device', NS_CAM, device))
  const children = [
    x('first-seen', NS_CAM, timeText(sinceMs)),
    x('last-seen', NS_CAM, timeText(seenMs)),
    x('auth', NS_CAM, ...auth),
    // Whoever signs in may do all that its account may.
    x('permission', NS_CAM, { status: 'unrestricted' }),
  ]
  if (agent.length > 0) children.push(x('user-agent', NS_CAM, ...agent))
  // All of them have had a session: nobody gets in here by other ways than a stream of XMPP.
  return x('client', NS_CAM, { connected: sessions.length > 0 ? 'true' : 'false', id, type: 'session' }, ...children)
}

/** XEP-0082, without fractions of a second as in the example. */
function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
