/** Debian's packages that the comparison needs; their services do not start. */

import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'

const PACKAGES = ['prosody', 'ejabberd', 'openssl', 'gcc', 'libc6-dev', 'libssl-dev']
/** invoke-rc.d asks it before it starts anything; 101 is "forbidden". */
const POLICY = '/usr/sbin/policy-rc.d'

function aptGet(...args: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const result = spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  if (result.error) throw new Error(`apt-get: ${result.error.message}`)
  if (result.status !== 0) throw new Error(`apt-get ${args[0]} ended with ${result.status}`)
}

/** Needs root. Throws when a package cannot be installed. */
export function installPeers(): void {
  const ours = !existsSync(POLICY)
  if (ours) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    aptGet('update', '-qq')
    aptGet('install', '-y', '-qq', '--no-install-recommends', ...PACKAGES)
  } finally {
    if (ours) rmSync(POLICY)
  }
}
