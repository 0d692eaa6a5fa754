/**
 * A simulation: hosts on one network in one virtual time, all from one seed. A play is an async function; whatever it
 * awaits, events happen and time passes until it can go on. The same seed gives the same run, event for event.
 */
import { type DiskContents, emptyDisk } from './disk.ts'
import { SimNetwork } from './network.ts'
import { SimRandom } from './random.ts'
import { Scheduler, type SchedulerLimits } from './scheduler.ts'
import { SimWorld } from './world.ts'

const LIMITS: SchedulerLimits = { virtualMs: 24 * 3_600_000, events: 5_000_000 }

interface Host {
  readonly disk: DiskContents
  incarnations: number
  world: SimWorld
}

export class Simulation {
  readonly seed: number
  readonly scheduler: Scheduler
  readonly network: SimNetwork
  /** Dice of the play itself; hosts have their own. */
  readonly random: SimRandom
  readonly #hosts = new Map<string, Host>()
  readonly #life = { alive: true }

  constructor(seed: number, limits: Partial<SchedulerLimits> = {}) {
    this.seed = seed
    this.scheduler = new Scheduler({ ...LIMITS, ...limits })
    this.random = new SimRandom(seed)
    this.network = new SimNetwork(this.scheduler, new SimRandom(seed).fork('network'))
  }

  /** Virtual milliseconds since the beginning. */
  get now(): number {
    return this.scheduler.now
  }

  /**
   * The host's process. The first call starts it; after a crash a call starts a new process on the same disk. Its dice
   * depend on the seed, its name and its incarnation only.
   */
  world(host = 'localhost', options: { readonly skewMs?: number } = {}): SimWorld {
    const known = this.#hosts.get(host)
    if (known?.world.alive === true) return known.world
    const disk = known?.disk ?? emptyDisk()
    const incarnation = (known?.incarnations ?? 0) + 1
    const seed = new SimRandom(this.seed).fork(`${host} ${incarnation}`).next()
    const { scheduler, network } = this
    const world = new SimWorld({ scheduler, network, seed, host, disk, skewMs: options.skewMs ?? 0, incarnation })
    this.#hosts.set(host, { disk, incarnations: incarnation, world })
    return world
  }

  /** Lets events happen until the play has ended; fails when nothing is left to happen and the play still waits. */
  async run<T>(play: Promise<T> | (() => Promise<T>)): Promise<T> {
    let over = false
    // A play that is begun here begins when the simulation is being driven already.
    const playing = typeof play === 'function' ? Promise.resolve().then(play) : play
    const ended = playing.then(
      () => {
        over = true
      },
      () => {
        over = true
      },
    )
    const finished = await this.scheduler.drive(() => over)
    if (!finished) throw new Error('nothing is left to happen, and the play still waits')
    await ended
    return playing
  }

  /** Lets virtual time pass, with all that happens in it. Within a play and without. */
  async advance(ms: number): Promise<void> {
    if (this.scheduler.driving) {
      await new Promise<void>((resolve) => void this.scheduler.after(ms, 'timer', this.#life, resolve, undefined))
    } else await this.scheduler.drive(() => false, this.scheduler.now + ms)
  }

  /** The same for plain tests: events only, promises do not get on. */
  advanceNow(ms: number): void {
    this.scheduler.driveNow(this.scheduler.now + ms)
  }

  /** Until nothing but timers is left: everything written has arrived and was answered. */
  async settle(): Promise<void> {
    if (this.scheduler.driving) await this.scheduler.settled()
    else await this.scheduler.drive(() => this.scheduler.quiet)
  }

  /** Until nothing at all is left, timers included. Only without periodic timers. */
  async runUntilIdle(): Promise<void> {
    await this.scheduler.drive(() => false)
  }
}

/** Runs a play from a seed. What it throws is thrown on with the seed and the virtual time in its message. */
export async function simulate<T>(
  seed: number,
  play: (simulation: Simulation) => Promise<T>,
  limits: Partial<SchedulerLimits> = {},
): Promise<T> {
  const simulation = new Simulation(seed, limits)
  try {
    return await simulation.run(() => play(simulation))
  } catch (error) {
    if (error instanceof Error) error.message = `[seed ${seed} at ${simulation.now.toFixed(1)} ms] ${error.message}`
    throw error
  }
}
