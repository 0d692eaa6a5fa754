/** What the options of `store` have to do with each other. */
import { entryOf, type MapInput } from './input.ts'
import type { Report } from './mistake.ts'

/** Options that only PostgreSQL has, and those that it lacks. */
const OF_POSTGRES = ['url', 'password', 'tls', 'tls_ca']
const OF_SQLITE = ['path', 'synchronous']

/** Reports what is missing for the engine (an error), and what says nothing to it (warnings). */
export function checkStore(root: MapInput, engine: string, report: Report): void {
  const section = entryOf(root, 'store')?.value
  if (section?.kind !== 'map') return
  const at = entryOf(section, 'engine')?.value ?? section
  if (engine === 'postgres' && entryOf(section, 'url') === undefined) {
    const hint = `for example 'url: postgres://ratatosk@db.example.org/ratatosk'`
    report.error(at, 'RTK_CONFIG_MISSING', `'url' is missing: the engine postgres needs it`, hint)
  }
  for (const name of engine === 'postgres' ? OF_SQLITE : OF_POSTGRES) {
    const entry = entryOf(section, name)
    if (entry === undefined) continue
    const place = { place: entry.place, path: entry.value.path }
    report.warning(place, 'RTK_CONFIG_VALUE', `store.${name} means nothing to the engine ${engine}`, 'take it out')
  }
}
