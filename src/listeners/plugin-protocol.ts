/** A protocol of a module behind our listeners: refusals, TLS and faults are dealt with here (requirements LST-13). */
import type { ListenerConfig } from '../core/config/listener-section.ts'
import { FaultLog } from '../core/fault-log.ts'
import type { ProtocolConnection, ProtocolHandler, ProtocolTable } from '../core/protocol.ts'
import type { Clock, Timer } from '../world/clock.types.ts'
import type { Log } from '../world/log.types.ts'
import type { TlsServerContext, Transport, TransportHandler } from '../world/net.types.ts'
import { fromBytes } from '../xml/index.ts'
import type { Accepted, Protocol } from './acceptor.ts'
import { OpenConnections } from './open-connections.ts'

export interface PluginProtocolNeeds {
  readonly clock: Clock
  readonly log: Log
  readonly protocols: ProtocolTable
  tls(listener: ListenerConfig): TlsServerContext
}

export class PluginProtocol implements Protocol {
  readonly name: string
  readonly #needs: PluginProtocolNeeds
  readonly #faults: FaultLog
  readonly #open: OpenConnections<PluginConnection>

  constructor(name: string, needs: PluginProtocolNeeds) {
    this.name = name
    this.#needs = needs
    this.#open = new OpenConnections(needs.clock, (connection) => connection.destroy())
    this.#faults = new FaultLog(needs.clock, needs.log)
  }

  accept(accepted: Accepted): TransportHandler {
    const { transport, listener, refusal, early } = accepted
    const connection: PluginConnection = new PluginConnection(accepted, {
      begin: () => this.#begin(connection),
      fault: (error) => this.#fault(connection, error),
      gone: () => {
        this.#open.delete(connection)
        accepted.left()
      },
    })
    this.#open.add(connection)
    transport.handler = connection
    if (refusal !== undefined) transport.close()
    else if (listener.tls === 'direct') {
      connection.secureIn(this.#needs.clock, listener.limits.sign_in_timeout)
      if (early !== undefined) transport.unread(early)
      transport.startTlsServer(this.#needs.tls(listener))
    } else {
      this.#begin(connection)
      if (early !== undefined) connection.data(early, 0, early.length)
    }
    return connection
  }

  /** Ends the connections. */
  stop(): void {
    for (const connection of this.#open) connection.close()
  }

  /** Resolves when all connections are gone; those that linger longer are dropped. */
  drained(timeoutMs: number): Promise<void> {
    return this.#open.drained(timeoutMs)
  }

  #begin(connection: PluginConnection): void {
    const speaker = this.#needs.protocols.find(this.name)
    if (speaker !== undefined) {
      connection.speak(speaker.accept)
      return
    }
    const text = `no module speaks ${this.name} now`
    this.#faults.write(`protocol ${this.name}`, '', new Error(text), { listener: connection.listener })
    connection.close()
  }

  #fault(connection: PluginConnection, error: unknown): void {
    const module = this.#needs.protocols.find(this.name)?.module ?? ''
    this.#faults.write(`protocol ${this.name}`, module, error, { listener: connection.listener })
    connection.destroy()
  }
}

interface Ends {
  /** TLS is there. */
  begin(): void
  fault(error: unknown): void
  gone(): void
}

class PluginConnection implements ProtocolConnection, TransportHandler {
  readonly listener: string
  readonly options: ProtocolConnection['options']
  readonly client: ProtocolConnection['client']
  readonly #transport: Transport
  readonly #ends: Ends
  #handler: ProtocolHandler | undefined
  #deadline: Timer | undefined

  constructor({ transport, listener, client }: Accepted, ends: Ends) {
    this.listener = listener.name
    this.options = listener.options
    this.client = client
    this.#transport = transport
    this.#ends = ends
  }

  get isSecure(): boolean {
    return this.#transport.tls !== undefined
  }
  get queuedBytes(): number {
    return this.#transport.queuedBytes
  }
  write(bytes: Uint8Array): void {
    this.#transport.write(fromBytes(bytes))
  }
  pause(): void {
    this.#transport.pause()
  }
  resume(): void {
    this.#transport.resume()
  }
  close(): void {
    this.#transport.close()
  }
  destroy(): void {
    this.#transport.destroy()
  }

  /** A handshake that is not done by then (`sign_in_timeout`) ends the connection. */
  secureIn(clock: Clock, timeoutMs: number): void {
    this.#deadline = clock.after(timeoutMs, (transport: Transport) => transport.destroy(), this.#transport)
  }

  speak(accept: (connection: ProtocolConnection) => ProtocolHandler): void {
    try {
      this.#handler = accept(this)
    } catch (error) {
      this.#ends.fault(error)
    }
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    try {
      this.#handler?.data(bytes.subarray(start, end))
    } catch (error) {
      this.#ends.fault(error)
    }
  }
  drained(): void {
    try {
      this.#handler?.drained?.()
    } catch (error) {
      this.#ends.fault(error)
    }
  }
  secured(): void {
    this.#deadline?.cancel()
    this.#ends.begin()
  }
  ended(): void {
    try {
      if (this.#handler?.ended === undefined) this.close()
      else this.#handler.ended()
    } catch (error) {
      this.#ends.fault(error)
    }
  }
  closed(): void {
    this.#deadline?.cancel()
    const handler = this.#handler
    this.#handler = undefined
    try {
      handler?.closed?.()
    } catch (error) {
      this.#ends.fault(error)
    }
    this.#ends.gone()
  }
}
