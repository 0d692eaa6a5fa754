/**
 * Options of modules, plugins, commands and of the server itself, with units, defaults, descriptions and what a reload
 * may change:
 *
 *     const options = {
 *       timeout: opt.duration({ default: '10 minutes', description: 'Silence after which a session is pinged.' }),
 *       max_items: opt.int({ default: 100, min: 1, description: 'Items in an answer.' }),
 *     }
 *     type Options = OptionsOf<typeof options>   // { readonly timeout: number; readonly max_items: number }
 *
 * The name in the code is the name in the file. An option without `default` is required; `opt.optional` makes it
 * `undefined` instead. Defaults are written as in the file and checked when the schema is made: a wrong one throws a
 * TypeError there.
 */
import { access, ruled, shaper } from './opt-rules.ts'
import {
  bool,
  bytes,
  domain,
  duration,
  frequency,
  int,
  jid,
  number,
  oneOf,
  path,
  rate,
  secret,
  string,
} from './opt-scalar.ts'
import { list, map, object, optional } from './opt-structure.ts'

export type { AccessRule, ValueRule } from '../access.ts'
export type { About } from './make.ts'
export { type Option, type OptionSchema, type OptionsOf, type Reload, Secret, type Shaping } from './option.ts'

export const opt = Object.freeze({
  /** A text. */
  string,
  /** A whole number. */
  int,
  /** Any number. */
  number,
  bool,
  /** '10 minutes', '1 hour 30 minutes': milliseconds in code. */
  duration,
  /** '256 KiB', '1 MB': bytes in code. */
  bytes,
  /** '3 KB/s': bytes a second in code. */
  rate,
  /** '50/s', '5/minute': events a second in code. */
  frequency,
  /** One of a few words. */
  oneOf,
  /** Kept out of logs; a `Secret` in code. */
  secret,
  /** A `Jid` in code. */
  jid,
  /** A domain in canonical form. */
  domain,
  /** A file's name. */
  path,
  /** The name of an access rule; the `AccessRule` in code. */
  access,
  /** The name of a shaper; its figures in code. */
  shaper,
  /** A value, or the name of a rule that chooses it by who asks; a `ValueRule` in code. */
  ruled,
  /** Several. */
  list,
  /** Names to values; a `ReadonlyMap` in code. */
  map,
  /** A group. */
  object,
  /** May be left out: undefined in code. */
  optional,
})
