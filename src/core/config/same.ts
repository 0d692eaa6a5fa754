/** Whether two checked configurations, or parts of them, say the same. */
import { Secret } from './option.ts'

/** Compares values; where a rule was written (`source`, with its line) says nothing about what it does. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (a instanceof Secret) return a.reveal() === (b as Secret).reveal()
  if (a instanceof RegExp) return String(a) === String(b)
  if (a instanceof Map || a instanceof Set) return isSame([...a], [...(b as Iterable<unknown>)])
  const left = a as Readonly<Record<string, unknown>>
  const right = b as Readonly<Record<string, unknown>>
  const keys = Object.keys(left).filter((key) => key !== 'source')
  const others = Object.keys(right).filter((key) => key !== 'source')
  return (
    keys.length === others.length && keys.every((key) => Object.hasOwn(right, key) && isSame(left[key], right[key]))
  )
}
