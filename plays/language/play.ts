/** A play: who takes part, on which server, and what happens. */

import type { Server } from '../../src/index.ts'
import type { ClientOptions } from '../../src/stream/client.ts'
import type { Actor, Casting } from './actor.ts'
import type { Wire } from './wire.ts'

/** What a play may ask beyond its actors. */
export interface Stage {
  readonly kind: 'simulated' | 'sockets'
  readonly server: Server
  /** Nothing is under way any more: what was sent was handled, and what came of it has arrived. */
  settles(): Promise<void>
  /** The network breaks the connection, for both ends. */
  cuts(actor: Actor): void
  /** Time passes; in the simulation only. */
  passes(ms: number): Promise<void>
  /** A connection to the client listener with this kind of TLS, without a client. */
  wire(tls?: ClientOptions['tls']): Promise<Wire>
  /** Whom everybody trusts, PEM. */
  readonly ca: string
}

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
