/** The options of every command, where the whole line is not, or cannot be, parsed. */
import { Command } from 'commander'
import type { GlobalOptions } from './settings.ts'

/** The options that say which server is meant; none when one lacks its value. */
export function globalOptions(argv: readonly string[]): GlobalOptions {
  const reader = new Command()
    .option('-c, --config <file>')
    .option('--data-dir <folder>')
    .option('--socket <file>')
    .option('--json')
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
  try {
    reader.parse([...argv], { from: 'user' })
  } catch {
    return {}
  }
  return reader.opts()
}
