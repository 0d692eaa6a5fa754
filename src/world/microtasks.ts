/** Resolves when every promise that can go on has gone on: the simulator waits for it between two events. */
export function microtasksDone(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
