/** Runs test files with node's runner, each file in a process of its own, and returns the counts. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Counts, root, run } from './repository.ts'

export type SuiteOptions = {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Test files at a time; default one a core. */
  readonly concurrency?: number
  /** Seconds for one test, and one more for a whole file; default 120. */
  readonly timeout?: number
  /** Further arguments of node. */
  readonly flags?: readonly string[]
  /** Keeps the runner's report to itself. */
  readonly quiet?: boolean
  /** The Node to run them on; default `bin/node`. */
  readonly program?: string
}

/**
 * The runner's own report goes to standard output. A runner that died without a count is one failure: a suite can never
 * pass by saying nothing. The compile cache saves about 20 ms a file.
 */
export async function suite(paths: readonly string[], options: SuiteOptions = {}): Promise<Counts> {
  if (paths.length === 0) return { passed: 0, failed: 0, skipped: 0 }
  const cache = join(root, '.cache')
  mkdirSync(cache, { recursive: true })
  const seconds = options.timeout ?? 120
  const env: NodeJS.ProcessEnv = { NODE_COMPILE_CACHE: join(cache, 'node'), ...process.env, ...options.env }
  // Node's runner does nothing where it believes to run inside another one.
  delete env['NODE_TEST_CONTEXT']
  const folder = mkdtempSync(join(tmpdir(), 'ratatosk-counts-'))
  const counts = join(folder, 'counts.json')
  try {
    const ran = await run(
      options.program ?? join(root, 'bin/node'),
      [
        '--test',
        `--test-concurrency=${options.concurrency ?? availableParallelism()}`,
        `--test-timeout=${seconds * 1000}`,
        `--import=${join(root, 'tools/lib/watchdog.ts')}`,
        `--test-reporter=${join(root, 'tools/lib/reporter.ts')}`,
        '--test-reporter-destination=stdout',
        ...(options.flags ?? []),
        ...paths,
      ],
      {
        show: !options.quiet,
        timeout: 3600,
        ...(options.cwd ? { cwd: options.cwd } : {}),
        env: { ...env, RATATOSK_COUNTS: counts, RATATOSK_FILE_SECONDS: String(seconds + 1) },
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
