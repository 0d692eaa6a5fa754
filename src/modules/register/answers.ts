/** XEP-0077: what is asked for, and why it is refused. */
import { CommandError } from '../../core/command-error.ts'
import { StanzaError } from '../../stanza/error.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'

export const NS_REGISTER = 'jabber:iq:register'

/** §3.1, Table 1, and §3.3, Table 2. Never with what was sent: there is a password in it. */
export const refusals = {
  address: new StanzaError('RTK_REGISTER_PER_ADDRESS', 'not-acceptable', {
    text: 'too many accounts were made from this address; try again later',
  }),
  busy: new StanzaError('RTK_REGISTER_BUSY', 'unexpected-request', { text: 'an account is being made already' }),
  changes: new StanzaError('RTK_REGISTER_CHANGES', 'resource-constraint', {
    text: 'the password was changed too often; try again later',
  }),
  channel: new StanzaError('RTK_REGISTER_CHANNEL', 'not-authorized', {
    text: 'passwords are changed inside of TLS only',
  }),
  closed: new StanzaError('RTK_REGISTER_CLOSED', 'service-unavailable'),
  conflict: new StanzaError('RTK_REGISTER_CONFLICT', 'conflict', { text: 'this name is taken' }),
  failed: new StanzaError('RTK_REGISTER_FAILED', 'internal-server-error'),
  foreign: new StanzaError('RTK_REGISTER_FOREIGN', 'not-allowed'),
  hidden: new StanzaError('RTK_REGISTER_HIDDEN', 'service-unavailable'),
  host: new StanzaError('RTK_REGISTER_MAX', 'not-acceptable', { text: 'too many accounts were made; try again later' }),
  incomplete: new StanzaError('RTK_REGISTER_INCOMPLETE', 'not-acceptable', {
    text: 'a username and a password are needed',
  }),
  incompleteChange: new StanzaError('RTK_REGISTER_CHANGE', 'bad-request', {
    text: 'a username and a password are needed',
  }),
  name: new StanzaError('RTK_REGISTER_NAME', 'not-acceptable', { text: 'this cannot be a username' }),
  notAllowed: new StanzaError('RTK_REGISTER_NOT_ALLOWED', 'not-allowed'),
  others: new StanzaError('RTK_REGISTER_OTHERS', 'forbidden', { text: 'this is the account of somebody else' }),
  password: new StanzaError('RTK_REGISTER_PASSWORD', 'not-acceptable', { text: 'this cannot be a password' }),
  remove: new StanzaError('RTK_REGISTER_REMOVE', 'bad-request', { text: 'a removal stands alone' }),
  second: new StanzaError('RTK_REGISTER_SECOND', 'not-acceptable', {
    text: 'an account was made on this stream already',
  }),
  unauthorized: new StanzaError('RTK_REGISTER_SIGN_IN', 'unexpected-request', { text: 'sign in first' }),
  unknown: new StanzaError('RTK_REGISTER_UNKNOWN', 'registration-required'),
} as const

/** What the account service says, in the words of the protocol. */
export function refusalOf(error: unknown): StanzaError {
  if (error instanceof StanzaError) return error
  if (!(error instanceof CommandError)) return refusals.failed
  switch (error.code) {
    case 'RTK_ACCOUNT_EXISTS':
      return refusals.conflict
    case 'RTK_ACCOUNT_PASSWORD':
      return refusals.password
    case 'RTK_ACCOUNT_UNKNOWN':
      return refusals.unknown
    case 'RTK_ACCOUNT_BACKEND':
      return refusals.notAllowed
    default:
      return refusals.failed
  }
}

/** §3.1, Example 2. */
export const fields: Element = x(
  'query',
  NS_REGISTER,
  x('instructions', NS_REGISTER, 'Choose a username and a password.'),
  x('username', NS_REGISTER),
  x('password', NS_REGISTER),
)

/** §3.1, Example 3; the password is known to nobody. */
export function registered(local: string): Element {
  return x(
    'query',
    NS_REGISTER,
    x('registered', NS_REGISTER),
    x('instructions', NS_REGISTER, 'Send a new password to change yours.'),
    x('username', NS_REGISTER, local),
    x('password', NS_REGISTER),
  )
}

/** §3.1 and §3.3: what was filled in; undefined when something is missing or empty. */
export function filledIn(query: Element): { readonly username: string; readonly password: string } | undefined {
  const username = query.childText('username', NS_REGISTER) ?? ''
  const password = query.childText('password', NS_REGISTER) ?? ''
  return username === '' || password === '' ? undefined : { username, password }
}

export function isRemoval(query: Element): boolean {
  return query.hasChild('remove', NS_REGISTER)
}
