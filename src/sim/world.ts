/** One process of a simulation, with its clock, dice, sockets, disk, hashes and log. */
import { Handshakes } from '../world/handshakes.ts'
import type { World } from '../world/world.types.ts'
import { SimClock, SimTurn } from './clock.ts'
import { type DiskContents, SimDisk } from './disk.ts'
import { SimHashing } from './hashing.ts'
import { SimLog } from './log.ts'
import { SimNet } from './net.ts'
import type { SimNetwork } from './network.ts'
import { SimRandom } from './random.ts'
import type { Life, Scheduler } from './scheduler.ts'
import { SIM_BUFFER_BYTES } from './transport.ts'
import { SimVitals } from './vitals.ts'

export interface SimWorldParts {
  readonly scheduler: Scheduler
  readonly network: SimNetwork
  readonly seed: number
  readonly host: string
  readonly disk: DiskContents
  /** How wrong the wall clock is, in milliseconds. */
  readonly skewMs: number
  /** Which life of the host this is, from 1. */
  readonly incarnation: number
}

export class SimWorld implements World {
  readonly host: string
  readonly clock: SimClock
  readonly random: SimRandom
  readonly net: SimNet
  readonly disk: SimDisk
  readonly hashing: SimHashing
  readonly log: SimLog
  readonly vitals = new SimVitals()
  readonly #network: SimNetwork
  readonly #life: Life = { alive: true }

  constructor(parts: SimWorldParts) {
    const { scheduler, network, host } = parts
    this.host = host
    this.#network = network
    this.clock = new SimClock(scheduler, this.#life, parts.skewMs)
    this.random = new SimRandom(parts.seed)
    const turn = new SimTurn(scheduler, this.#life)
    this.net = new SimNet({
      clock: this.clock,
      turn,
      handshakes: new Handshakes(turn),
      behind: new Set(),
      network,
      life: this.#life,
      host,
      buffer: Buffer.alloc(SIM_BUFFER_BYTES + 64),
    })
    this.disk = new SimDisk(scheduler, this.#life, this.random.fork('disk'), `${host}#${parts.incarnation}`, parts.disk)
    this.hashing = new SimHashing(scheduler, this.#life)
    this.log = new SimLog(() => scheduler.now)
  }

  get alive(): boolean {
    return this.#life.alive
  }

  /**
   * The process ends here and now, without a last word: nothing that it asked for is done any more, and its promises stay
   * open. Its peers get a reset, unless the whole machine goes (`power`): then they learn nothing.
   */
  crash(how: 'process' | 'power' = 'process'): void {
    if (!this.#life.alive) return
    this.#life.alive = false
    for (const end of [...this.#network.endsOf(this.#life)]) end.die(how === 'power')
  }
}
