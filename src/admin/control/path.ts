/** Where the control socket is. The server and the command line compute the same from the same configuration. */
import { CommandError } from '../../core/command-error.ts'

/** The longest path of a Unix socket in bytes: `sun_path` of Linux, less its final NUL. */
export const SOCKET_PATH_BYTES = 107

export interface SocketPlaces {
  /** `control.socket`, absolute; undefined when it was left out. */
  readonly socket: string | undefined
  /** Absolute. */
  readonly dataDir: string
  /** XDG_RUNTIME_DIR, '' for none: a folder of the user alone. */
  readonly runtimeDir: string
  /** Folder of last resort, which must be made private: /tmp/ratatosk-UID; '' for none. */
  readonly privateDir: string
}

export interface SocketPath {
  readonly path: string
  /** True: its folder is shared ground (/tmp), so it has to be made, and checked to belong to this user alone. */
  readonly needsPrivateFolder: boolean
}

const fits = (path: string) => Buffer.byteLength(path) <= SOCKET_PATH_BYTES

/**
 * `control.sock` in the data directory when that is short enough, else a name made from the data directory's in the
 * runtime directory or in a private folder. A `CommandError` (RTK_CONTROL_PATH_TOO_LONG) when the configured one does not fit.
 */
export function controlSocketPath(places: SocketPlaces): CommandError | SocketPath {
  const { socket, dataDir, runtimeDir, privateDir } = places
  if (socket !== undefined) {
    if (fits(socket)) return { path: socket, needsPrivateFolder: false }
    const text = `control.socket has ${Buffer.byteLength(socket)} bytes, a Unix socket's name has at most ${SOCKET_PATH_BYTES}: ${socket}`
    return new CommandError('RTK_CONTROL_PATH_TOO_LONG', text, 'choose a shorter one')
  }
  const inData = `${dataDir}/control.sock`
  if (fits(inData)) return { path: inData, needsPrivateFolder: false }
  const name = `${fingerprint(dataDir)}.sock`
  const inRuntime = `${runtimeDir}/ratatosk-${name}`
  if (runtimeDir !== '' && fits(inRuntime)) return { path: inRuntime, needsPrivateFolder: false }
  const inPrivate = `${privateDir}/${name}`
  if (privateDir !== '' && fits(inPrivate)) return { path: inPrivate, needsPrivateFolder: true }
  const text = `no place for the control socket has a name of at most ${SOCKET_PATH_BYTES} bytes`
  return new CommandError('RTK_CONTROL_PATH_TOO_LONG', text, 'set control.socket')
}

/** FNV-1a of 64 bits: the same for the same data directory, and no secret. */
function fingerprint(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(text, 'utf8')) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return hash.toString(16).padStart(16, '0')
}
