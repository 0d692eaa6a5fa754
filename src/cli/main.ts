/** The command `ratatosk`. */
import { createWorld } from '../world/index.ts'
import { EXIT } from './exit.ts'
import { runCli } from './program.ts'
import { RealTerminal } from './terminal.ts'

const terminal = new RealTerminal()

try {
  process.exitCode = await runCli(process.argv.slice(2), {
    terminal,
    variables: process.env,
    world: createWorld(),
    uid: process.getuid?.(),
  })
} catch (error) {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  terminal.err(`ratatosk: a fault in the program: ${text}\n`)
  process.exitCode = EXIT.fault
}
