/**
 * The one way to name the file of a worker thread. `tsc` rewrites imports but leaves `new URL('./w.ts')` as it is, so the
 * name is written with `.ts` in the source and gets the extension that the running program has.
 */

/** `entry` is relative to `from` (the caller's `import.meta.url`) and ends in `.ts`. */
export function workerEntry(from: string, entry: `${string}.ts`): URL {
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'))
  return new URL(entry.slice(0, -'.ts'.length) + extension, from)
}
