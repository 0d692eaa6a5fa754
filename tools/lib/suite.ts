/** Runs test files with node's runner, each file in a process of its own, and returns the counts. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Counts, node, root } from './repository.ts'

export type SuiteOptions = {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Test files at a time; default one a core. */
  readonly concurrency?: number
  /** Seconds for one file or one test; default 120. */
  readonly timeout?: number
  /** Further arguments of node. */
  readonly flags?: readonly string[]
}

/**
 * The runner's own report goes to standard output. A runner that died without a count is one failure: a suite can never
 * pass by saying nothing. The compile cache saves about 20 ms a file.
 */
export async function suite(paths: readonly string[], options: SuiteOptions = {}): Promise<Counts> {
  if (paths.length === 0) return { passed: 0, failed: 0, skipped: 0 }
  const cache = join(root, '.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(tmpdir(), 'ratatosk-counts-'))
  const counts = join(folder, 'counts.json')
  try {
    const ran = await node(
      [
        '--test',
        `--test-concurrency=${options.concurrency ?? availableParallelism()}`,
        `--test-timeout=${(options.timeout ?? 120) * 1000}`,
        `--test-reporter=${join(root, 'tools/lib/reporter.ts')}`,
        '--test-reporter-destination=stdout',
        ...(options.flags ?? []),
        ...paths,
      ],
      {
        show: true,
        timeout: 3600,
        ...(options.cwd ? { cwd: options.cwd } : {}),
        env: { NODE_COMPILE_CACHE: join(cache, 'node'), ...process.env, ...options.env, RATATOSK_COUNTS: counts },
      },
    )
    return settle(ran.code, counts)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function settle(code: number, path: string): Counts {
  try {
    const counts = JSON.parse(readFileSync(path, 'utf8')) as Counts
    if (code !== 0 && counts.failed === 0) counts.failed = 1
    return counts
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
}
