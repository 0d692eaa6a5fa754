/** What a configuration names outside itself: certificates, keys, files of secrets. Looked at after the check, all at once. */

import { toAscii } from '../../jid/index.ts'
import type { Disk } from '../../world/disk.types.ts'
import { WorldError } from '../../world/error.ts'
import type { RevocationList, Tls, TlsCertificate } from '../../world/net.types.ts'
import { UNIX_PATH_LIMIT } from '../../world/net-error.ts'
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
  /** Wall-clock milliseconds since 1970: without it nothing is said of what has expired. */
  readonly now?: (() => number) | undefined
  /** A variable of the environment. Without it there are none: an embedded server does not look at its program's. */
  readonly variable?: ((name: string) => string | undefined) | undefined
}

type StringInput = Extract<Input, { kind: 'string' }>

/** Reports missing and unfit files, and fills in the secrets that stand in files. `folder` is that of the configuration. */
export async function checkFiles(checked: Checked, folder: string, doors: FileDoors): Promise<readonly Mistake[]> {
  const report = new Report(checked.document.report.file)
  const certificates: TlsCertificate[] = []
  for (const pair of certificatePairs(checked.document.input)) {
    const certificate = await checkPair(pair, folder, doors, report)
    if (certificate !== undefined) certificates.push(certificate)
  }
  warnOfHostsWithout(certificates, checked, report)
  const tls = entryOf(checked.document.input, 'tls')?.value
  if (tls?.kind === 'map') await checkClientAuthorities(tls, folder, doors, report)
  await checkStoreAuthorities(checked.document.input, folder, doors, report)
  for (const input of socketNames(checked.document.input)) checkSocketName(input, folder, doors, report)
  for (const section of jwtSections(checked.document.input)) await checkTokenKeys(section, folder, doors, report)
  await readSecrets(checked, folder, doors, report)
  return report.sorted()
}

/** Names of Unix sockets that the server would make. */
function socketNames(root: MapInput): readonly StringInput[] {
  const listeners = entryOf(root, 'listeners')?.value
  const control = entryOf(root, 'control')?.value
  const named = (owner: Input | undefined, key: string) =>
    owner?.kind === 'map' ? entryOf(owner, key)?.value : undefined
  const items = listeners?.kind === 'list' ? listeners.items : []
  return [named(control, 'socket'), ...items.map((item) => named(item, 'path'))].filter((one) => one?.kind === 'string')
}

/** As it will be, because a relative name may be short and its folder's long. */
function checkSocketName(input: StringInput, folder: string, { disk }: FileDoors, report: Report): void {
  const path = disk.resolve(folder, input.value)
  const size = Buffer.byteLength(path)
  if (size <= UNIX_PATH_LIMIT) return
  const text = `a Unix socket's name has at most ${UNIX_PATH_LIMIT} bytes, ${path} has ${size}`
  report.error(input, 'RTK_CONFIG_RANGE', text, 'choose a shorter one')
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

/** Undefined when it cannot be used, or nobody can tell. */
async function checkPair(
  pair: MapInput,
  folder: string,
  doors: FileDoors,
  report: Report,
): Promise<TlsCertificate | undefined> {
  const cert = await textOf(pair, 'cert', folder, doors, report)
  const key = await textOf(pair, 'key', folder, doors, report)
  if (key !== undefined) await warnOfReaders(key.input, key.path, 'this private key', doors, report)
  if (cert === undefined || key === undefined || doors.tls === undefined) return undefined
  try {
    const certificate = doors.tls.prepare({ certPem: cert.text, keyPem: key.text })
    const now = doors.now?.()
    if (now !== undefined && certificate.notAfter.getTime() <= now) {
      const text = `this certificate expired at ${certificate.notAfter.toISOString()}: clients refuse it`
      report.warning(cert.input, 'RTK_CONFIG_CERTIFICATE', text, 'fetch a new one, and reload')
    }
    return certificate
  } catch (error) {
    const text = error instanceof WorldError ? error.message : 'certificate and key cannot be used together'
    const hint = 'PEM: the chain with the own certificate first, and its key'
    return report.error(cert.input, 'RTK_CONFIG_CERTIFICATE', text, hint)
  }
}

/**
 * A host that no certificate names gets one of the server's own authority, which clients at large do not trust: with certificates of
 * one's own that is hardly meant. `localhost` and its like may be.
 */
function warnOfHostsWithout(
  certificates: readonly TlsCertificate[],
  { config, document }: Checked,
  report: Report,
): void {
  const tls = entryOf(document.input, 'tls')?.value
  const list = tls?.kind === 'map' ? entryOf(tls, 'certificates')?.value : undefined
  if (config === undefined || list === undefined || certificates.length === 0) return
  const names = new Set(certificates.flatMap((certificate) => certificate.names))
  // Such as have no names, or wildcards of another form, have to be asked.
  const others = certificates.filter(
    (one) => one.names.length === 0 || one.names.some((name) => name.lastIndexOf('*') > 0),
  )
  const without = [...config.hosts.keys()].filter((domain) => {
    const name = toAscii(domain).toLowerCase()
    const dot = name.indexOf('.')
    if (dot < 0 || /^[\d.]+$/.test(name) || name.startsWith('[')) return false
    return !names.has(name) && !names.has(`*${name.slice(dot)}`) && !others.some((one) => one.isFor(name))
  })
  if (without.length === 0) return
  const more = without.length > 3 ? ` and ${without.length - 3} more` : ''
  const text = `no certificate is for ${without.slice(0, 3).join(', ')}${more}`
  const hint = "a certificate of the server's own authority takes its place, which clients do not trust"
  report.warning(list, 'RTK_CONFIG_CERTIFICATE', text, hint)
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
  const text = await readOrReport(input, path, (name) => doors.disk.readText(name), report)
  return text === undefined ? undefined : { input, path, text }
}

async function readOrReport<T>(
  input: Input,
  path: string,
  read: (path: string) => Promise<T>,
  report: Report,
): Promise<T | undefined> {
  try {
    return await read(path)
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

/** Roots of certificates that clients sign in by, and what they have taken back. */
async function checkClientAuthorities(tls: MapInput, folder: string, doors: FileDoors, report: Report): Promise<void> {
  const roots = await textOf(tls, 'client_ca', folder, doors, report)
  const given = entryOf(tls, 'client_crl')?.value
  const items = given?.kind === 'list' ? given.items : [given]
  const lists: RevocationList[] = []
  for (const item of items) {
    if (item?.kind === 'string') lists.push(...(await revocationLists(item, folder, doors, report)))
  }
  const [first] = items
  if (first === undefined) return
  if (entryOf(tls, 'client_ca') === undefined) {
    report.error(first, 'RTK_CONFIG_CRL', 'there is nobody whose certificates it is for', "set 'client_ca' beside it")
    return
  }
  if (roots === undefined || lists.length === 0) return
  // A root that cannot be read is told of when the server starts.
  for (const name of doors.tls?.withoutList(lists, roots.text) ?? []) {
    const text = `${name} in ${roots.path} has no list here: none of its certificates counts`
    report.warning(first, 'RTK_CONFIG_CRL', text, 'add its list, empty or not, or take it out of client_ca')
  }
}

async function revocationLists(
  input: StringInput,
  folder: string,
  doors: FileDoors,
  report: Report,
): Promise<readonly RevocationList[]> {
  const path = doors.disk.resolve(folder, input.value)
  const bytes = await readOrReport(input, path, (name) => doors.disk.readBytes(name), report)
  if (bytes === undefined || doors.tls === undefined) return []
  let lists: readonly RevocationList[]
  try {
    lists = doors.tls.revocations(bytes)
  } catch (error) {
    if (!(error instanceof WorldError)) throw error
    const hint = 'PEM or DER, as `openssl crl -in FILE -noout -text` shows it'
    report.error(input, 'RTK_CONFIG_CRL', `${path}: ${error.message}`, hint)
    return []
  }
  const now = doors.now?.()
  for (const { issuer, thisUpdate, nextUpdate } of lists) {
    const [from, until] = [thisUpdate.toISOString(), nextUpdate?.toISOString()]
    if (now === undefined) continue
    if (nextUpdate !== undefined && nextUpdate.getTime() <= now) {
      const text = `the list of ${issuer} in ${path} expired at ${until}: none of its certificates counts`
      report.warning(input, 'RTK_CONFIG_CRL', text, 'fetch the present one, and reload')
    } else if (thisUpdate.getTime() > now) {
      const text = `the list of ${issuer} in ${path} is for the time from ${from} on: none of its certificates counts`
      report.warning(input, 'RTK_CONFIG_CRL', text, 'is the clock right?')
    }
  }
  return lists
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
    const text = await readOrReport(input, path, (name) => doors.disk.readText(name), report)
    if (text === undefined) continue
    const [line = ''] = text.split(/\r?\n/)
    if (line === '')
      report.error(input, 'RTK_CONFIG_FILE', `the first line of ${path} is empty`, 'write the secret there')
    fill(line)
    await warnOfReaders(input, path, 'this secret', doors, report)
  }
}
