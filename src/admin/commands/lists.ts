/** Lists of names in answers and in the log. */

/** Names that are told of a list; other commands, such as `host list`, know the rest. */
const namesTold = 100

/** Of 10,000 names nobody reads all. */
export function shortened(names: readonly string[], most = namesTold): readonly string[] {
  if (names.length <= most) return names
  return [...names.slice(0, most), `and ${(names.length - most).toLocaleString('en')} more`]
}
