/**
 * What a schema reads: a tree of plain values that knows where each of them was written. Made from YAML (`yaml.ts`), or
 * from a JavaScript or JSON value (`inputOf`) for an embedded server and for the arguments of commands.
 */

export interface Place {
  /** Both count from 1; 0 means that the value was not written in a file. */
  readonly line: number
  readonly column: number
}

export interface InputEntry {
  readonly key: string
  /** Where the key stands. */
  readonly place: Place
  readonly value: Input
}

interface InputBase {
  readonly place: Place
  /** As in `listeners[2].port`; '' for the whole. */
  readonly path: string
}

export type Input =
  | (InputBase & { readonly kind: 'null' })
  | (InputBase & { readonly kind: 'bool'; readonly value: boolean })
  | (InputBase & { readonly kind: 'number'; readonly value: number })
  /** `written` is the text of the source, so that an IPv6 address or a version is not taken for a number. */
  | (InputBase & { readonly kind: 'string'; readonly value: string })
  | (InputBase & { readonly kind: 'list'; readonly items: readonly Input[] })
  | (InputBase & { readonly kind: 'map'; readonly entries: readonly InputEntry[] })

export type MapInput = Extract<Input, { kind: 'map' }>
export type ListInput = Extract<Input, { kind: 'list' }>

const nowhere: Place = { line: 0, column: 0 }

export function childPath(path: string, key: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(key)) return `${path}['${key}']`
  return path === '' ? key : `${path}.${key}`
}

export function entryOf(map: MapInput, key: string): InputEntry | undefined {
  return map.entries.find((entry) => entry.key === key)
}

/** An empty map, in place of a section that was left out. */
export function emptyMap(path: string, place: Place = nowhere): MapInput {
  return { kind: 'map', place, path, entries: [] }
}

/** A plain value as input. Anything but null, booleans, numbers, strings, arrays, maps and plain objects is refused with a TypeError. */
export function inputOf(value: unknown, path = '', place: Place = nowhere): Input {
  if (value === null || value === undefined) return { kind: 'null', place, path }
  if (typeof value === 'boolean') return { kind: 'bool', place, path, value }
  if (typeof value === 'number') return { kind: 'number', place, path, value }
  if (typeof value === 'string') return { kind: 'string', place, path, value }
  if (Array.isArray(value)) {
    return { kind: 'list', place, path, items: value.map((item, i) => inputOf(item, `${path}[${i}]`, place)) }
  }
  if (typeof value === 'object') {
    const pairs: Iterable<[unknown, unknown]> = value instanceof Map ? value : Object.entries(value)
    const entries: InputEntry[] = []
    for (const [key, item] of pairs) {
      if (item === undefined) continue
      const name = String(key)
      entries.push({ key: name, place, value: inputOf(item, childPath(path, name), place) })
    }
    return { kind: 'map', place, path, entries }
  }
  throw new TypeError(`a ${typeof value} is no configuration value (${path})`)
}

/** For messages: what was found, with a short value. */
export function showInput(input: Input): string {
  switch (input.kind) {
    case 'null':
      return 'nothing'
    case 'bool':
      return String(input.value)
    case 'number':
      return `the number ${input.value}`
    case 'string':
      return input.value.length > 60 ? `'${input.value.slice(0, 57)}…'` : `'${input.value}'`
    case 'list':
      return 'a list'
    case 'map':
      return 'a map'
  }
}
