/** A play: who takes part, on which server, and what happens. */
import type { Actor, Casting } from './actor.ts'
import type { Stage } from './stage.ts'

export interface PlaySettings<Name extends string> {
  /** Actors by name: the JID each asks for, or more about him. Each account exists unless it is in `strangers`. */
  readonly cast: Readonly<Record<Name, string | Casting>>
  /** Bare JIDs that have no account. */
  readonly strangers?: readonly string[]
  /** Sections of the server's configuration that differ from the stage's. */
  readonly server?: Readonly<Record<string, unknown>>
  /** Where the play can be given; everywhere unless said. */
  readonly only?: Stage['kind']
}

export interface Play {
  readonly title: string
  readonly settings: PlaySettings<string>
  act(actors: Readonly<Record<string, Actor>>, stage: Stage): Promise<void>
}

export function play<Name extends string>(
  title: string,
  settings: PlaySettings<Name>,
  act: (actors: Readonly<Record<Name, Actor>>, stage: Stage) => Promise<void>,
): Play {
  return { title, settings, act: (actors, stage) => act(actors as Readonly<Record<Name, Actor>>, stage) }
}
