/** What a play imports. */
export type { Actor } from './actor.ts'
export { play } from './play.ts'
export type { Stage } from './stage.ts'
export { xml } from './xml.ts'
