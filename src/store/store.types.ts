/** The stores of a server: one engine, many definitions. Every engine offers exactly this (contract.ts). */
import type { Change, Store, StoreDefinition } from './define.ts'

/** Limits; each has the name under which the configuration and the metrics know it. */
export interface StoreLimits {
  /** `store.queue_operations`: operations asked for and not yet answered. Default 65,536; error RTK_STORE_QUEUE_FULL. */
  readonly queueOperations: number
  /** `store.queue_bytes`: their parameters, estimated. Default 64 MiB; error RTK_STORE_QUEUE_FULL. */
  readonly queueBytes: number
  /** `store_batch_operations`: most operations of one transaction. Default 1,024; the rest goes into the next. */
  readonly batchOperations: number
  /** `store.operation_timeout`, milliseconds. Default 8,000, less than `limits.hook_timeout`; error RTK_STORE_TIMEOUT. */
  readonly operationTimeoutMs: number
  /** `databaseBytes`: largest database file. Default 0: the disk is the limit. Error RTK_STORE_DISK_FULL. */
  readonly databaseBytes: number
}

export const defaultStoreLimits: StoreLimits = Object.freeze({
  queueOperations: 65_536,
  queueBytes: 64 * 1024 * 1024,
  batchOperations: 1024,
  operationTimeoutMs: 8_000,
  databaseBytes: 0,
})

export interface StoreState {
  /**
   * `ready`; `full`: writes fail, reads go on; `stalled`: an operation timed out and the engine has not answered since, so
   * that new ones are refused at once;
   * `failed`: the engine died, and is being restarted where that can help; `closed`.
   */
  readonly name: 'ready' | 'full' | 'stalled' | 'failed' | 'closed'
  /** RTK_STORE_… and text for people; '' when ready or closed. */
  readonly code: string
  readonly text: string
}

/** Plain counters, read by the metrics page. Times are milliseconds. */
export interface StoreMetrics {
  /** Operations and bytes waiting or at work: the value beside `store.queue_operations` and `store.queue_bytes`. */
  queueOperations: number
  queueBytes: number
  reads: number
  writes: number
  /** Operations that ended in a refusal that the definition foresees. */
  refused: number
  /** Operations that were rejected with a `WorldError`. */
  errors: number
  rejectedFull: number
  /** Writes that the disk, or the size that the database may have, did not take. */
  diskFull: number
  timeouts: number
  /** Operations refused because the engine did not answer the ones before. */
  rejectedStalled: number
  /** Batches answered, those with a commit, and the time that the engine spent on them. */
  batches: number
  commits: number
  engineMs: number
  restarts: number
  /** Listeners and `changes` functions that threw. */
  listenerFaults: number
}

export interface MigrationStep {
  readonly version: number
  readonly name: string
}

/** A change notice with the name of its store. */
export interface StoreChange extends Change {
  readonly store: string
}

export interface Stores {
  /**
   * Random, made with the database; new after a restore or when the tail of the database may be lost. Every sequence
   * that leaves the server is (epoch, number).
   */
  readonly epoch: string
  readonly state: StoreState
  readonly metrics: Readonly<StoreMetrics>
  /**
   * Migrates and prepares. The same definition object gives the same store again; another one of the same name replaces
   * it, and operations of the old one reject with RTK_STORE_CLOSED. Rejects with RTK_STORE_SCHEMA_NEWER,
   * RTK_STORE_MIGRATION_EDITED, RTK_STORE_MIGRATION_FAILED, RTK_STORE_DEFINITION.
   */
  open<const D extends StoreDefinition>(definition: D): Promise<Store<D>>
  /** Applies the missing migrations and undoes them: what `open` would do. Rejects as `open`. */
  rehearse(definition: StoreDefinition): Promise<readonly MigrationStep[]>
  /** Calls `listener` for each change, in the order of the commits, before the writer learns of it. Returns the way out. */
  onChange(listener: (change: StoreChange) => void): () => void
  onState(listener: (state: StoreState) => void): () => void
  /** For after a restore. Resolves with the new epoch. */
  renewEpoch(): Promise<string>
  /** Refuses new operations, finishes those asked for (at most one operation timeout), closes the database. */
  close(): Promise<void>
}
