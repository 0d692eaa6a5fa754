/** The log that says nothing: what an embedding program gets unless it hands over another. `log-real.ts` has the speaking one. */
import type { Log } from './log.types.ts'

export const silentLog: Log = {
  enabled: () => false,
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLog,
}
