/**
 * What one option is: a plain description that also reads and checks. The helpers of `opt.ts` make them; plugins see
 * only these types.
 */
import type { AccessRule, Matcher } from '../access.ts'
import type { Input } from './input.ts'
import type { Report } from './mistake.ts'

/** `hot`: a reload takes it over; `restart`: it is read once, when the server starts. */
export type Reload = 'hot' | 'restart'

export type OptionKind =
  | 'string'
  | 'int'
  | 'number'
  | 'bool'
  | 'duration'
  | 'bytes'
  | 'rate'
  | 'frequency'
  | 'secret'
  | 'jid'
  | 'domain'
  | 'path'
  | 'one of'
  | 'list'
  | 'map'
  | 'object'
  | 'access rule'
  | 'shaper'
  | 'value rule'

/** Names that options refer to, known before any option is read. */
export interface Names {
  readonly rules: ReadonlyMap<string, AccessRule>
  /** Value rules by name, as written: each option reads the values as its own kind. */
  readonly valueRules: ReadonlyMap<string, ValueRuleInput>
  readonly shapers: ReadonlyMap<string, Shaping>
}

/** A shaper's figures; both are Infinity for no shaping. */
export interface Shaping {
  readonly name: string
  /** Bytes a second. */
  readonly rate: number
  /** Bytes that may pass at once after silence. */
  readonly burst: number
}

export interface ValueRuleInput {
  readonly lines: readonly {
    readonly value: Input
    readonly matcher: Matcher
    readonly source: string
  }[]
}

export interface Reading {
  readonly report: Report
  readonly names: Names
  /** Every secret that was read, in the file or as the name of one. */
  readonly secrets: SecretRead[]
}

export interface SecretRead {
  readonly input: Input
  /** The file that holds it; undefined when it was written out, or is in the environment. */
  readonly file: string | undefined
  /** The variable of the environment that holds it. */
  readonly variable?: string
  /** For whoever may read files, before the configuration is used. */
  readonly fill: (text: string) => void
}

export interface Option<T> {
  readonly kind: OptionKind
  readonly description: string
  readonly reload: Reload
  readonly secret: boolean
  /** True: there is no default, and leaving it out is a mistake. */
  readonly required: boolean
  /** The default as one would write it; undefined for none. */
  readonly defaultText: string | undefined
  /** What a value looks like, for mistakes and tables: "a duration such as '10 minutes'". */
  readonly expects: string
  /** Unit of the value in code: 'ms', 'bytes', 'bytes/s', '1/s', '' for none. */
  readonly unit: string
  readonly min: number | undefined
  readonly max: number | undefined
  /** True: 'unlimited' is a value too. */
  readonly unlimited: boolean
  /** Of a text its characters, of a list or map its members. */
  readonly lengths: { readonly min: number | undefined; readonly max: number | undefined }
  /** Of `opt.oneOf`. */
  readonly values: readonly string[] | undefined
  /** Of `opt.object`. */
  readonly fields: OptionSchema | undefined
  /** Of `opt.list` and `opt.map`. */
  readonly of: Option<unknown> | undefined
  /** The value when the option is left out of `parent`; reports when it is required. Undefined after a mistake. */
  absent(parent: Input, key: string, reading: Reading): T | undefined
  /** Reports every mistake in `input`; undefined after one. */
  read(input: Input, reading: Reading): T | undefined
}

export type OptionSchema = { readonly [name: string]: Option<unknown> }

/** The plain, read-only object that a schema gives. */
export type OptionsOf<S extends OptionSchema> = { readonly [K in keyof S]: S[K] extends Option<infer T> ? T : never }

/** A value that prints as '[secret]' wherever it is shown; only `reveal` gives it away. */
export class Secret {
  #text: string

  constructor(text: string) {
    this.#text = text
  }

  reveal(): string {
    return this.#text
  }

  /** For the loader, when the secret stands in a file of its own. */
  static waiting(): { readonly secret: Secret; readonly fill: (text: string) => void } {
    const secret = new Secret('')
    return {
      secret,
      fill: (text) => {
        secret.#text = text
      },
    }
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }
}
