/** First-level elements of a client's stream that are no stanzas: whoever registered for one answers it. */
import type { Jid } from '../jid/jid.ts'
import type { StreamError } from '../stanza/error.ts'
import type { Element } from '../xml/element.types.ts'
import type { Octets } from '../xml/octets.ts'
import type { Host } from './host.ts'
import type { PayloadName } from './iq.ts'
import type { Session } from './session.ts'

/** What takes a session over is told with one of these, before anything else comes over the stream. */
export interface TakeOver {
  /** The session goes on over this stream now; what was received from its client is settled. */
  taken(session: Session): Element
  /** It has ended, or another stream has it. */
  failed(): Element
}

/** A client's stream, as far as such an element may use it. */
export interface ClientStream {
  /** Before sign-in, before a resource is bound, or with a session. */
  readonly stage: 'features' | 'bind' | 'established'
  /** The host it is for. */
  readonly to: Host
  /** Bare JID of who signed in. */
  readonly account: Jid | undefined
  readonly session: Session | undefined
  send(el: Element): void
  /** An element as bytes. */
  write(bytes: Octets): void
  /** Ends the stream. */
  close(error: StreamError): void
  /**
   * Lets a session of the account go on over this stream, instead of binding one; only in the stage `bind`, and the session
   * must have a ledger. The client is not read until that is decided.
   */
  takeOver(session: Session, answers: TakeOver): void
}

export type StreamElementHandler = (el: Element, stream: ClientStream) => void

export class StreamElements {
  readonly #handlers = new Map<string, { readonly module: string; readonly handler: StreamElementHandler }>()

  /** Returns the removal. Throws when another module has the element. */
  add({ name, ns }: PayloadName, module: string, handler: StreamElementHandler): () => void {
    const key = `${name} ${ns}`
    const known = this.#handlers.get(key)
    if (known !== undefined) throw new Error(`<${name}/> (${ns}) is ${known.module}'s, so ${module} cannot have it`)
    const entry = { module, handler }
    this.#handlers.set(key, entry)
    return () => {
      if (this.#handlers.get(key) === entry) this.#handlers.delete(key)
    }
  }

  find({ name, ns }: PayloadName): StreamElementHandler | undefined {
    return this.#handlers.get(`${name} ${ns}`)?.handler
  }
}
