/** Everything outside, handed over at construction (DESIGN.md section 5). Nobody else reads clock, network, disk or dice. */
import type { Clock } from './clock.types.ts'
import type { Disk } from './disk.types.ts'
import type { Hashing } from './hashing.types.ts'
import type { Log } from './log.types.ts'
import type { Net } from './net.types.ts'
import type { Random } from './random.types.ts'
import type { Vitals } from './vitals.types.ts'

export interface World {
  readonly clock: Clock
  readonly random: Random
  readonly net: Net
  readonly disk: Disk
  readonly hashing: Hashing
  readonly log: Log
  readonly vitals: Vitals
}
