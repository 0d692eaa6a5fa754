/** A command as JSON, from which a command line, a form or an OpenAPI document is made without the command itself. */
import type { CommandDefinition } from './command-definition.ts'
import type { FieldForm, FieldSchema } from './command-result.ts'
import { describeOptions, type OptionRow } from './config/describe.ts'

export interface CommandDescription {
  readonly name: string
  readonly summary: string
  readonly examples: readonly string[]
  readonly permission: string
  readonly args: readonly OptionRow[]
  readonly positional: readonly string[]
  /** Fields of the rows that it takes; undefined when it takes none. */
  readonly input?: readonly OptionRow[]
  readonly result: readonly { name: string; form: FieldForm; title: string; description: string }[]
  /** True: a list of them. */
  readonly rows: boolean
  readonly dryRun: boolean
}

function describeFields(schema: FieldSchema): CommandDescription['result'] {
  return Object.entries(schema).map(([name, { form, title, description }]) => ({ name, form, title, description }))
}

export function describeCommand(definition: CommandDefinition): CommandDescription {
  return {
    name: definition.name,
    summary: definition.summary,
    examples: definition.examples ?? [],
    permission: definition.permission,
    args: describeOptions(definition.args),
    positional: definition.positional ?? [],
    ...(definition.input === undefined ? {} : { input: describeOptions(definition.input) }),
    result: describeFields(definition.result),
    rows: definition.rows === true,
    dryRun: definition.dryRun === true,
  }
}
