/** Command lines as somebody types them, or a script. */
import type { World } from '../world/world.types.ts'
import { runCli } from './program.ts'
import type { Terminal } from './terminal.ts'

/** What was said on standard output and standard error. */
export interface Said {
  out: string
  err: string
}

export interface Ran extends Readonly<Said> {
  readonly exit: number
}

/** Runs one in a pipe without input; `more` makes it a terminal, or gives it something to read. */
export async function run(
  world: World,
  argv: readonly string[],
  more: (said: Said) => Partial<Terminal> = () => ({}),
): Promise<Ran> {
  const said: Said = { out: '', err: '' }
  const terminal: Terminal = {
    out: (text) => {
      said.out += text
    },
    err: (text) => {
      said.err += text
    },
    isOutTty: false,
    isErrTty: false,
    isInTty: false,
    lines: async function* () {},
    askSecrets: () => Promise.resolve(undefined),
    ...more(said),
  }
  const exit = await runCli(argv, { terminal, variables: {}, world, uid: process.getuid?.() })
  return { exit, ...said }
}
