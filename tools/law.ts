/**
 * The laws of the house that a machine can check (CONTRIBUTING.md tells them to people): who may import whom, who may
 * reach the outside, how long a file may be. `tools/law.test.ts` holds the tree to them; `npm run law` tells the faults.
 */
import { posix } from 'node:path'
import { circles } from './law/circles.ts'
import { effects } from './law/effects.ts'
import type { Fault } from './law/fault.ts'
import { moduleState } from './law/state.ts'
import { Tree } from './law/tree.ts'
import { text as readText, root, say } from './lib/repository.ts'

/** Longest first, so that `rooms/core` is found before `rooms`. Files of `src/` itself are the doors. */
const TIERS: readonly (readonly [folder: string, tier: number])[] = [
  ['rooms/core', 2],
  ['xml', 0],
  ['jid', 0],
  ['world', 0],
  ['stanza', 1],
  ['stream', 1],
  ['core', 2],
  ['mesh', 2],
  ['store', 2],
  ['listeners', 3],
  ['auth', 3],
  ['modules', 3],
  ['rooms', 3],
  ['grid', 3],
  ['sync', 3],
  ['admin', 3],
  ['server', 4],
  ['cli', 5],
  ['sim', 6],
]
/** `index.ts`, `plugin.ts` and what composes the server; `test.ts` hands out the simulator and stands above all. */
const DOOR = 4
const TEST_DOOR = 7

/** Tests and what only they use (`kit.testing.ts`): never published, imported by no source. */
export const isTest = (file: string) => /\.(test|real|packed|testing)\.ts$/.test(file)
const isGenerated = (file: string) => file.endsWith('.generated.ts')
const inFolder = (file: string, folder: string) => file.startsWith(`src/${folder}/`)

export function tierOf(file: string): number | undefined {
  if (file === 'src/test.ts') return TEST_DOOR
  if (/^src\/[^/]+$/.test(file)) return DOOR
  return TIERS.find(([folder]) => inFolder(file, folder))?.[1]
}

/** Where a file may touch Node itself. */
function mayImportNode(file: string): boolean {
  return inFolder(file, 'world') || inFolder(file, 'cli') || /^src\/store\/(engine|sqlite|postgres)[^/]*/.test(file)
}

/** All faults of a checkout's tree. */
export function judge(tree: Tree): Fault[] {
  const sources = tree.files.filter((file) => file.startsWith('src/') && !isTest(file))
  const graph = new Map(sources.map((file) => [file, tree.edges(file)]))
  return [
    ...sources.flatMap((file) => importFaults(tree, file)),
    ...circles(new Map(tree.files.map((file) => [file, tree.edges(file)]))).map(circleFault),
    ...closureFaults(graph),
    ...sources.flatMap((file) =>
      effects(file, tree.tokens(file), {
        inWorld: inFolder(file, 'world'),
        mayUseProcess: mayImportNode(file),
        mayPrint: inFolder(file, 'cli'),
      }),
    ),
    ...sources.flatMap((file) => moduleState(file, tree.tokens(file))),
    ...tree.files.filter(isTest).flatMap((file) => sleepFaults(tree, file)),
    ...tree.files.flatMap((file) => lengthFaults(tree, file)),
    ...tree.files
      .filter((file) => !file.startsWith('src/') || isTest(file))
      .flatMap((file) => foreignFaults(tree, file)),
  ]
}

function importFaults(tree: Tree, file: string): Fault[] {
  const faults: Fault[] = []
  const own = tierOf(file)
  const fault = (line: number, rule: string, text: string) => faults.push({ file, line, rule, text })
  if (own === undefined) fault(1, 'tier', 'the folder has no tier: give it one in tools/law.ts and DESIGN')
  for (const { specifier, line, target } of tree.imports(file)) {
    if (specifier === '') {
      if (!inFolder(file, 'world')) fault(line, 'computed', 'a computed import: only world/ loads plugins')
    } else if (specifier.startsWith('node:')) {
      if (!mayImportNode(file)) fault(line, 'node', `${specifier}: only world/, the store engines and cli/ reach Node`)
    } else if (!specifier.startsWith('.')) thirdParty(tree, file, specifier, (text) => fault(line, 'dependency', text))
    else if (target === undefined) fault(line, 'missing', `${specifier} does not exist (relative, with its ending)`)
    else {
      const other = tierOf(target)
      if (isTest(target)) fault(line, 'test', `imports the test ${target}`)
      else if (!target.startsWith('src/')) fault(line, 'outside', `imports ${target} from outside src/`)
      else if (own !== undefined && other !== undefined && other > own) {
        fault(line, 'tier', `tier ${own} imports ${target} of tier ${other}`)
      }
      const [from, to] = [moduleOf(file), moduleOf(target)]
      if (from && to && from !== to) fault(line, 'module', `module ${from} imports module ${to}`)
      if (from && !to && inFolder(target, 'modules'))
        fault(line, 'module', `module ${from} imports the list of modules`)
    }
  }
  return faults
}

/** The name of the module that a file belongs to; the list of defaults in `src/modules/` itself belongs to none. */
function moduleOf(file: string): string | undefined {
  return /^src\/modules\/([^/]+)\//.exec(file)?.[1]
}

/** The folders that stay free of other people's code: they are the vocabulary that everything else stands on. */
const PURE = ['xml', 'jid', 'stanza', 'stream']

function thirdParty(tree: Tree, file: string, specifier: string, fault: (text: string) => void): void {
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
  if (name === 'ratatosk') return fault(`${specifier}: import the file itself`)
  if (PURE.some((folder) => inFolder(file, folder))) return fault(`${specifier}: ${PURE.join(', ')} have no dependency`)
  if (!tree.dependencies.has(name)) return fault(`${name} is no runtime dependency of package.json`)
  if (!tree.documented.has(name)) return fault(`${name} has no line in docs/dependencies.md`)
}

/** Tests, tools, plays and benchmarks: anything of the checkout, and packages that package.json names. */
function foreignFaults(tree: Tree, file: string): Fault[] {
  const faults: Fault[] = []
  for (const { specifier, line, target } of tree.imports(file)) {
    const fault = (rule: string, text: string) => faults.push({ file, line, rule, text })
    if (specifier.startsWith('.')) {
      if (target === undefined && posix.extname(specifier) === '.ts') fault('missing', `${specifier} does not exist`)
    } else if (specifier !== '' && !specifier.startsWith('node:')) {
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/')
      if (name === 'ratatosk' || tree.dependencies.has(name) || tree.devDependencies.has(name)) continue
      fault('dependency', `${name} is not in package.json`)
    }
  }
  return faults
}

function circleFault(circle: readonly string[]): Fault {
  return { file: circle[0] as string, line: 1, rule: 'circle', text: circle.join(' → ') }
}

/** Whom certain folders must not reach by any path. */
const NEVER: readonly (readonly [from: readonly string[], to: RegExp, name: string])[] = [
  [['stream'], /^src\/(core\/(session|router)|modules\/)/, 'session, router or modules'],
  [['grid', 'sync'], /^src\/(core\/(session|router)|listeners\/(c2s|s2s|component))/, 'the XMPP server'],
]

function closureFaults(graph: ReadonlyMap<string, readonly string[]>): Fault[] {
  const faults: Fault[] = []
  for (const [folders, forbidden, name] of NEVER) {
    for (const file of graph.keys()) {
      if (!folders.some((folder) => inFolder(file, folder))) continue
      const path = pathTo(graph, file, forbidden)
      if (path) faults.push({ file, line: 1, rule: 'reach', text: `reaches ${name}: ${path.join(' → ')}` })
    }
  }
  return faults
}

function pathTo(graph: ReadonlyMap<string, readonly string[]>, from: string, goal: RegExp): string[] | undefined {
  const cameFrom = new Map<string, string | undefined>([[from, undefined]])
  for (const file of cameFrom.keys()) {
    if (goal.test(file)) {
      const path: string[] = []
      for (let at: string | undefined = file; at !== undefined; at = cameFrom.get(at)) path.unshift(at)
      return path
    }
    for (const next of graph.get(file) ?? []) if (!cameFrom.has(next)) cameFrom.set(next, file)
  }
  return undefined
}

/** A test advances the virtual clock or awaits the event; it never sleeps. */
function sleepFaults(tree: Tree, file: string): Fault[] {
  const faults: Fault[] = []
  const list = tree.tokens(file)
  list.forEach((token, i) => {
    const called = token.kind === 'name' && token.text === 'setTimeout' && list[i + 1]?.text === '('
    const method = list[i - 1]?.text === '.' && list[i - 2]?.text !== 'globalThis'
    if (called && !method) faults.push({ file, line: token.line, rule: 'sleep', text: 'setTimeout in a test' })
  })
  for (const { specifier, line } of tree.imports(file)) {
    if (/^node:timers/.test(specifier)) faults.push({ file, line, rule: 'sleep', text: `${specifier} in a test` })
  }
  return faults
}

export const MAX_LINES = 500

function lengthFaults(tree: Tree, file: string): Fault[] {
  if (isTest(file) || isGenerated(file) || file.startsWith('bench/')) return []
  const lines = tree.source(file).split('\n').length - 1
  return lines > MAX_LINES ? [{ file, line: lines, rule: 'length', text: `${lines} lines, at most ${MAX_LINES}` }] : []
}

export interface Exception {
  readonly file: string
  readonly rule: string
  readonly why: string
}

export interface Judgement {
  /** Breaches that no exception covers. */
  readonly open: readonly Fault[]
  readonly allowed: readonly { readonly fault: Fault; readonly why: string }[]
  /** Exceptions that cover nothing any more. */
  readonly stale: readonly Exception[]
}

/** Parts the faults by the exceptions of `law.allow.json`. */
export function weigh(faults: readonly Fault[], exceptions: readonly Exception[]): Judgement {
  const covers = (entry: Exception, fault: Fault) => entry.file === fault.file && entry.rule === fault.rule
  const open: Fault[] = []
  const allowed: { fault: Fault; why: string }[] = []
  for (const fault of faults) {
    const entry = exceptions.find((one) => covers(one, fault))
    if (entry === undefined) open.push(fault)
    else allowed.push({ fault, why: entry.why })
  }
  return { open, allowed, stale: exceptions.filter((entry) => !faults.some((fault) => covers(entry, fault))) }
}

export function readExceptions(): readonly Exception[] {
  return JSON.parse(readText('tools/law.allow.json')) as readonly Exception[]
}

if (import.meta.main) {
  const { open, allowed, stale } = weigh(judge(new Tree(root)), readExceptions())
  for (const { file, line, rule, text } of open) say(`${file}:${line} ${rule}: ${text}`)
  for (const { file, rule } of stale)
    say(`tools/law.allow.json: nothing in ${file} breaks '${rule}' any more: take it out`)
  for (const { fault, why } of allowed) say(`${fault.file}:${fault.line} ${fault.rule}: allowed, ${why}`)
  process.exitCode = open.length + stale.length > 0 ? 1 : 0
}
