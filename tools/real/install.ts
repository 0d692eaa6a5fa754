/** Brings the Debian packages of foreign programs without letting their services start. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { run, say } from '../lib/repository.ts'
import { locate, PROGRAMS } from './programs.ts'

const POLICY = '/usr/sbin/policy-rc.d'

/**
 * Installs what is missing of the named programs; true if all went well. Debian asks `policy-rc.d` before it starts a
 * service, and 101 forbids it (an existing policy of the machine is put back afterwards).
 */
export async function install(names: readonly string[]): Promise<boolean> {
  const missing = names.filter((name) => !locate(name)).flatMap((name) => PROGRAMS[name]?.packages ?? [])
  const packages = [...new Set(missing)].sort()
  if (packages.length === 0) return true
  if (process.getuid?.() !== 0) {
    say(`cannot install without root; as root: apt-get install ${packages.join(' ')}`)
    return false
  }
  say(`installing ${packages.join(' ')}; their services stay down`)
  const before = existsSync(POLICY) ? readFileSync(POLICY, 'utf8') : undefined
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const update = await run('apt-get', ['update', '-q'], { env })
    const got = await run(
      'apt-get',
      ['install', '-q', '-y', '-o', 'DPkg::Lock::Timeout=300', '--no-install-recommends', ...packages],
      {
        env,
        timeout: 900,
      },
    )
    if (got.code !== 0) say(update.output + got.output)
    return got.code === 0
  } finally {
    if (before === undefined) rmSync(POLICY)
    else writeFileSync(POLICY, before, { mode: 0o755 })
  }
}
