/**
 * `npm run test:real [-- --install] [-- PATH …]`: the tests against foreign clients, servers and package managers
 * (`*.real.ts`). A file whose programs are missing is skipped aloud; with CI=true a skip is a failure.
 */
import { type Counts, closing, files, say, text } from './lib/repository.ts'
import { suite } from './lib/suite.ts'
import { install } from './real/install.ts'
import { locate, needsOf } from './real/programs.ts'

const TESTS = ['src/**/*.real.ts', 'plays/**/*.real.ts', 'tools/**/*.real.ts', 'conform/**/*.real.ts']

const args = process.argv.slice(2)
const paths = args.filter((arg) => !arg.startsWith('--')).map((path) => path.replace(/^\.\/|\/$/g, ''))
const chosen = files(TESTS)
  .filter((file) => paths.length === 0 || paths.some((path) => file === path || file.startsWith(`${path}/`)))
  .map((file) => ({ file, needs: needsOf(text(file)) }))
const needs = [...new Set(chosen.flatMap((entry) => entry.needs))].sort()

let installed = true
if (args.includes('--install')) installed = await install(needs)

const found = new Map(needs.map((name) => [name, locate(name)]))
for (const [name, path] of found) say(`${name}: ${path ?? 'MISSING'}`)
const missing = ({ needs }: { needs: readonly string[] }) => needs.filter((name) => !found.get(name))
const ready = chosen.filter((entry) => missing(entry).length === 0)
const skipped = chosen.filter((entry) => missing(entry).length > 0)

const counts: Counts = await suite(
  ready.map((entry) => entry.file),
  { timeout: 300, env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } },
)
for (const entry of skipped) {
  say(`SKIPPED ${entry.file}: ${missing(entry).join(', ')} missing`)
  counts.skipped++
}
if (!installed) counts.failed++
say(closing(counts))
const strict = process.env['CI'] === 'true'
if (strict && counts.skipped > 0) say('CI: a skip is a failure')
process.exitCode = counts.failed > 0 || (strict && counts.skipped > 0) || chosen.length === 0 ? 1 : 0
