/**
 * `npm run test:packed`: builds, packs, installs the tarball in an empty folder as a user would (under Node 26, as the
 * package wants 24 or newer), and there runs the type check of a program that uses every door, then the command and all
 * plays, on Node 26 and again on the oldest Node that the package accepts.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { build } from './build.ts'
import { type Counts, closing, exists, files, node, type Ran, root, run, say } from './lib/repository.ts'
import { suite } from './lib/suite.ts'

const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
const folder = mkdtempSync(join(tmpdir(), 'ratatosk-packed-'))
const env: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
  RATATOSK_CHECKOUT: root,
  RATATOSK_PACKED_FOLDER: folder,
  RATATOSK_COMMAND: join(folder, 'node_modules/.bin/ratatosk'),
}

function check(name: string, ran: Pick<Ran, 'code' | 'output'>): boolean {
  say(`${ran.code === 0 ? '✔' : '✖'} ${name}`)
  if (ran.code === 0) counts.passed++
  else {
    counts.failed++
    say(ran.output)
  }
  return ran.code === 0
}

/** Packs `dist/` and installs the tarball in the empty folder; true when both went well. */
async function installed(): Promise<boolean> {
  try {
    await build()
  } catch (error) {
    return check('build', { code: 1, output: String(error) })
  }
  check('build', { code: 0, output: '' })
  const packed = await run('npm', ['pack', '--pack-destination', folder], { cwd: join(root, 'dist'), env })
  if (!check('npm pack', packed)) return false
  const { name, version } = JSON.parse(readFileSync(join(root, 'dist/package.json'), 'utf8'))
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  const args = ['install', '--no-fund', '--no-audit', `./${name}-${version}.tgz`]
  const ran = await run('npm', args, { cwd: folder, env })
  // What npm has to say about the configuration of this machine is not about the package.
  const warnings = ran.output.split('\n').filter((line) => /\bwarn\b/i.test(line) && !/Unknown .* config/.test(line))
  check('npm warns of nothing', { code: warnings.length, output: warnings.join('\n') })
  return check('npm install in an empty folder', ran)
}

/** A program that imports every door, checked with the declarations of the package as they are (no `skipLibCheck`). */
async function consumer(): Promise<void> {
  const manifest = JSON.parse(readFileSync(join(folder, 'node_modules/ratatosk/package.json'), 'utf8'))
  const doors = Object.keys(manifest.exports).filter((door) => !door.endsWith('.json'))
  const lines = doors.map((door, i) => `import * as door${i} from 'ratatosk${door.slice(1)}'`)
  writeFileSync(
    join(folder, 'consumer.ts'),
    `${lines.join('\n')}\nexport const doors = [${doors.map((_, i) => `door${i}`)}]\n`,
  )
  const compilerOptions = {
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable', 'esnext.iterator'],
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  check('types of every door', await node([tsc, '-p', folder, '--pretty', 'false'], { cwd: folder }))
}

/** The oldest Node that the manifest's `engines` promises; the types that `tsc` checks with are those of 26. */
const FLOOR = '24.21.0'

/** Brings the oldest Node; undefined where npm has none for this platform. */
async function oldest(): Promise<string | undefined> {
  const name = `node-${process.platform}-${process.arch}`
  const to = join(folder, 'oldest')
  mkdirSync(to)
  const ran = await run('npm', ['install', '--no-fund', '--no-audit', '--prefix', to, `${name}@${FLOOR}`], {
    cwd: to,
    env,
  })
  if (ran.code === 0) return join(to, 'node_modules', name, 'bin/node')
  say(`SKIPPED: no Node ${FLOOR} for ${process.platform}-${process.arch}\n${ran.output}`)
  counts.skipped++
  return undefined
}

/** The plays and the tests of the command, in the folder. */
function prepare(): void {
  if (exists('plays')) cpSync(join(root, 'plays'), join(folder, 'plays'), { recursive: true })
  mkdirSync(join(folder, 'command'))
  for (const path of files('tools/packed/*.packed.ts')) {
    cpSync(join(root, path), join(folder, 'command', `${path.split('/').at(-1)}`.replace('.packed.ts', '.test.ts')))
  }
}

async function tests(program: string): Promise<void> {
  const version = await run(program, ['--version'])
  say(`on Node ${version.output.trim()}:`)
  const paths = files(['command/*.test.ts', 'plays/**/*.test.{ts,js}'], folder)
  const flags = ['--import', join(root, 'tools/packed/resolve.ts')]
  const ran = await suite(paths, {
    cwd: folder,
    env: { ...env, PATH: `${dirname(program)}:${process.env['PATH']}` },
    flags,
    program,
  })
  counts.passed += ran.passed
  counts.failed += ran.failed
  counts.skipped += ran.skipped
}

try {
  if (await installed()) {
    await consumer()
    prepare()
    await tests(process.execPath)
    const old = await oldest()
    if (old) await tests(old)
  }
} finally {
  if (process.argv.includes('--keep')) say(`kept ${folder}`)
  else rmSync(folder, { recursive: true, force: true })
}
say(closing(counts))
process.exitCode = counts.failed > 0 ? 1 : 0
