/** The real world: system clock, CSPRNG, sockets, OpenSSL, files. Each call makes a world of its own; none keeps global state. */
import { RealClock } from './clock.ts'
import { RealDisk } from './disk.ts'
import { RealHashing } from './hashing.ts'
import { silentLog } from './log.ts'
import type { Log } from './log.types.ts'
import { RealNet, type SocketChoice } from './net.ts'
import { RealRandom } from './random.ts'
import { Turn } from './turn.ts'
import { RealVitals } from './vitals.ts'
import type { World } from './world.types.ts'

export interface WorldOptions {
  /** Silent unless given: an embedded server never prints. */
  readonly log?: Log
  /** Which sockets: `auto` (the fast ones where they pass their self-test) unless given. */
  readonly sockets?: SocketChoice
}

export function createWorld(options: WorldOptions = {}): World {
  const turn = new Turn()
  const clock = new RealClock(turn)
  const log = options.log ?? silentLog
  return {
    clock,
    random: new RealRandom(),
    net: new RealNet(clock, turn, log, options.sockets),
    disk: new RealDisk(),
    hashing: new RealHashing(),
    log,
    vitals: new RealVitals(),
  }
}
