/** How the command ends. Told in `ratatosk --help` and in the guide; scripts rely on it. */
export const EXIT = {
  ok: 0,
  /** Refused, failed in part, or mistakes in the configuration. */
  refused: 1,
  /** The command line is wrong. */
  usage: 2,
  /** No server answers on the control socket, or it went away. */
  noServer: 3,
  /** The server could not start: address in use, data directory locked, store. */
  cannotStart: 4,
  /** A fault in the program. */
  fault: 70,
  /** Ended by Ctrl-C. */
  interrupted: 130,
} as const

/** Ends the command with a text for the user. */
export class CliError extends Error {
  readonly code: `RTK_${string}`
  readonly hint: string
  readonly exit: number

  constructor(exit: number, code: `RTK_${string}`, text: string, hint = '') {
    super(text)
    this.exit = exit
    this.code = code
    this.hint = hint
  }
}
