/** As much reading of SQL as the engines need: where the named parameters are. */

export type Dialect = 'sqlite' | 'postgres'

export interface ParsedSql {
  /** The text between the parameters; one more than there are parameters. */
  readonly pieces: readonly string[]
  /** The parameters in order of appearance; a name may come twice. */
  readonly names: readonly string[]
}

// Literals, quoted names, comments and casts are skipped; what is left with a colon is a parameter.
const token = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|::|:([A-Za-z_][A-Za-z0-9_]*)/g

export function parseSql(sql: string): ParsedSql {
  const pieces: string[] = []
  const names: string[] = []
  let start = 0
  for (const match of sql.matchAll(token)) {
    const name = match[1]
    if (name === undefined) continue
    pieces.push(sql.slice(start, match.index))
    names.push(name)
    start = match.index + match[0].length
  }
  pieces.push(sql.slice(start))
  return { pieces, names }
}

export function parameterNames(sql: string): readonly string[] {
  return parseSql(sql).names
}

/** The tables, indexes, views and triggers that a migration makes. */
export function tablesMade(sql: string): readonly string[] {
  const made = /\bcreate\s+(?:unique\s+)?(?:table|index|view|trigger)\s+(?:if\s+not\s+exists\s+)?"?([A-Za-z0-9_]+)/gi
  return [...sql.matchAll(made)].map((match) => (match[1] ?? '').toLowerCase())
}

export function forDialect(sql: string | Readonly<Record<Dialect, string>>, dialect: Dialect): string {
  return typeof sql === 'string' ? sql : sql[dialect]
}
