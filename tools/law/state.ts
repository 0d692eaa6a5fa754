/** Two servers in one process share nothing (DESIGN.md section 14): no state at the top level of a source file. */
import type { Token } from '../lib/lexer.ts'
import type { Fault } from './fault.ts'

const CONTAINERS = new Set(['Map', 'Set', 'WeakMap', 'WeakSet', 'Array'])

/**
 * Variables that can be assigned again, and containers that can be filled: empty literals, and maps and sets whose type
 * does not say that they are only read.
 */
export function moduleState(file: string, list: readonly Token[]): Fault[] {
  const faults: Fault[] = []
  let depth = 0
  list.forEach((token, i) => {
    if (token.kind === 'mark') depth += depthChange(token.text)
    if (depth > 0 || token.kind !== 'name') return
    const name = list[i + 1]?.text ?? ''
    if ((token.text === 'let' || token.text === 'var') && isDeclaration(list, i)) {
      faults.push({ file, line: token.line, rule: 'state', text: `${token.text} ${name} at the top level` })
    }
    if (token.text === 'const' && isDeclaration(list, i) && isFillable(list, i + 2)) {
      faults.push({
        file,
        line: token.line,
        rule: 'state',
        text: `${name} at the top level can be filled: annotate it as readonly, or keep it in an object`,
      })
    }
  })
  return faults
}

function depthChange(mark: string): number {
  if (mark === '{' || mark === '(' || mark === '[') return 1
  return mark === '}' || mark === ')' || mark === ']' ? -1 : 0
}

/** `const` of an assertion (`as const`) and of a type parameter declare nothing. */
function isDeclaration(list: readonly Token[], i: number): boolean {
  return list[i + 1]?.kind === 'name' && list[i - 1]?.text !== 'as' && list[i - 1]?.text !== '<'
}

/** From the token behind the name: a type, and a value. */
function isFillable(list: readonly Token[], start: number): boolean {
  let i = start
  if (list[i]?.text === ':') {
    const type = list[i + 1]?.text ?? ''
    if (/^readonly/i.test(type)) return false
    let depth = 0
    for (; i < list.length; i++) {
      const { text } = list[i] as Token
      if (text === '=' && depth === 0) break
      depth += depthChange(text)
    }
  }
  if (list[i]?.text !== '=') return false
  const [first, second, third] = [list[i + 1]?.text ?? '', list[i + 2]?.text ?? '', list[i + 3]?.text ?? '']
  if (first === 'new') return CONTAINERS.has(second)
  return (first === '[' && second === ']') || (first === '{' && second === '}' && third !== 'as')
}
