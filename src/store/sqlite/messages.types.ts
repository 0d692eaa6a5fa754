/** Between the engine (engine.ts) and its worker (worker.ts). Batches and their answers are bare arrays (wire.ts). */
import type { StoreErrorCode } from '../errors.ts'
import type { MigrationStep } from '../store.types.ts'
import type { StoreData } from '../wire.ts'
import type { SqliteFile } from './file.ts'

export interface WorkerStart {
  readonly file: SqliteFile
  readonly freshEpoch: string
}

/** What is asked beside batches; answered with the same `id`. */
export type Request =
  | { readonly id: number; readonly ask: 'define'; readonly store: StoreData; readonly wallMs: number }
  | { readonly id: number; readonly ask: 'rehearse'; readonly store: StoreData }
  | { readonly id: number; readonly ask: 'release'; readonly slots: readonly number[] }
  | { readonly id: number; readonly ask: 'renewEpoch'; readonly epoch: string }
  | { readonly id: number; readonly ask: 'close' }

export interface Failure {
  readonly code: StoreErrorCode
  readonly text: string
}

export type Response =
  | { readonly opened: string }
  | { readonly notOpened: Failure }
  | { readonly id: number; readonly failure: Failure | undefined; readonly steps: readonly MigrationStep[] }
