/** XML as it reads, for tests and plays; the server itself builds with `x`. */
import type { Element } from './element.types.ts'
import { escapeText } from './escape.ts'
import { parseElement } from './parse.ts'
import { serialise } from './serialise.ts'

/** Text is escaped, an element stands as it is. */
function interpolated(value: string | number | Element): string {
  if (typeof value === 'object') return Buffer.from(serialise(value, ''), 'latin1').toString('utf8')
  // Safe in a value with either quote and in text alike.
  return escapeText(String(value)).replace(/['"\t\n]/g, (c) => `&#${c.charCodeAt(0)};`)
}

/**
 * xml`<message to='${jid}'><body>${text}</body></message>`; white space around the element is dropped, inside it is kept.
 * @throws XmlError when it is not well-formed
 */
export function xml(strings: TemplateStringsArray, ...values: readonly (string | number | Element)[]): Element {
  let out = strings[0] ?? ''
  values.forEach((value, k) => {
    out += interpolated(value) + (strings[k + 1] ?? '')
  })
  return parseElement(out.trim())
}
