/**
 * The few options that a command needs of a configuration before it is checked, or although it has mistakes: where the
 * control socket is, how to log. What cannot be read counts as left out.
 */
import type { Disk } from '../../world/disk.types.ts'
import { entryOf } from './input.ts'
import type { OpenedConfig } from './load.ts'
import { plainReading } from './make.ts'
import type { Option } from './option.ts'
import { type ControlConfig, type LogConfig, plainSections } from './sections.ts'

export interface PeekedConfig {
  /** Absolute. */
  readonly dataDir: string
  /** Its `socket` is absolute. */
  readonly control: ControlConfig
  readonly log: LogConfig
}

/** `dataDir` stands in place of `data_dir`, as in `FinishOptions`. */
export function peekConfig(
  { document, folder }: OpenedConfig,
  disk: Pick<Disk, 'resolve'>,
  dataDir?: string,
): PeekedConfig {
  const read = <T>(name: string, option: Option<T>): T => {
    const input = entryOf(document.input, name)?.value
    const value = input === undefined ? undefined : option.read(input, plainReading())
    return value ?? (option.absent(document.input, name, plainReading()) as T)
  }
  const control = read('control', plainSections.control)
  const given = read('data_dir', plainSections.data_dir)
  return {
    dataDir: dataDir === undefined ? disk.resolve(folder, given) : disk.resolve('', dataDir),
    control: { ...control, socket: control.socket === undefined ? undefined : disk.resolve(folder, control.socket) },
    log: read('log', plainSections.log),
  }
}
