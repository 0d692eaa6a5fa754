/** What a sender is told when something that was needed for his stanza failed, and will work again. */
import { StanzaError } from '../stanza/error.ts'
import { WorldError } from '../world/error.ts'

// RFC 6120 section 8.3.3.18: nothing is wrong with the stanza or with him, so the type is `wait`.
const errorTemporary = new StanzaError('RTK_TEMPORARY_FAILURE', 'resource-constraint', {
  text: 'it cannot be done at the moment',
})

/**
 * The refusal for what a handler threw: its own, `resource-constraint` with type `wait` for a failure of the world that is
 * temporary (a store that is full, silent or away), else `otherwise`.
 */
export function refusalFor(error: unknown, otherwise: StanzaError): StanzaError {
  if (error instanceof StanzaError) return error
  return error instanceof WorldError && error.temporary ? errorTemporary : otherwise
}
