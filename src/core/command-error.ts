/** Why a command was refused or failed: a value with a code, that every surface can show. */

export type CommandErrorCode = `RTK_${string}`

export class CommandError {
  readonly code: CommandErrorCode
  /** For the operator. */
  readonly text: string
  /** What to do about it, '' when there is nothing to say. */
  readonly hint: string
  /** For the log only; undefined when the code says all. */
  readonly cause: unknown

  constructor(code: CommandErrorCode, text: string, hint = '', cause?: unknown) {
    this.code = code
    this.text = text
    this.hint = hint
    this.cause = cause
  }

  /** Of anything thrown: errors of ours keep their code and text, anything else is 'failed' and only its name is shown. */
  static from(thrown: unknown): CommandError {
    if (thrown instanceof CommandError) return thrown
    if (
      thrown instanceof Error &&
      'code' in thrown &&
      typeof thrown.code === 'string' &&
      thrown.code.startsWith('RTK_')
    ) {
      return new CommandError(thrown.code as CommandErrorCode, thrown.message, '', thrown)
    }
    if (thrown instanceof DOMException && thrown.name === 'AbortError') {
      return new CommandError('RTK_COMMAND_CANCELLED', 'cancelled')
    }
    return new CommandError('RTK_COMMAND_FAILED', 'the command failed', 'the log of the server says why', thrown)
  }

  toJSON(): { code: string; text: string; hint: string } {
    return { code: this.code, text: this.text, hint: this.hint }
  }

  toString(): string {
    return `${this.code}: ${this.text}${this.hint === '' ? '' : ` (${this.hint})`}`
  }
}
