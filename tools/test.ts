/**
 * `npm test [-- PATH …]`: the quick set. Types, format and lint run beside the tests. Needs no root and nothing but
 * what `npm ci` brought. With paths only the tests below them run. `--long` runs the long form of property
 * tests, one file after the other, because some compare times, and without types and lint. With CI=true a skip is a
 * failure.
 */
import { closing, files, node, say } from './lib/repository.ts'
import { suite } from './lib/suite.ts'

const TESTS = ['src/**/*.test.ts', 'plays/**/*.test.ts', 'tools/**/*.test.ts', 'conform/**/*.test.ts']

const args = process.argv.slice(2)
const long = args.includes('--long')
const paths = args.filter((arg) => !arg.startsWith('--')).map((path) => path.replace(/^\.\/|\/$/g, ''))
// What stands in plays/packed is about the installed package: npm run test:packed.
const chosen = files(TESTS).filter(
  (file) =>
    !file.startsWith('plays/packed/') &&
    (paths.length === 0 || paths.some((path) => file === path || file.startsWith(`${path}/`))),
)

const checks = (
  long
    ? []
    : [
        { name: 'types', args: ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--pretty', 'false'] },
        {
          name: 'format and lint',
          args: ['node_modules/@biomejs/biome/bin/biome', 'check', '--diagnostic-level=warn', '--error-on-warnings'],
        },
      ]
).map(async (check) => ({ name: check.name, ...(await node(check.args)) }))

if (chosen.length === 0 && paths.length > 0) say(`no test file under ${paths.join(', ')}`)
const counts = await suite(chosen, {
  timeout: long ? 3600 : 120,
  ...(long ? { concurrency: 1, env: { RATATOSK_LONG: '1' } } : {}),
})
for (const check of await Promise.all(checks)) {
  say(`${check.code === 0 ? '✔' : '✖'} ${check.name} (${check.seconds.toFixed(1)} s)`)
  if (check.code === 0) counts.passed++
  else {
    counts.failed++
    say(check.output)
  }
}
say(
  `${chosen.length} test files${long ? '' : ', types, format and lint'} in ${(performance.now() / 1000).toFixed(1)} s`,
)
say(closing(counts))
const strict = process.env['CI'] === 'true'
if (strict && counts.skipped > 0) say('CI: a skip is a failure')
process.exitCode =
  counts.failed > 0 || (strict && counts.skipped > 0) || (chosen.length === 0 && paths.length > 0) ? 1 : 0
