/** The configured listeners with their protocols: opened, changed by a reload, restarted alone when one fails. */
import type { Config, ListenerConfig } from '../core/config/index.ts'
import { isSame } from '../core/config/same.ts'
import { Acceptor, type AcceptorNeeds, type Protocol } from '../listeners/acceptor.ts'
import type { Timer } from '../world/clock.types.ts'
import { WorldError } from '../world/error.ts'
import type { Place } from '../world/net.types.ts'
import { placeText } from '../world/net-error.ts'

export interface OpenListener {
  readonly name: string
  readonly protocol: string
  readonly tls: ListenerConfig['tls']
  /** The real place: the port chosen when 0 was asked for. */
  readonly place: Place
}

/** Names with places, as in 'c2s 127.0.0.1:5222'. */
export interface ListenerChanges {
  readonly opened: readonly string[]
  readonly changed: readonly string[]
  readonly closed: readonly string[]
}

/** A listener that failed is opened again after this time, then after twice as long, and so on. */
const restartFirstMs = 1_000
const restartMostMs = 60_000

/** A listener of the new configuration beside what becomes of it. */
interface Step {
  readonly config: ListenerConfig
  readonly protocol: Protocol
  /** The one that listens there now. */
  readonly old: Acceptor | undefined
  /** True: the old socket serves on, with the new configuration. */
  readonly staysOpen: boolean
}

export class Listeners {
  readonly #needs: AcceptorNeeds
  readonly #protocols: ReadonlyMap<string, Protocol>
  #acceptors: readonly Acceptor[] = []
  readonly #restarts = new Map<Acceptor, Timer>()

  constructor(protocols: readonly Protocol[], needs: AcceptorNeeds) {
    this.#protocols = new Map(protocols.map((protocol) => [protocol.name, protocol]))
    this.#needs = needs
  }

  /** Those that listen at this moment. */
  get list(): readonly OpenListener[] {
    return this.#acceptors
      .filter((acceptor) => acceptor.isOpen)
      .map(({ config, place }) => ({ name: config.name, protocol: config.protocol, tls: config.tls, place }))
  }

  speaks(protocol: string): boolean {
    return this.#protocols.has(protocol)
  }

  /** Opens all, or none: what was opened before a failure is closed again. Rejects with `WorldError` RTK_NET_…. */
  async open(config: Pick<Config, 'listeners'>): Promise<void> {
    await this.apply(config)
  }

  /**
   * Makes the listeners those of the configuration: opens what is new, closes what is gone, and gives new options to what
   * stays, whose socket is not closed unless its backlog or mode has changed. Connections live on, with the options that
   * they came under. Rejects with `WorldError` when one cannot be opened; then all is as before.
   */
  async apply({ listeners }: Pick<Config, 'listeners'>): Promise<ListenerChanges> {
    const steps = this.#plan(listeners)
    const leaving = this.#acceptors.filter(
      (acceptor) => !steps.some(({ old, staysOpen }) => staysOpen && old === acceptor),
    )
    const opened = new Map<Step, Acceptor>()
    for (const acceptor of leaving) await this.#stop(acceptor)
    try {
      for (const step of steps) {
        const acceptor = step.staysOpen ? undefined : await this.#openOne(step)
        if (acceptor !== undefined) opened.set(step, acceptor)
      }
    } catch (error) {
      for (const acceptor of opened.values()) await this.#stop(acceptor)
      for (const acceptor of leaving) await this.#reopen(acceptor, 0)
      throw error
    }
    const isGone = (acceptor: Acceptor) => !steps.some(({ old }) => old === acceptor)
    const changes = {
      opened: [...opened].filter(([{ old }]) => old === undefined).map(([, acceptor]) => nameOf(acceptor)),
      changed: steps.filter(({ old, config }) => old !== undefined && !isSame(old.config, config)).map(nameOfStep),
      closed: leaving.filter(isGone).map(nameOf),
    }
    this.#acceptors = steps.flatMap((step) => (step.staysOpen ? step.old : opened.get(step)) ?? [])
    // A restart may have opened one of them meanwhile.
    for (const acceptor of leaving) await this.#stop(acceptor)
    for (const { old, staysOpen, config, protocol } of steps) if (staysOpen) old?.change(config, protocol)
    return changes
  }

  #plan(listeners: readonly ListenerConfig[]): readonly Step[] {
    const open = new Map(this.#acceptors.map((acceptor) => [keyOf(acceptor.config), acceptor]))
    return listeners.map((config) => {
      const old = open.get(keyOf(config))
      const protocol = this.#protocols.get(config.protocol)
      if (protocol === undefined) {
        const text = `nothing here speaks the protocol ${config.protocol}`
        throw new WorldError('RTK_LISTENER_PROTOCOL', text, { temporary: false })
      }
      const staysOpen = old !== undefined && old.config.backlog === config.backlog && old.config.mode === config.mode
      return { config, protocol, old, staysOpen }
    })
  }

  /** Undefined: the machine has no such address, and the listener can do without. */
  async #openOne({ config, protocol, old }: Step): Promise<Acceptor | undefined> {
    const acceptor = new Acceptor(config, protocol, this.#needs, (code) => this.#failed(acceptor, code))
    try {
      await acceptor.open(old?.place)
    } catch (error) {
      const isMissing = error instanceof WorldError && missingAddress.has(error.code)
      if (!isMissing || config.unavailable === 'fail') throw error
      if (config.unavailable === 'skip' || config.place.kind !== 'tcp') return undefined
      await acceptor.open({ ...config.place, host: '0.0.0.0' })
    }
    return acceptor
  }

  #failed(acceptor: Acceptor, code: string): void {
    this.#needs.log.error('a listener failed and is opened again', {
      code: 'RTK_LISTENER_FAILED',
      listener: acceptor.config.name,
      place: placeText(acceptor.place),
      error: code,
    })
    void acceptor.close()
    this.#restartIn(acceptor, 0)
  }

  #restartIn(acceptor: Acceptor, attempt: number): void {
    if (this.#restarts.has(acceptor)) return
    const waitMs = Math.min(restartFirstMs * 2 ** attempt, restartMostMs)
    const restart = () => {
      this.#restarts.delete(acceptor)
      void this.#reopen(acceptor, attempt + 1)
    }
    this.#restarts.set(acceptor, this.#needs.clock.after(waitMs, restart, undefined))
  }

  /** Never rejects: what fails is tried again later. */
  async #reopen(acceptor: Acceptor, attempt: number): Promise<void> {
    const fields = { listener: acceptor.config.name, place: placeText(acceptor.place) }
    try {
      await acceptor.open(acceptor.place)
    } catch (error) {
      if (!this.#acceptors.includes(acceptor)) return
      const code = error instanceof WorldError ? error.code : 'RTK_LISTENER_FAILED'
      this.#needs.log.error('a listener could not be opened again', { code, ...fields, error, attempt })
      this.#restartIn(acceptor, attempt)
      return
    }
    // Removed by a reload while its socket was being opened.
    if (!this.#acceptors.includes(acceptor)) await acceptor.close()
    else if (attempt > 0) this.#needs.log.info('a listener is back', { ...fields, attempt })
  }

  #stop(acceptor: Acceptor): Promise<void> {
    this.#restarts.get(acceptor)?.cancel()
    this.#restarts.delete(acceptor)
    return acceptor.close()
  }

  async close(): Promise<void> {
    const acceptors = this.#acceptors
    this.#acceptors = []
    await Promise.all(acceptors.map((acceptor) => this.#stop(acceptor)))
  }
}

/** What makes two listeners the same one: the place, and the name where the system chooses the port. */
function keyOf({ name, place }: ListenerConfig): string {
  return place.kind === 'tcp' && place.port === 0 ? `${name} ${placeText(place)}` : placeText(place)
}

const nameOf = ({ config, place }: Pick<Acceptor, 'config' | 'place'>) => `${config.name} ${placeText(place)}`
const nameOfStep = ({ config, old }: Step) => nameOf({ config, place: old?.place ?? config.place })

/** The machine has no such address: IPv6 is switched off. */
const missingAddress: ReadonlySet<string> = new Set(['RTK_NET_ADDRESS_NOT_AVAILABLE', 'RTK_NET_FAMILY'])
