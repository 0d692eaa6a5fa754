/** Measures what is left on the heap, for tests that must say the same on a busy machine and on every Node. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { least } from './least.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** A collection that frees less than this has found everything. */
const CALM_BYTES = 1_024
/** So often it is collected at most, should the heap never come to rest. */
const COLLECTIONS = 20

/** Bytes in use once collecting frees no more. Where time is virtual, no turn of the real loop may lie between. */
export function collectedHeap(): number {
  let calm = Number.POSITIVE_INFINITY
  for (let i = 0; i < COLLECTIONS; i++) {
    collect()
    const { heapUsed } = process.memoryUsage()
    if (heapUsed > calm - CALM_BYTES) return Math.min(heapUsed, calm)
    calm = heapUsed
  }
  return calm
}

/** The same with turns between, in which finalisers let go of what they held. */
export async function settledHeap(): Promise<number> {
  let calm = collectedHeap()
  for (let i = 0; i < COLLECTIONS; i++) {
    await new Promise(setImmediate)
    const heap = collectedHeap()
    if (heap > calm - CALM_BYTES) return Math.min(heap, calm)
    calm = heap
  }
  return calm
}

/**
 * Bytes that each of `times` runs leaves on the heap, `least` of up to four measurements. What disturbs one, such as a
 * function that is only now compiled, comes once; a leak is in every one of them.
 */
export async function leftByEach(times: number, bound: number, run: () => unknown): Promise<number> {
  let before = await settledHeap()
  return least(bound, async () => {
    for (let i = 0; i < times; i++) await run()
    const after = await settledHeap()
    const each = (after - before) / times
    before = after
    return each
  })
}
