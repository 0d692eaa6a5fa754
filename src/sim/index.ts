/** The simulated world (DESIGN.md section 5): for tests only. */
export { BEGINNING, SimClock } from './clock.ts'
export { SimDisk } from './disk.ts'
export { SimHashing } from './hashing.ts'
export type { LinkProfile } from './link.ts'
export { type LogEntry, SimLog } from './log.ts'
export { CALM, ROUGH, SimNetwork } from './network.ts'
export { SimRandom } from './random.ts'
export { Simulation, simulate } from './simulation.ts'
export {
  authorityPem,
  type SymbolicCertificate,
  type SymbolicList,
  symbolicCertificate,
  symbolicRevocations,
} from './tls.ts'
export { SimWorld } from './world.ts'
