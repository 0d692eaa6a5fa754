/** JID Escaping, XEP-0106: characters that a localpart cannot hold, for display and for gateways. */

const ESCAPES: ReadonlyMap<string, string> = new Map([
  [' ', '\\20'],
  ['"', '\\22'],
  ['&', '\\26'],
  ["'", '\\27'],
  ['/', '\\2f'],
  [':', '\\3a'],
  ['<', '\\3c'],
  ['>', '\\3e'],
  ['@', '\\40'],
  ['\\', '\\5c'],
])
const CHARACTERS: ReadonlyMap<string, string> = new Map(
  [...ESCAPES].map(([character, escaped]) => [escaped, character]),
)

/**
 * Section 3.2. A backslash is escaped only where it would begin an escape sequence (section 4.1, rule 7).
 * Undefined when the text begins or ends with a space, which has no escaped form (rule 6).
 */
export function escapeLocal(text: string): string | undefined {
  if (text.startsWith(' ') || text.endsWith(' ')) return undefined
  return text.replace(/[ "&'/:<>@]|\\(?=20|22|26|27|2f|3a|3c|3e|40|5c)/g, (c) => ESCAPES.get(c) ?? c)
}

/** Section 3.3. What is no escape sequence stays as it is, an escaped space at either end too. */
export function unescapeLocal(local: string): string {
  return local.replace(/\\(?:20|22|26|27|2f|3a|3c|3e|40|5c)/g, (sequence, at: number) =>
    sequence === '\\20' && (at === 0 || at + 3 === local.length) ? sequence : (CHARACTERS.get(sequence) ?? sequence),
  )
}
