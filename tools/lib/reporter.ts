/**
 * The reporter of `npm test`: node's own *spec* reporter without the tests that passed, and the counts as JSON in the
 * file that RATATOSK_COUNTS names. RATATOSK_VERBOSE=1 shows every test.
 */
import { writeFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { spec } from 'node:test/reporters'
import type { Counts } from './repository.ts'

type Event = { type: string; data: Record<string, unknown> }

export default async function* reporter(source: AsyncIterable<Event>): AsyncGenerator<unknown> {
  const quiet = process.env['RATATOSK_VERBOSE'] !== '1'
  yield* Readable.from(wanted(source, quiet)).compose(new spec())
}

async function* wanted(source: AsyncIterable<Event>, quiet: boolean): AsyncGenerator<Event> {
  for await (const event of source) {
    if (event.type === 'test:summary' && event.data['file'] === undefined) record(event.data)
    const skipped = event.data?.['skip'] !== undefined || event.data?.['todo'] !== undefined
    const dull = event.type === 'test:pass' && !skipped
    if (!(quiet && (dull || event.type === 'test:start' || event.type === 'test:coverage'))) yield event
  }
}

function record(summary: Record<string, unknown>): void {
  const path = process.env['RATATOSK_COUNTS']
  const counts = summary['counts'] as Record<string, number>
  const failed = (counts['failed'] ?? 0) + (counts['cancelled'] ?? 0)
  const skipped = (counts['skipped'] ?? 0) + (counts['todo'] ?? 0)
  if (path) writeFileSync(path, JSON.stringify({ passed: counts['passed'] ?? 0, failed, skipped } satisfies Counts))
}
