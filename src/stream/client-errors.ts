/** The stream errors of the client's machine. */
import { StreamError } from '../stanza/error.ts'

export const clientErrors = {
  version: new StreamError('RTK_CLIENT_VERSION', 'unsupported-version'),
  reopened: new StreamError('RTK_CLIENT_REOPENED', 'bad-format'),
  element: new StreamError('RTK_CLIENT_ELEMENT_UNKNOWN', 'unsupported-stanza-type'),
  timeout: new StreamError('RTK_CLIENT_NEGOTIATION_TIMEOUT', 'connection-timeout'),
  bytes: new StreamError('RTK_CLIENT_NEGOTIATION_BYTES', 'policy-violation'),
  elements: new StreamError('RTK_CLIENT_NEGOTIATION_ELEMENTS', 'policy-violation'),
  unsupported: new StreamError('RTK_CLIENT_FEATURE_UNSUPPORTED', 'unsupported-feature'),
} as const
