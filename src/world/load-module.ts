/** Loads a plugin: a package, or a file by its path. */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire, findPackageJSON } from 'node:module'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { WorldError } from './error.ts'

/**
 * Imports what `name` stands for, seen from `folder`. A path (it begins with '.', '/' or a drive) may be TypeScript; a
 * package is JavaScript. Each call with the same name gives the same module. Rejects with RTK_PLUGIN_NOT_FOUND or
 * RTK_PLUGIN_FAILED.
 */
export async function loadModule(name: string, folder: string): Promise<Readonly<Record<string, unknown>>> {
  const file = name.startsWith('.') || isAbsolute(name) ? resolve(folder, name) : packageFile(name, folder)
  if (file === undefined) {
    throw new WorldError('RTK_PLUGIN_NOT_FOUND', `there is no plugin ${name}, seen from ${folder}`, {
      temporary: false,
    })
  }
  if (!existsSync(file)) {
    throw new WorldError('RTK_PLUGIN_NOT_FOUND', `plugin ${name}: there is no file ${file}`, { temporary: false })
  }
  try {
    return (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
    const why = error instanceof Error ? error.message : String(error)
    throw new WorldError(missing ? 'RTK_PLUGIN_NOT_FOUND' : 'RTK_PLUGIN_FAILED', `plugin ${name}: ${why}`, {
      temporary: false,
      cause: error,
    })
  }
}

/** The file of a package's main export. A package that exports only to `import` is not to be had through `require.resolve`. */
function packageFile(name: string, folder: string): string | undefined {
  const base = join(folder, 'seen-from-here.js')
  try {
    return createRequire(base).resolve(name)
  } catch {
    return exportedFile(name, base)
  }
}

function exportedFile(name: string, base: string): string | undefined {
  let manifest: string | undefined
  try {
    manifest = findPackageJSON(name, pathToFileURL(base))
  } catch {
    return undefined
  }
  if (manifest === undefined) return undefined
  const { exports, main } = JSON.parse(readFileSync(manifest, 'utf8')) as { exports?: unknown; main?: string }
  const entry = target(exports) ?? main
  return entry === undefined ? undefined : join(dirname(manifest), entry)
}

function target(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports
  if (typeof exports !== 'object' || exports === null) return undefined
  const map = exports as Readonly<Record<string, unknown>>
  return target(map['.'] ?? map['import'] ?? map['node'] ?? map['default'])
}
