/** A session as it was kept (durable.ts), and what its parts say together. */
import { decode, type Octets } from '../xml/octets.ts'

/** Stanzas that were kept together: they have places from `first` on. */
export interface KeptStanzas {
  readonly first: number
  /** How many bytes each has, joined by commas. */
  readonly sizes: string
  readonly stanzas: Octets
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface KeptSession {
  readonly host: string
  readonly local: string
  readonly id: string
  readonly data: string
  readonly handled: number
  readonly acked: number
  /** In order of `first`. */
  readonly parts: readonly KeptStanzas[]
}

/** What is not acknowledged. */
export interface ReadStanzas {
  /** Place behind the last. */
  readonly next: number
  readonly stanzas: readonly Octets[]
  /** As `Unacknowledged.times`. */
  readonly times: readonly number[]
}

export function readStanzas({ acked, parts }: Pick<KeptSession, 'acked' | 'parts'>): ReadStanzas {
  const stanzas: Octets[] = []
  const times: number[] = []
  let next = acked
  for (const { first, sizes, stanzas: bytes, at } of parts) {
    let start = 0
    let place = first
    for (const size of sizes.split(',').map(Number)) {
      if (place === next) {
        if (times.at(-1) !== at) times.push(stanzas.length, at)
        stanzas.push(bytes.slice(start, start + size) as Octets)
        next++
      }
      start += size
      place++
    }
  }
  return { next, stanzas, times }
}

export function textsOf({ stanzas }: ReadStanzas): readonly string[] {
  return stanzas.map((bytes) => decode(bytes))
}
