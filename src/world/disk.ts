/** Real files. Writing is atomic and durable: temporary name, fsync, rename, fsync of the directory. */
import { randomBytes } from 'node:crypto'
import { access, chmod, constants, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve as resolvePath } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { Disk } from './disk.types.ts'
import { WorldError } from './error.ts'

/** The file within a data directory that carries its lock and the holder's process number. */
export const LOCK_FILE = 'lock'

const codes: ReadonlyMap<string, `RTK_DISK_${string}`> = new Map([
  ['ENOENT', 'RTK_DISK_NOT_FOUND'],
  ['EACCES', 'RTK_DISK_PERMISSION'],
  ['EPERM', 'RTK_DISK_PERMISSION'],
  ['EROFS', 'RTK_DISK_PERMISSION'],
  ['ENOSPC', 'RTK_DISK_FULL'],
  ['EDQUOT', 'RTK_DISK_FULL'],
  ['ENOTDIR', 'RTK_DISK_NOT_A_DIRECTORY'],
  ['EISDIR', 'RTK_DISK_IS_A_DIRECTORY'],
])

/** SQLite's primary result codes, by which the lock file fails. */
const sqliteCodes: ReadonlyMap<number, `RTK_DISK_${string}`> = new Map([
  [8, 'RTK_DISK_PERMISSION'], // SQLITE_READONLY
  [13, 'RTK_DISK_FULL'], // SQLITE_FULL
])

function diskError(doing: string, path: string, error: unknown): WorldError {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
  const known = codes.get(code) ?? sqliteCodes.get(sqliteCode(error))
  return new WorldError(known ?? 'RTK_DISK_ERROR', `cannot ${doing} ${path}: ${code || String(error)}`, {
    temporary: known === 'RTK_DISK_FULL',
    cause: error,
  })
}

async function told<T>(doing: string, path: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw diskError(doing, path, error)
  }
}

export class RealDisk implements Disk {
  readText(path: string): Promise<string> {
    return told('read', path, readFile(path, 'utf8'))
  }

  readBytes(path: string): Promise<Uint8Array> {
    return told('read', path, readFile(path))
  }

  async exists(path: string): Promise<boolean> {
    try {
      await access(path)
      return true
    } catch (error) {
      if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
        return false
      throw diskError('look for', path, error)
    }
  }

  writeText(path: string, text: string, mode: number): Promise<void> {
    return told('write', path, writeWhole(path, text, mode))
  }

  async makeDirectory(path: string, mode: number): Promise<void> {
    await told('make directory', path, mkdir(path, { recursive: true, mode }))
  }

  list(path: string): Promise<readonly string[]> {
    return told('list', path, readdir(path))
  }

  remove(path: string): Promise<void> {
    return told('remove', path, rm(path, { recursive: true, force: true }))
  }

  resolve(base: string, path: string): string {
    return resolvePath(base, path)
  }

  async lock(path: string): Promise<{ release(): Promise<void> }> {
    const { DatabaseSync } = await import('node:sqlite')
    // SQLite only says that it cannot open the file; the system says why.
    await told('lock', path, access(path, constants.W_OK | constants.X_OK))
    let database: DatabaseSync
    try {
      database = new DatabaseSync(join(path, LOCK_FILE))
    } catch (error) {
      throw diskError('lock', path, error)
    }
    const held = hold(database, path)
    // By its name: closing a file handle of ours would give up every fcntl lock that this process has on the file.
    try {
      await told('lock', path, chmod(join(path, LOCK_FILE), 0o600))
    } catch (error) {
      await held.release()
      throw error
    }
    return held
  }
}

async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      // The mode of `open` is cut by the umask, which is not ours to change.
      await file.chmod(mode)
      await file.writeFile(text, 'utf8')
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/**
 * Node has no flock; SQLite's write lock is an fcntl lock, which the system takes back however the process ends, and which
 * holds between threads of one process and between containers too. Readers are let in, so that a second server can read
 * the holder's process number from the file's header.
 */
function hold(database: DatabaseSync, path: string): { release(): Promise<void> } {
  try {
    database.exec('PRAGMA busy_timeout = 0')
    // A lock that was lost with the power is no loss.
    database.exec('PRAGMA synchronous = OFF')
    database.exec('BEGIN IMMEDIATE')
    // A rival may be reading our number just now; it takes microseconds.
    database.exec('PRAGMA busy_timeout = 1000')
    database.exec(`PRAGMA user_version = ${process.pid}`)
    database.exec('COMMIT')
    database.exec('BEGIN IMMEDIATE')
  } catch (error) {
    const busy = sqliteCode(error) === SQLITE_BUSY
    const holder = busy ? holderOf(database) : 0
    database.close()
    if (!busy) throw diskError('lock', path, error)
    const who = holder > 0 ? `process ${holder}` : 'another process'
    throw new WorldError('RTK_DISK_LOCKED', `${path} is in use by ${who}`, { temporary: false, cause: error })
  }
  let held = true
  return {
    release: async () => {
      if (!held) return
      held = false
      database.exec('ROLLBACK')
      database.close()
    },
  }
}

const SQLITE_BUSY = 5

/** The primary result code, NaN for what is no error of SQLite. */
function sqliteCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : Number.NaN
}

function holderOf(database: DatabaseSync): number {
  try {
    const row = database.prepare('PRAGMA user_version').get()
    return Number(row?.['user_version'] ?? 0)
  } catch {
    // The holder is just writing its number.
    return 0
  }
}
