/**
 * What an engine is, seen from the front (front.ts). The front does what all engines share: types, limits, time-outs,
 * batches, answers, change notices. An engine takes batches and answers them in order.
 */
import type { WorldError } from '../world/error.ts'
import type { Dialect } from './sql.ts'
import type { MigrationStep } from './store.types.ts'
import type { StoreData, WireValue } from './wire.ts'

/** One life of an engine: from the opening of the database until `close` or its death. */
export interface Link {
  readonly epoch: string
  /** Takes a batch (wire.ts) as one transaction. Every batch is answered once, in order, unless the link dies. */
  submit(batch: readonly WireValue[]): void
  /** Migrates and prepares; older operations of that store stay until `release`. Rejects with the errors of `Stores.open`. */
  define(store: StoreData): Promise<void>
  /** These operations of a definition that was replaced will not be asked again. Does not fail. */
  release(slots: readonly number[]): void
  rehearse(store: StoreData): Promise<readonly MigrationStep[]>
  renewEpoch(epoch: string): Promise<void>
  /** Closes the database in order; when `force`, drops an engine that does not answer. Does not reject. */
  close(force: boolean): Promise<void>
}

export interface LinkEvents {
  answered(reply: readonly WireValue[]): void
  /** The last event of a link: everything open is lost, whether it was kept nobody knows. Not told after `close`. */
  died(cause: WorldError): void
}

export interface Engine {
  readonly dialect: Dialect
  /** Whether a new link finds the same database again: false for one in memory. */
  readonly survives: boolean
  /** `freshEpoch` is for a new database or one whose tail may be lost. Rejects with `WorldError`. */
  connect(events: LinkEvents, freshEpoch: string): Promise<Link>
}
