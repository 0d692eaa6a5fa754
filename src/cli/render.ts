/** Results as text: tables for lists, two columns for one thing. The server says by the forms of its fields how. */
import type { CommandDescription } from '../core/command-description.ts'
import type { FieldForm, Json, Row } from '../core/command-result.ts'
import type { OptionRow } from '../core/config/index.ts'
import { showBytes } from '../core/config/units.ts'

type Fields = CommandDescription['result']

/** Rows whose widths decide those of the columns; later ones may be wider. */
const MEASURED = 500

function showSpan(ms: number): string {
  const seconds = Math.floor(ms / 1_000)
  const parts: readonly [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ]
  const first = parts.findIndex(([count]) => count > 0)
  if (first < 0) return '0 s'
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ')
}

/** What a peer may have chosen (a resource, a reason) is shown without the characters that a terminal obeys. */
function plain(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}

export function showValue(form: FieldForm, value: Json | undefined): string {
  if (value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)) return '-'
  switch (form) {
    case 'bool':
      return value === true ? 'yes' : 'no'
    case 'duration':
      return typeof value === 'number' ? showSpan(value) : String(value)
    case 'bytes':
      return typeof value === 'number' ? showBytes(value) : String(value)
    case 'time':
      return plain(
        String(value)
          .replace('T', ' ')
          .replace(/\.\d+Z$/, 'Z'),
      )
    case 'list':
      return Array.isArray(value) ? value.map((item) => plain(String(item))).join(', ') : String(value)
    case 'json':
      return plain(JSON.stringify(value))
    case 'lines':
      return String(value).split('\n').map(plain).join('\n')
    default:
      return plain(String(value))
  }
}

/** What an option or argument is for, with the words that it may be. */
export function meaningOf({ description, type, values }: OptionRow): string {
  if (values.length === 0) return description
  return `${description} ${type === 'list' ? 'Any of' : 'One of'} ${values.join(', ')}.`
}

/** Characters that take two columns, roughly: enough for names in East Asian scripts. */
function width(text: string): number {
  let sum = 0
  for (const character of text)
    sum += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60\u{1f300}-\u{1faff}]/u.test(character)
      ? 2
      : 1
  return sum
}

/** As much of a line as so many columns show. */
export function fit(text: string, columns: number): string {
  let left = columns
  let shown = ''
  for (const character of text) {
    left -= width(character)
    if (left < 0) break
    shown += character
  }
  return shown
}

const pad = (text: string, to: number) => text + ' '.repeat(Math.max(0, to - width(text)))

/** One thing: a line a field, lists a line an item. */
export function renderOne(fields: Fields, row: Row): string {
  const shown = fields.filter((field) => field.title !== '' && field.form !== 'lines')
  const left = Math.max(0, ...shown.map((field) => width(field.title))) + 2
  let text = ''
  for (const { name, title, form } of shown) {
    const value = row[name]
    const items =
      form === 'list' && Array.isArray(value) && value.length > 1
        ? value.map((item) => showValue('text', item))
        : undefined
    for (const [i, line] of (items ?? [showValue(form, value)]).entries())
      text += `${pad(i === 0 ? title : '', left)}${line}\n`
  }
  for (const { name, form } of fields)
    if (form === 'lines' && row[name] !== '') text += `${showValue('lines', row[name])}\n`
  return text
}

/** A table that is written while its rows come. */
export class TableWriter {
  readonly #fields: Fields
  readonly #write: (text: string) => void
  #waiting: string[][] | undefined = []
  #widths: readonly number[] = []

  constructor(fields: Fields, write: (text: string) => void) {
    this.#fields = fields.filter((field) => field.title !== '')
    this.#write = write
  }

  row(row: Row): void {
    const cells = this.#fields.map(({ form, name }) => showValue(form, row[name]))
    if (this.#waiting === undefined) this.#line(cells)
    else if (this.#waiting.push(cells) >= MEASURED) this.#begin()
  }

  end(): void {
    this.#begin()
  }

  #begin(): void {
    const rows = this.#waiting
    if (rows === undefined) return
    this.#waiting = undefined
    if (rows.length === 0) return
    const head = this.#fields.map((field) => field.title)
    this.#widths = head.map((title, i) => Math.max(width(title), ...rows.map((cells) => width(cells[i] ?? ''))))
    this.#line(head)
    for (const cells of rows) this.#line(cells)
  }

  #line(cells: readonly string[]): void {
    const line = cells.map((cell, i) =>
      this.#isNumber(i) ? cell.padStart(this.#widths[i] ?? 0) : pad(cell, this.#widths[i] ?? 0),
    )
    this.#write(`${line.join('  ').trimEnd()}\n`)
  }

  #isNumber(column: number): boolean {
    const form = this.#fields[column]?.form
    return form === 'int' || form === 'bytes'
  }
}
