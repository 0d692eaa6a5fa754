/** Files, for configuration, certificates and the data directory. Errors are `WorldError` with RTK_DISK_… codes. */
export interface Disk {
  readText(path: string): Promise<string>
  readBytes(path: string): Promise<Uint8Array>
  exists(path: string): Promise<boolean>
  /** Written to a temporary name and renamed, so that a reader sees the old or the new whole. `mode` is octal. */
  writeText(path: string, text: string, mode: number): Promise<void>
  makeDirectory(path: string, mode: number): Promise<void>
  list(path: string): Promise<readonly string[]>
  remove(path: string): Promise<void>
  /** Joins and normalises; a relative path is taken from `base`. */
  resolve(base: string, path: string): string
  /**
   * Locks a data directory against a second server. Rejects with RTK_DISK_LOCKED and the other's process number.
   * The lock goes with the process, however it ends.
   */
  lock(path: string): Promise<{ release(): Promise<void> }>
}
