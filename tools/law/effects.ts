/** Timers, clocks, dice, the process and printing: what a source file may only have through the world it is handed. */
import type { Token } from '../lib/lexer.ts'
import type { Fault } from './fault.ts'

export type Permissions = {
  /** The file is a door to outside and may make timers, ask the clock and roll dice. */
  readonly inWorld: boolean
  readonly mayUseProcess: boolean
  readonly mayPrint: boolean
}

const TIMERS = new Set(['setTimeout', 'setInterval', 'setImmediate'])
const CLOCKS = new Set(['Date.now', 'performance.now', 'Math.random', 'crypto.randomUUID', 'crypto.getRandomValues'])

export function effects(file: string, list: readonly Token[], permissions: Permissions): Fault[] {
  const faults: Fault[] = []
  for (let i = 0; i < list.length; i++) {
    const token = list[i] as Token
    if (token.kind !== 'name' || !isGlobal(list, i)) continue
    const found = effectAt(list, i)
    if (!found || allowed(found.rule, permissions)) continue
    faults.push({ file, line: token.line, ...found })
  }
  return faults
}

function allowed(rule: string, { inWorld, mayUseProcess, mayPrint }: Permissions): boolean {
  if (rule === 'print') return mayPrint
  if (rule === 'process') return mayUseProcess
  return inWorld
}

/** Not a member of something, a key of an object or type, or a name that is being declared. */
function isGlobal(list: readonly Token[], i: number): boolean {
  const before = list[i - 1]?.text
  if (before === '.' || before === '?.') return list[i - 2]?.text === 'globalThis'
  return !(list[i + 1]?.text === ':' && (before === '{' || before === ',' || before === ';'))
}

function effectAt(list: readonly Token[], i: number): { rule: string; text: string } | undefined {
  const name = (list[i] as Token).text
  const next = list[i + 1]?.text
  if (TIMERS.has(name)) return { rule: 'timer', text: `${name} outside world/` }
  const member = next === '.' ? `${name}.${list[i + 2]?.text}` : ''
  if (CLOCKS.has(member)) return { rule: 'clock', text: `${member} outside world/` }
  const dated = name === 'Date' && list[i - 1]?.text === 'new'
  if (dated && (next !== '(' || list[i + 2]?.text === ')')) {
    return { rule: 'clock', text: 'new Date() without an argument outside world/' }
  }
  if (name === 'process' && next === '.') return { rule: 'process', text: `${member} outside world/ and cli/` }
  if (name === 'console' && next === '.') return { rule: 'print', text: `${member} outside cli/` }
  const url = name === 'URL' && list[i - 1]?.text === 'new' && list[i + 2]?.kind === 'string'
  if (url && /^\..*\.ts$/.test(list[i + 2]?.text ?? '')) {
    return {
      rule: 'worker',
      text: `new URL('${list[i + 2]?.text}'): tsc leaves it as it is; use world/worker-entry.ts`,
    }
  }
  return undefined
}
