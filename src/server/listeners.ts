/** Opens the configured listeners with their protocols. */
import type { Config, ListenerConfig } from '../core/config/index.ts'
import { Acceptor, type AcceptorNeeds, type Protocol } from '../listeners/acceptor.ts'
import { WorldError } from '../world/error.ts'
import type { Place } from '../world/net.types.ts'

export interface OpenListener {
  readonly name: string
  readonly protocol: string
  readonly tls: ListenerConfig['tls']
  /** The real place: the port chosen when 0 was asked for. */
  readonly place: Place
}

export class Listeners {
  readonly #needs: AcceptorNeeds
  readonly #protocols: ReadonlyMap<string, Protocol>
  #open: Acceptor[] = []

  constructor(protocols: readonly Protocol[], needs: AcceptorNeeds) {
    this.#protocols = new Map(protocols.map((protocol) => [protocol.name, protocol]))
    this.#needs = needs
  }

  get list(): readonly OpenListener[] {
    return this.#open.map(({ config, place }) => ({
      name: config.name,
      protocol: config.protocol,
      tls: config.tls,
      place,
    }))
  }

  /** Opens all, or none: what was opened before a failure is closed again. Rejects with `WorldError` RTK_NET_…. */
  async open(config: Config): Promise<void> {
    try {
      for (const listener of config.listeners) await this.#openOne(listener)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async #openOne(listener: ListenerConfig): Promise<void> {
    const protocol = this.#protocols.get(listener.protocol)
    if (protocol === undefined) {
      const text = `nothing here speaks the protocol ${listener.protocol}`
      throw new WorldError('RTK_LISTENER_PROTOCOL', text, { temporary: false })
    }
    const acceptor = new Acceptor(listener, protocol, this.#needs)
    try {
      await acceptor.open()
    } catch (error) {
      const isMissing = error instanceof WorldError && missingAddress.has(error.code)
      if (!isMissing || listener.unavailable === 'fail') throw error
      if (listener.unavailable === 'skip' || listener.place.kind !== 'tcp') return
      await acceptor.open({ ...listener.place, host: '0.0.0.0' })
    }
    this.#open.push(acceptor)
  }

  async close(): Promise<void> {
    const open = this.#open
    this.#open = []
    await Promise.all(open.map((acceptor) => acceptor.close()))
  }
}

/** The machine has no such address: IPv6 is switched off. */
const missingAddress: ReadonlySet<string> = new Set(['RTK_NET_ADDRESS_NOT_AVAILABLE', 'RTK_NET_FAMILY'])
