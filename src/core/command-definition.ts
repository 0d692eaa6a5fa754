/**
 * What a command is. See `commands.ts` for the registry.
 */
import type { CommandError } from './command-error.ts'
import type { FieldSchema, Json, RowOf } from './command-result.ts'
import type { OptionSchema, OptionsOf } from './config/option.ts'

/** Who asks, and how he can be reached while the command runs. */
export interface CommandCaller {
  /** For the log: 'control socket', 'rest admin@example.org'. */
  readonly name: string
  /** True when the caller may do what asks for this permission, such as 'accounts:write'. */
  permits(permission: string): boolean
  /** Aborted when the caller went away or cancelled. */
  readonly signal: AbortSignal
  /** Rows for a command that takes them; undefined when the caller sends none. */
  readonly input?: AsyncIterable<Json> | undefined
  /** Ask what would happen, change nothing. Only for commands that can. */
  readonly dryRun?: boolean
}

/** What `run` gets beside its arguments. */
export interface CommandCall<I extends OptionSchema = OptionSchema> {
  readonly caller: CommandCaller
  readonly dryRun: boolean
  readonly signal: AbortSignal
  /** Input rows, each checked; a wrong one comes as a `CommandError`. Empty when the caller sends none. */
  readonly input: AsyncIterable<OptionsOf<I> | CommandError>
  /** True when the caller sends rows. */
  readonly hasInput: boolean
  /** Counts a part that failed: the command as a whole succeeds, and the CLI ends with 1. */
  failed(): void
}

type Answer<F extends FieldSchema> = RowOf<F> | CommandError | undefined
type Answers<F extends FieldSchema> = AsyncIterable<RowOf<F>> | Iterable<RowOf<F>>

export interface CommandDefinition<
  A extends OptionSchema = OptionSchema,
  F extends FieldSchema = FieldSchema,
  I extends OptionSchema = OptionSchema,
> {
  /** Words in lower case, the noun first: 'account add'. */
  readonly name: string
  /** One sentence. */
  readonly summary: string
  /** Command lines for its help, without the program's name: 'bell ring 3'. */
  readonly examples?: readonly string[]
  /** As in 'accounts:read': what a caller must be allowed. */
  readonly permission: string
  readonly args: A
  /** Arguments that a command line gives by position, in this order. */
  readonly positional?: readonly (keyof A & string)[]
  /** Rows that the command takes. */
  readonly input?: I
  /** Fields of the result, or of each row. */
  readonly result: F
  /** True: the result is a list, shown as a table; else it is one thing. */
  readonly rows?: boolean
  /** True: it can say what it would do. */
  readonly dryRun?: boolean
  run(args: OptionsOf<A>, call: CommandCall<I>): Answer<F> | Promise<Answer<F>> | Answers<F>
}

/** Types a command; does nothing else. */
export function defineCommand<
  const A extends OptionSchema,
  const F extends FieldSchema,
  // biome-ignore lint/complexity/noBannedTypes: a command without input rows
  const I extends OptionSchema = {},
>(definition: CommandDefinition<A, F, I>): CommandDefinition<A, F, I> {
  return definition
}
