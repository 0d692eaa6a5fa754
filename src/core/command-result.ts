/** The fields of a command's result: types for code and JSON, titles and forms for tables. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** One row, or the whole result of a command that gives one. */
export type Row = { readonly [key: string]: Json }

/**
 * How a field is shown in text: `time` is an ISO 8601 text, `duration` milliseconds, `bytes` a count; `lines` a text that
 * is shown as it is, below the table.
 */
export type FieldForm = 'text' | 'int' | 'bool' | 'time' | 'duration' | 'bytes' | 'list' | 'json' | 'lines'

export interface Field<T> {
  readonly form: FieldForm
  /** Head of the column; '' keeps the field out of tables. */
  readonly title: string
  readonly description: string
  /** Never set: carries the type. */
  readonly type?: T
}

export type FieldSchema = { readonly [name: string]: Field<unknown> }

export type RowOf<F extends FieldSchema> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never }

function of<T>(form: FieldForm) {
  return (title: string, description: string): Field<T> => ({ form, title, description })
}

export const field = Object.freeze({
  text: of<string>('text'),
  int: of<number>('int'),
  bool: of<boolean>('bool'),
  /** ISO 8601; '' for never. */
  time: of<string>('time'),
  /** Milliseconds. */
  duration: of<number>('duration'),
  bytes: of<number>('bytes'),
  list: of<readonly string[]>('list'),
  json: of<Json>('json'),
  lines: of<string>('lines'),
})
