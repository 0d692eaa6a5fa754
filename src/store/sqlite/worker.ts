/** The database's thread: takes batches, answers each in one message. */
import { parentPort, workerData } from 'node:worker_threads'
import { RealClock } from '../../world/clock.ts'
import { Turn } from '../../world/turn.ts'
import type { StoreErrorCode } from '../errors.ts'
import type { MigrationStep } from '../store.types.ts'
import type { WireValue } from '../wire.ts'
import { SqliteDatabase } from './database.ts'
import { sqliteError } from './failure.ts'
import type { Failure, Request, Response, WorkerStart } from './messages.types.ts'

function failure(error: unknown): Failure {
  const { code, message } = sqliteError(error, 'sqlite')
  return { code: code as StoreErrorCode, text: message }
}

function answer(database: SqliteDatabase, request: Request): readonly MigrationStep[] {
  switch (request.ask) {
    case 'define':
      database.define(request.store, request.wallMs)
      return []
    case 'rehearse':
      return database.rehearse(request.store)
    case 'release':
      database.release(request.slots)
      return []
    case 'renewEpoch':
      database.renewEpoch(request.epoch)
      return []
    case 'close':
      database.close()
      return []
  }
}

function serve(port: NonNullable<typeof parentPort>, start: WorkerStart): void {
  const clock = new RealClock(new Turn())
  let database: SqliteDatabase
  try {
    database = new SqliteDatabase(start.file, start.freshEpoch, () => clock.monoMs())
  } catch (error) {
    port.postMessage({ notOpened: failure(error) } satisfies Response)
    return
  }
  port.on('message', (message: readonly WireValue[] | Request) => {
    if (Array.isArray(message)) {
      port.postMessage(database.run(message as readonly WireValue[]))
      return
    }
    const request = message as Request
    let steps: readonly MigrationStep[] = []
    let failed: Failure | undefined
    try {
      steps = answer(database, request)
    } catch (error) {
      failed = failure(error)
    }
    port.postMessage({ id: request.id, failure: failed, steps } satisfies Response)
    if (request.ask === 'close') port.close()
  })
  port.postMessage({ opened: database.epoch } satisfies Response)
}

if (parentPort !== null) serve(parentPort, workerData as WorkerStart)
