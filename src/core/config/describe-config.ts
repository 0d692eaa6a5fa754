/** Every option of the configuration file, for the guide: one row each, sections in the order of the guide. */
import { describeOptions, type OptionRow } from './describe.ts'
import { addresses, listenerOptions } from './listener-section.ts'
import type { OptionSchema } from './option.ts'
import { authOptions, plainSections, sessionOptions, shaperOptions } from './sections.ts'

/** Options of modules are added when they are given. `hosts` and `access`, which are no options, are told in the guide. */
export function describeConfig(modules: ReadonlyMap<string, OptionSchema> = new Map()): readonly OptionRow[] {
  return [
    ...describeOptions({ bind: addresses(['localhost']) }),
    ...describeOptions(listenerOptions, 'listeners[]'),
    ...describeOptions(plainSections),
    ...describeOptions(shaperOptions, 'shapers.NAME'),
    ...describeOptions(authOptions, 'auth'),
    ...describeOptions(sessionOptions, 'session'),
    ...[...modules].flatMap(([name, options]) => describeOptions(options, `modules.${name}`)),
  ]
}
