/**
 * A simulated disk. An operation takes a moment, and a crash before its end leaves everything as it was: what was written
 * is whole and stays, what was being written is not there. The disk outlives the process.
 */
import type { Disk } from '../world/disk.types.ts'
import { WorldError } from '../world/error.ts'
import type { SimRandom } from './random.ts'
import type { Life, Scheduler } from './scheduler.ts'

/** The longest an operation takes, in virtual milliseconds. */
const SLOWEST_MS = 4

/** What is on a disk: files by path, undefined for directories. A host keeps it over crashes. */
export interface DiskContents {
  readonly entries: Map<string, { readonly text: string; readonly mode: number } | undefined>
  readonly locks: Map<string, { readonly life: Life; readonly holder: string }>
}

export function emptyDisk(): DiskContents {
  return { entries: new Map([['/', undefined]]), locks: new Map() }
}

export class SimDisk implements Disk {
  readonly contents: DiskContents
  /** A full disk: writing fails with RTK_DISK_FULL while true. */
  full = false
  readonly #scheduler: Scheduler
  readonly #life: Life
  readonly #random: SimRandom
  readonly #holder: string

  constructor(scheduler: Scheduler, life: Life, random: SimRandom, holder: string, contents: DiskContents) {
    this.#scheduler = scheduler
    this.#life = life
    this.#random = random
    this.#holder = holder
    this.contents = contents
  }

  readText(path: string): Promise<string> {
    return this.#later(() => {
      const file = this.contents.entries.get(path)
      if (!this.contents.entries.has(path)) throw failure('RTK_DISK_NOT_FOUND', `cannot read ${path}`)
      if (file === undefined) throw failure('RTK_DISK_IS_A_DIRECTORY', `cannot read ${path}`)
      return file.text
    })
  }

  async readBytes(path: string): Promise<Uint8Array> {
    return Buffer.from(await this.readText(path), 'utf8')
  }

  exists(path: string): Promise<boolean> {
    return this.#later(() => this.contents.entries.has(path))
  }

  writeText(path: string, text: string, mode: number): Promise<void> {
    return this.#later(() => {
      if (this.full) throw new WorldError('RTK_DISK_FULL', `cannot write ${path}`, { temporary: true })
      if (!this.#isDirectory(parent(path))) throw failure('RTK_DISK_NOT_FOUND', `cannot write ${path}`)
      if (this.#isDirectory(path)) throw failure('RTK_DISK_IS_A_DIRECTORY', `cannot write ${path}`)
      this.contents.entries.set(path, { text, mode })
    })
  }

  makeDirectory(path: string, _mode: number): Promise<void> {
    return this.#later(() => {
      const { entries } = this.contents
      for (let at = path; !entries.has(at); at = parent(at)) entries.set(at, undefined)
    })
  }

  list(path: string): Promise<readonly string[]> {
    return this.#later(() => {
      if (!this.#isDirectory(path)) throw failure('RTK_DISK_NOT_FOUND', `cannot list ${path}`)
      return [...this.contents.entries.keys()]
        .filter((at) => at !== '/' && parent(at) === path)
        .map(baseName)
        .sort()
    })
  }

  remove(path: string): Promise<void> {
    return this.#later(() => {
      const { entries } = this.contents
      for (const at of [...entries.keys()]) if (at === path || at.startsWith(`${path}/`)) entries.delete(at)
    })
  }

  resolve(base: string, path: string): string {
    const parts: string[] = []
    for (const part of (path.startsWith('/') ? path : `${base}/${path}`).split('/')) {
      if (part === '..') parts.pop()
      else if (part !== '' && part !== '.') parts.push(part)
    }
    return `/${parts.join('/')}`
  }

  lock(path: string): Promise<{ release(): Promise<void> }> {
    return this.#later(() => {
      const { locks } = this.contents
      const held = locks.get(path)
      if (held?.life.alive === true) throw failure('RTK_DISK_LOCKED', `${path} is in use by process ${held.holder}`)
      const lock = { life: this.#life, holder: this.#holder }
      locks.set(path, lock)
      return {
        release: () =>
          this.#later(() => {
            if (locks.get(path) === lock) locks.delete(path)
          }),
      }
    })
  }

  #isDirectory(path: string): boolean {
    return this.contents.entries.has(path) && this.contents.entries.get(path) === undefined
  }

  #later<T>(work: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const finish = (): void => {
      try {
        resolve(work())
      } catch (error) {
        reject(error)
      }
    }
    this.#scheduler.after(this.#random.between(0, SLOWEST_MS), 'work', this.#life, finish, undefined)
    return promise
  }
}

function failure(code: `RTK_DISK_${string}`, text: string): WorldError {
  return new WorldError(code, text, { temporary: false })
}

function parent(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
