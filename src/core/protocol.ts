/** Protocols that modules bring for listeners (requirements LST-13): what is spoken there need not be XMPP. */
import type { Endpoint } from '../world/net.types.ts'
import type { OptionSchema } from './config/option.ts'

/** What a configuration may say of a listener with the protocol. STARTTLS is the affair of ours. */
export interface ProtocolDeclaration {
  /** In the order of preference: the first is the default. */
  readonly tls: readonly ('direct' | 'none')[]
  /** Usual ports by kind of TLS; without one a listener must say its own. */
  readonly ports: { readonly direct?: number; readonly none?: number }
  /** Options of listeners beyond those of all. */
  readonly options: OptionSchema
}

/** A connection that was let in: access, limits and TLS are done with. */
export interface ProtocolConnection {
  /** Name of the listener. */
  readonly listener: string
  /** What the listener says beyond the options of all, as the protocol declares it. */
  readonly options: Readonly<Record<string, unknown>>
  /** The client, as the PROXY header says where there is one. */
  readonly client: Endpoint
  readonly isSecure: boolean
  /** Bytes written that the system has not taken yet: whoever writes more without a look at it has no limit. */
  readonly queuedBytes: number
  /** Copies the bytes; they leave at the end of the turn. Ignored after `close`. */
  write(bytes: Uint8Array): void
  /** Stops reading, so that back-pressure reaches the client. */
  pause(): void
  resume(): void
  /** Sends what is queued, then ends the connection. */
  close(): void
  destroy(): void
}

/** Throws cost the connection, which is destroyed, and a line in the log. */
export interface ProtocolHandler {
  /** Bytes arrived; they are valid only during the call. */
  data(bytes: Uint8Array): void
  /** All that was written has been taken. */
  drained?(): void
  /** The client sends no more; left out: the connection is closed. */
  ended?(): void
  /** The last call, exactly once, whoever closed. */
  closed?(): void
}

export type ProtocolAccept = (connection: ProtocolConnection) => ProtocolHandler

interface Entry {
  readonly module: string
  readonly accept: ProtocolAccept
}

/** Who speaks which protocol. A module is set up once a host type: the first that is there serves the listeners. */
export class ProtocolTable {
  readonly #entries = new Map<string, readonly Entry[]>()

  /** Returns the removal. */
  add(name: string, module: string, accept: ProtocolAccept): () => void {
    const entry: Entry = { module, accept }
    this.#entries.set(name, [...(this.#entries.get(name) ?? []), entry])
    return () => {
      const rest = (this.#entries.get(name) ?? []).filter((other) => other !== entry)
      if (rest.length === 0) this.#entries.delete(name)
      else this.#entries.set(name, rest)
    }
  }

  find(name: string): Entry | undefined {
    return this.#entries.get(name)?.[0]
  }
}
