/** The world failed: a database, a name server, a peer, a disk. `temporary` tells whether trying again may help. */
export class WorldError extends Error {
  readonly code: string
  readonly temporary: boolean

  constructor(code: `RTK_${string}`, text: string, options: { temporary: boolean; cause?: unknown }) {
    super(text, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'WorldError'
    this.code = code
    this.temporary = options.temporary
  }
}
