/** What a configuration names outside itself: certificates, keys, files of secrets. Looked at after the check, all at once. */
import type { Disk } from '../../world/disk.types.ts'
import { WorldError } from '../../world/error.ts'
import type { Tls } from '../../world/net.types.ts'
import type { Checked } from './check.ts'
import { entryOf, type Input, type MapInput } from './input.ts'
import { checkKeys, jwtSections } from './jwt-section.ts'
import { type Mistake, Report } from './mistake.ts'

export interface FileDoors {
  readonly disk: Disk
  /** To see whether certificate and key fit; undefined: only whether they are there. */
  readonly tls?: Tls | undefined
  /** Permission bits of a file; undefined where nobody can tell. Without it nothing is said of readable secrets. */
  readonly modeOf?: ((path: string) => Promise<number | undefined>) | undefined
  /** A variable of the environment. Without it there are none: an embedded server does not look at its program's. */
  readonly variable?: ((name: string) => string | undefined) | undefined
}

type StringInput = Extract<Input, { kind: 'string' }>

/** Reports missing and unfit files, and fills in the secrets that stand in files. `folder` is that of the configuration. */
export async function checkFiles(checked: Checked, folder: string, doors: FileDoors): Promise<readonly Mistake[]> {
  const report = new Report(checked.document.report.file)
  for (const pair of certificatePairs(checked.document.input)) await checkPair(pair, folder, doors, report)
  const tls = entryOf(checked.document.input, 'tls')?.value
  if (tls?.kind === 'map') await textOf(tls, 'client_ca', folder, doors, report)
  await checkStoreAuthorities(checked.document.input, folder, doors, report)
  for (const section of jwtSections(checked.document.input)) await checkTokenKeys(section, folder, doors, report)
  await readSecrets(checked, folder, doors, report)
  return report.sorted()
}

function certificatePairs(root: MapInput): readonly MapInput[] {
  const listeners = entryOf(root, 'listeners')?.value
  const owners = [entryOf(root, 'tls')?.value, ...(listeners?.kind === 'list' ? listeners.items : [listeners])]
  return owners.flatMap((owner) => {
    const list = owner?.kind === 'map' ? entryOf(owner, 'certificates')?.value : undefined
    const items = list?.kind === 'list' ? list.items : [list]
    return items.filter((item) => item?.kind === 'map')
  })
}

async function checkPair(pair: MapInput, folder: string, doors: FileDoors, report: Report): Promise<void> {
  const cert = await textOf(pair, 'cert', folder, doors, report)
  const key = await textOf(pair, 'key', folder, doors, report)
  if (key !== undefined) await warnOfReaders(key.input, key.path, 'this private key', doors, report)
  if (cert === undefined || key === undefined || doors.tls === undefined) return
  try {
    doors.tls.prepare({ certPem: cert.text, keyPem: key.text })
  } catch (error) {
    const text = error instanceof WorldError ? error.message : 'certificate and key cannot be used together'
    report.error(
      cert.input,
      'RTK_CONFIG_CERTIFICATE',
      text,
      'PEM: the chain with the own certificate first, and its key',
    )
  }
}

interface FileText {
  readonly input: StringInput
  readonly path: string
  readonly text: string
}

async function textOf(
  pair: MapInput,
  name: string,
  folder: string,
  doors: FileDoors,
  report: Report,
): Promise<FileText | undefined> {
  const input = entryOf(pair, name)?.value
  // Of another kind, or missing: reported by the check.
  if (input?.kind !== 'string') return undefined
  const path = doors.disk.resolve(folder, input.value)
  const text = await readOrReport(input, path, doors, report)
  return text === undefined ? undefined : { input, path, text }
}

async function readOrReport(input: Input, path: string, doors: FileDoors, report: Report): Promise<string | undefined> {
  try {
    return await doors.disk.readText(path)
  } catch (error) {
    if (!(error instanceof WorldError)) throw error
    const missing = error.code === 'RTK_DISK_NOT_FOUND'
    const code = missing ? 'RTK_CONFIG_FILE_MISSING' : 'RTK_CONFIG_FILE'
    const text = missing ? `there is no file ${path}` : error.message
    return report.error(input, code, text, missing ? missingHint(input, path) : 'can the server read it?')
  }
}

/** A relative name is taken from the folder of the configuration, which is not where everybody looks for it. */
function missingHint(input: Input, path: string): string {
  const isRelative = input.kind === 'string' && input.value !== path
  return isRelative ? 'a relative name is taken from the folder of this file' : 'is the name right?'
}

async function warnOfReaders(
  input: Input,
  path: string,
  what: string,
  doors: FileDoors,
  report: Report,
): Promise<void> {
  const mode = await doors.modeOf?.(path)
  if (mode === undefined || (mode & 0o004) === 0) return
  report.warning(input, 'RTK_CONFIG_READABLE', `everybody on this machine can read ${what}`, `chmod o-r ${path}`)
}

async function checkStoreAuthorities(root: MapInput, folder: string, doors: FileDoors, report: Report): Promise<void> {
  const store = entryOf(root, 'store')?.value
  if (store?.kind !== 'map') return
  const found = await textOf(store, 'tls_ca', folder, doors, report)
  if (found === undefined || found.text.includes('-----BEGIN CERTIFICATE-----')) return
  report.error(found.input, 'RTK_CONFIG_CERTIFICATE', `${found.path} holds no certificate`, 'PEM: one or several')
}

async function checkTokenKeys(section: MapInput, folder: string, doors: FileDoors, report: Report): Promise<void> {
  const found = await textOf(section, 'keys', folder, doors, report)
  if (found === undefined) return
  const isSecret = checkKeys(section, found.input, found.path, found.text, report)
  if (isSecret) await warnOfReaders(found.input, found.path, 'this shared secret', doors, report)
}

function readVariable(name: string, input: Input, doors: FileDoors, report: Report): string {
  const text = doors.variable?.(name) ?? ''
  const hint = doors.variable === undefined ? 'an embedded server is not told of any' : 'set it before the start'
  if (text === '') report.error(input, 'RTK_CONFIG_VALUE', `the environment has no variable ${name}`, hint)
  return text
}

async function readSecrets(checked: Checked, folder: string, doors: FileDoors, report: Report): Promise<void> {
  const file = checked.document.report.file
  for (const { input, file: own, variable, fill } of checked.secrets) {
    if (variable !== undefined) {
      fill(readVariable(variable, input, doors, report))
      continue
    }
    if (own === undefined) {
      if (file !== '') await warnOfReaders(input, file, 'this secret', doors, report)
      continue
    }
    const path = doors.disk.resolve(folder, own)
    const text = await readOrReport(input, path, doors, report)
    if (text === undefined) continue
    const [line = ''] = text.split(/\r?\n/)
    if (line === '')
      report.error(input, 'RTK_CONFIG_FILE', `the first line of ${path} is empty`, 'write the secret there')
    fill(line)
    await warnOfReaders(input, path, 'this secret', doors, report)
  }
}
