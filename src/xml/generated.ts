/** Random documents and mutations of them, from a seed; for tests only. */

/** Mulberry32: small, fast, and the same everywhere. */
export function dice(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

type Roll = (below: number) => number

function pick<T>(roll: Roll, from: readonly [T, ...T[]]): T {
  return from[roll(from.length)] ?? from[0]
}

const NAMES: readonly [string, ...string[]] = [
  'a',
  'b',
  'body',
  'message',
  'élan',
  '名',
  'x-y.z',
  '_1',
  'xmlish',
  'ab·c',
]
const PREFIXES: readonly [string, ...string[]] = ['p', 'q', 'xml2', 'é']
const NAMESPACES: readonly [string, ...string[]] = [
  'jabber:client',
  'jabber:server',
  'urn:x',
  'urn:y',
  'urn:&amp;z',
  'urn:é',
  'http://www.w3.org/2000/xmlnz/',
]
const TEXTS: readonly [string, ...string[]] = [
  'hello',
  ' ',
  '\n',
  '\r\n',
  '\r',
  '\t',
  '&lt;',
  '&amp;',
  '&gt;',
  '&apos;',
  '&quot;',
  '&#65;',
  '&#x10FFFF;',
  '&#13;',
  '&#x9;',
  '>',
  ']',
  ']]',
  ']] >',
  'Ты',
  'é',
  '漢字',
  '😀',
  '\u0085',
  '\u2028',
  '\ufeff',
  '\ufffd',
  '\u{1fffe}',
  "'",
  '"',
]

function space(roll: Roll): string {
  return roll(5) === 0 ? pick(roll, ['\n', '  ', '\t', ' \r\n']) : ''
}

function value(roll: Roll): string {
  let out = ''
  for (let k = roll(3); k > 0; k--) out += pick(roll, TEXTS)
  return roll(2) === 0 ? `'${out.replaceAll("'", '')}'` : `"${out.replaceAll('"', '')}"`
}

function name(roll: Roll, prefixes: readonly string[]): string {
  const prefix = prefixes.length > 0 && roll(4) === 0 ? prefixes[roll(prefixes.length)] : undefined
  return prefix === undefined ? pick(roll, NAMES) : `${prefix}:${pick(roll, NAMES)}`
}

/** Seldom not well-formed by itself (an attribute twice), mostly so. */
function element(roll: Roll, depth: number, outer: readonly string[]): string {
  const prefixes = [...outer]
  let attrs = ''
  const equals = (): string => `${space(roll)}=${space(roll)}`
  if (roll(3) === 0) attrs += ` xmlns${equals()}'${roll(6) === 0 ? '' : pick(roll, NAMESPACES)}'`
  if (roll(4) === 0) {
    const prefix = pick(roll, PREFIXES)
    prefixes.push(prefix)
    attrs += ` ${space(roll)}xmlns:${prefix}${equals()}"${pick(roll, NAMESPACES)}"`
  }
  if (roll(8) === 0) attrs += ` xml:lang=${value(roll)}`
  for (let k = roll(4); k > 0; k--) attrs += ` ${space(roll)}${name(roll, prefixes)}${equals()}${value(roll)}`
  const tag = name(roll, prefixes)
  if (roll(4) === 0) return `<${tag}${attrs}${space(roll)}/>`
  let content = ''
  for (let k = roll(depth > 4 ? 2 : 5); k > 0; k--) {
    const what = roll(8)
    if (what < 4 && depth < 8) content += element(roll, depth + 1, prefixes)
    else if (what === 7) content += `<![CDATA[${pick(roll, ['', 'x', '<&>', ']]', ']', 'é'])}]]>`
    else content += pick(roll, TEXTS)
  }
  return `<${tag}${attrs}${space(roll)}>${content}</${tag}${space(roll)}>`
}

/** An element; `prefixes` are declared around it. */
export function randomElement(seed: number, prefixes: readonly string[] = []): string {
  return element(dice(seed), 0, prefixes)
}

/** A document: an element, at times with a declaration before it and white space around it. */
export function randomDocument(seed: number): string {
  const roll = dice(seed)
  const declaration =
    roll(4) === 0 ? pick(roll, ["<?xml version='1.0'?>", '<?xml version="1.0" encoding="UTF-8"?>\n']) : ''
  return `${declaration}${space(roll)}${element(roll, 0, [])}${space(roll)}`
}

const FRAGMENTS: readonly [string, ...string[]] = [
  '<',
  '>',
  '/',
  '&',
  ';',
  "'",
  '"',
  '=',
  ' ',
  ':',
  '!',
  '?',
  '-',
  '[',
  ']',
  ']]>',
  '<![CDATA[',
  '<!--',
  '-->',
  '<a',
  '</',
  '/>',
  '&#',
  '&x;',
  '&#0;',
  'xmlns',
  'xmlns:',
  'p:',
  'xml:',
  '\0',
  '\x1f',
  '\ufffe',
  'é',
  '1',
  '<?',
  '?>',
  '<!DOCTYPE a>',
  ' b=""',
  "xmlns:p='u'",
  '\x7f',
  '\u00d7',
  '\u0300',
]

/** The same with one to three small wounds; they may cut through the middle of a character. */
export function mutated(bytes: Buffer, seed: number): Buffer {
  const roll = dice(seed ^ 0x5bd1e995)
  let out = bytes
  for (let k = roll(3); k >= 0; k--) {
    const at = roll(out.length + 1)
    const behind = Math.min(out.length, at + roll(4))
    const copied = Math.min(out.length, at + roll(12))
    switch (roll(6)) {
      case 0:
        out = Buffer.concat([out.subarray(0, at), out.subarray(behind)])
        break
      case 1:
        out = Buffer.concat([out.subarray(0, at), Buffer.from([roll(256)]), out.subarray(behind)])
        break
      case 2:
        out = Buffer.concat([out.subarray(0, copied), out.subarray(at)])
        break
      default:
        out = Buffer.concat([
          out.subarray(0, at),
          Buffer.from(pick(roll, FRAGMENTS)),
          out.subarray(roll(2) === 0 ? at : behind),
        ])
    }
  }
  return out
}
