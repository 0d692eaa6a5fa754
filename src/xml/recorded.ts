/** What a scanner says about bytes, as plain data; for tests only. */
import type { Element } from './element.types.ts'
import { defaultLimits, type ScannerLimits } from './limits.ts'
import { Scanner } from './scanner.ts'
import type { Framing, ScannerOptions, ScannerSink } from './scanner.types.ts'

export type Tree = readonly [name: string, ns: string, attrs: readonly string[], children: readonly (Tree | string)[]]

/** An element with everything in it, for comparison. */
export function tree(element: Element): Tree {
  const attrs = element.attrs.map(({ name, ns, value }) => `{${ns}}${name}=${value}`)
  return [
    element.name,
    element.ns,
    attrs,
    element.children.map((node) => (typeof node === 'string' ? node : tree(node))),
  ]
}

export type Recorded =
  | { readonly open: readonly unknown[] }
  | { readonly stanza: Tree; readonly lang: string | undefined; readonly payload: string }
  | { readonly close: true }
  | { readonly fault: string; readonly condition: string; readonly position: number }

export interface Recording {
  readonly events: Recorded[]
  readonly scanner: Scanner
}

/** A scanner that writes down what it says, and then calls `each`. */
export function recording(
  framing: Framing,
  limits: ScannerLimits = defaultLimits,
  options: ScannerOptions = {},
  each: (scanner: Scanner) => void = () => undefined,
): Recording {
  const events: Recorded[] = []
  const note = (event: Recorded): void => {
    events.push(event)
    each(scanner)
  }
  const sink: ScannerSink = {
    streamOpen: ({ name, ns, prefix, attrs, lang, defaultNs, prefixes }) => {
      note({ open: [name, ns, prefix, attrs, lang, defaultNs, prefixes] })
    },
    stanza: (element) => {
      note({ stanza: tree(element), lang: element.lang, payload: element.payload })
    },
    streamClose: () => {
      note({ close: true })
    },
    fault: ({ code, condition, position }) => {
      note({ fault: code, condition, position })
    },
  }
  const scanner = new Scanner(framing, limits, sink, options)
  return { events, scanner }
}

/** All events of these bytes, written in pieces of a shared buffer that is overwritten between them. */
export function eventsOf(
  bytes: Uint8Array,
  cuts: readonly number[],
  framing: Framing = 'stream',
  limits?: ScannerLimits,
): Recorded[] {
  const { events, scanner } = recording(framing, limits)
  const shared = Buffer.alloc(bytes.length + 8, 0xff)
  let from = 0
  for (const cut of [...cuts, bytes.length]) {
    if (cut < from) continue
    shared.fill(0x3c)
    shared.set(bytes.subarray(from, cut), 3)
    scanner.write(shared, 3, 3 + cut - from)
    from = cut
  }
  scanner.endFrame()
  return events
}
