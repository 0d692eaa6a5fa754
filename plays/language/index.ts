/** What a play imports. */
export type { Actor } from './actor.ts'
export { befriend } from './friends.ts'
export { play, type Stage } from './play.ts'
export { header, Wire } from './wire.ts'
export { xml } from './xml.ts'
