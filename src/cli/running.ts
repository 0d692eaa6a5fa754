/**
 * Servers of one configuration that run on this machine, found by what Linux knows of its processes. The configuration tells where a
 * server will have its control socket when it starts; one that started before `data_dir` or `control.socket` changed has it elsewhere.
 */
import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { globalOptions } from './global-options.ts'

/** A server's process and the Unix sockets it listens on; one of them is its control socket. */
export interface Running {
  readonly pid: number
  readonly uid: number
  readonly sockets: readonly string[]
}

/** How a server was started, or is meant: absolute names. */
export interface Meant {
  readonly file: string
  /** Of `--data-dir`. */
  readonly dataDir: string | undefined
}

/** `proc` is for tests. Empty where the system does not tell, as anywhere but on Linux. */
export async function serversOf(meant: Meant, proc = '/proc'): Promise<readonly Running[]> {
  const names = await readdir(proc).catch(() => [])
  const found: Running[] = []
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue
    // A process that ends meanwhile, or that belongs to somebody else, cannot be read: it is none of those.
    const running = await lookAt(`${proc}/${name}`, Number(name), meant).catch(() => undefined)
    if (running !== undefined && running.sockets.length > 0) found.push(running)
  }
  return found
}

async function lookAt(folder: string, pid: number, meant: Meant): Promise<Running | undefined> {
  const line = (await readFile(`${folder}/cmdline`, 'utf8')).split('\0').slice(0, -1)
  const main = line.findIndex((word) => /(?:^|\/)cli\/main\.[jt]s$/.test(word))
  const args = line.slice(main + 1)
  if (main < 0 || !args.includes('serve')) return undefined
  const cwd = await readlink(`${folder}/cwd`)
  const variables = (await readFile(`${folder}/environ`, 'utf8')).split('\0')
  const named = variables.find((entry) => entry.startsWith('RATATOSK_CONFIG='))?.slice('RATATOSK_CONFIG='.length)
  const { config, dataDir } = globalOptions(args)
  const file = resolve(cwd, config ?? (named || 'ratatosk.yaml'))
  if (file !== meant.file || (dataDir === undefined ? undefined : resolve(cwd, dataDir)) !== meant.dataDir)
    return undefined
  const { uid } = await stat(folder)
  return { pid, uid, sockets: await listening(folder) }
}

/** __SO_ACCEPTCON of Linux: the socket listens. */
const LISTENING = '00010000'

async function listening(folder: string): Promise<readonly string[]> {
  const inodes = new Set<string>()
  for (const name of await readdir(`${folder}/fd`)) {
    const target = await readlink(`${folder}/fd/${name}`).catch(() => '')
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1]
    if (inode !== undefined) inodes.add(inode)
  }
  const paths: string[] = []
  // Num RefCount Protocol Flags Type St Inode Path (proc_pid_net(5)); the path may have blanks in it.
  for (const row of (await readFile(`${folder}/net/unix`, 'utf8')).split('\n')) {
    const [, flags, inode, path] = /^\S+: \S+ \S+ (\S+) \S+ \S+ +(\d+) (\/.*)$/.exec(row) ?? []
    if (flags === LISTENING && inodes.has(inode ?? '') && path !== undefined) paths.push(path)
  }
  return paths
}
