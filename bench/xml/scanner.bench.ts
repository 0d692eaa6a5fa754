/**
 * The scanner against ltx and saxes, and hostile bytes against good ones. CPU of the whole process, medians of alternating runs, TSV
 * on standard output: `bin/node bench/xml/scanner.bench.ts [repetitions]`.
 */
import LtxElement from 'ltx/src/Element.js'
import Parser from 'ltx/src/parsers/ltx.js'
import { SaxesParser } from 'saxes'
import { ascii, defaultLimits, type Element, Scanner, writeStanza } from '../../src/xml/index.ts'
import { hostile } from './hostile.ts'
import { HEADER, type Kind, mix, stanzasOf } from './mix.ts'

const REPETITIONS = Number(process.argv[2] ?? 5)
/** Bytes that each measured run scans, at least. */
const RUN_BYTES = 12_000_000
const FROM = ascii('romeo@montague.example/orchard')

type Feed = (bytes: Buffer) => void
/** Makes a parser that has read the header; `seen` counts its stanzas. */
type Make = (seen: () => void) => Feed

function ours(each: (element: Element) => unknown): Make {
  return (seen) => {
    const shared = Buffer.allocUnsafeSlow(131_072)
    let kept: unknown
    const scanner = new Scanner(
      'stream',
      { ...defaultLimits, prefixes: 16 },
      {
        streamOpen: () => undefined,
        streamClose: () => undefined,
        fault: ({ code }) => {
          throw new Error(code)
        },
        stanza: (element) => {
          seen()
          kept = each(element)
        },
      },
    )
    scanner.write(Buffer.from(HEADER))
    return (bytes) => {
      // As a socket does it: into one buffer that is always the same.
      bytes.copy(shared)
      scanner.write(shared, 0, bytes.length)
      if (kept === shared) throw new Error('unreachable; it keeps the result alive')
    }
  }
}

function dom(element: Element): number {
  let count = element.text.length + element.attrs.length
  for (const child of element.elements) count += dom(child)
  return count
}

/** As @xmpp/xml uses it: elements are built, first-level ones are reported and let go. */
function ltx(seen: () => void): Feed {
  const parser = new Parser()
  let root: LtxElement | undefined
  let element: LtxElement | undefined
  parser.on('startElement', (name, attrs) => {
    const child = new LtxElement(name, attrs)
    if (root === undefined) root = child
    else if (element === undefined) child.parent = root
    else element.cnode(child)
    if (child !== root) element = child
  })
  parser.on('endElement', () => {
    const { parent } = element ?? {}
    element = parent === root || parent === null ? undefined : parent
    if (element === undefined) seen()
  })
  parser.on('text', (text) => element?.t(text))
  const decoder = new TextDecoder()
  parser.write(HEADER.slice(HEADER.indexOf('?>') + 2))
  return (bytes) => parser.write(decoder.decode(bytes, { stream: true }))
}

function saxes(xmlns: boolean): Make {
  return (seen) => {
    const parser = new SaxesParser({ xmlns, position: false })
    let depth = 0
    parser.on('opentag', () => {
      depth++
    })
    parser.on('closetag', () => {
      if (--depth === 1) seen()
    })
    parser.on('text', () => undefined)
    parser.on('error', (error) => {
      throw error
    })
    const decoder = new TextDecoder()
    parser.write(HEADER)
    return (bytes) => parser.write(decoder.decode(bytes, { stream: true }))
  }
}

const variants: Readonly<Record<string, Make>> = {
  scan: ours(() => undefined),
  'scan+rewrite': ours((element) => writeStanza(element, FROM, undefined)),
  'scan+names': ours((element) => element.childNames),
  'lazy dom': ours(dom),
  ltx,
  'saxes xmlns:false': saxes(false),
  'saxes xmlns:true': saxes(true),
}

/** CPU nanoseconds a stanza and a byte, after a warm-up of a quarter. */
function measure(make: Make, pieces: readonly Buffer[]): { readonly perStanza: number; readonly perByte: number } {
  let stanzas = 0
  const feed = make(() => {
    stanzas++
  })
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const rounds = Math.max(1, Math.ceil(RUN_BYTES / bytes))
  for (let k = 0; k < rounds / 4; k++) for (const piece of pieces) feed(piece)
  stanzas = 0
  const before = process.cpuUsage()
  for (let k = 0; k < rounds; k++) for (const piece of pieces) feed(piece)
  const { user, system } = process.cpuUsage(before)
  const nanoseconds = (user + system) * 1000
  return { perStanza: nanoseconds / Math.max(1, stanzas), perByte: nanoseconds / (rounds * bytes) }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

function print(...cells: readonly (string | number)[]): void {
  process.stdout.write(
    `${cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(cell < 100 ? 2 : 0) : cell)).join('\t')}\n`,
  )
}

const workloads: Readonly<Record<string, readonly string[]>> = {
  mix: mix(),
  ...Object.fromEntries(
    (['chat218', 'chat586', 'presence396', 'pubsub', 'roster'] satisfies Kind[]).map((kind) => [
      kind,
      stanzasOf(kind, 50),
    ]),
  ),
}

print('workload', 'bytes', 'variant', 'ns/stanza', 'ns/byte', 'spread')
for (const [name, stanzas] of Object.entries(workloads)) {
  const pieces = stanzas.map((stanza) => Buffer.from(stanza))
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0) / pieces.length
  const found = new Map<string, { readonly perStanza: number; readonly perByte: number }[]>()
  for (let k = 0; k < REPETITIONS; k++) {
    for (const [variant, make] of Object.entries(variants))
      found.set(variant, [...(found.get(variant) ?? []), measure(make, pieces)])
  }
  for (const [variant, runs] of found) {
    const costs = runs.map(({ perStanza }) => perStanza)
    const spread = `${Math.min(...costs).toFixed(0)}-${Math.max(...costs).toFixed(0)}`
    print(name, bytes, variant, median(costs), median(runs.map(({ perByte }) => perByte)), spread)
  }
}

print('')
print('hostile', 'bytes', 'ns/byte', 'times good', 'heap KiB')
const scan = variants['scan'] ?? ltx
const good = mix().map((stanza) => Buffer.from(stanza))
const rows = Object.entries(hostile).map(([name, text]) => ({
  name,
  bytes: Buffer.from(text),
  costs: [] as number[],
  heap: 0,
}))
const goodCosts: number[] = []
for (let k = 0; k < REPETITIONS; k++) {
  goodCosts.push(measure(scan, good).perByte)
  for (const row of rows) {
    const before = process.memoryUsage().heapUsed
    row.costs.push(measure(scan, [row.bytes]).perByte)
    row.heap = Math.max(row.heap, process.memoryUsage().heapUsed - before)
  }
}
print(
  'good mix',
  good.reduce((sum, piece) => sum + piece.length, 0),
  median(goodCosts),
  1,
  0,
)
for (const { name, bytes, costs, heap } of rows)
  print(name, bytes.length, median(costs), median(costs) / median(goodCosts), heap / 1024)
