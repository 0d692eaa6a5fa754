/**
 * Measures servers side by side and appends raw rows to bench/results/NAME.tsv. See docs/benchmarks.md.
 *
 *     bin/node bench/run.ts --quick
 *     bin/node bench/run.ts --name 2026-11 --servers ratatosk,prosody,ejabberd,relay --groups chat-tcp
 *
 * A repetition that is in the file and was not disturbed is not run again; a fault of a server is a result, too.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeMachine } from './machine.ts'
import { makeCertificate } from './peers/certificate.ts'
import { ejabberd } from './peers/ejabberd.ts'
import { installPeers } from './peers/install.ts'
import type { Peer, Profile, Running, Setup } from './peers/peer.ts'
import { prosody } from './peers/prosody.ts'
import { metricsOf, ratatosk } from './peers/ratatosk.ts'
import { relay } from './peers/relay.ts'
import {
  appendMeasurement,
  assertColumns,
  COLUMNS,
  isClean,
  isSettled,
  type Measurement,
  readMeasurements,
} from './results.ts'
import { FULL, type Group, groupsOf, QUICK, rowsFor } from './rows.ts'

/** More than this share of a core busy with something else marks a measurement (rule 8), in percent. */
const FOREIGN_LIMIT = 25
/** A marked repetition is tried again so often. */
const TRIES = 3
const DOMAIN = 'bench.local'
const LOAD = join(import.meta.dirname, 'load', 'build', 'load')
const PEERS: readonly Peer[] = [ratatosk, prosody, ejabberd, relay]

const say = (text: string): void => void process.stderr.write(`${text}\n`)

interface Job {
  readonly peer: Peer
  readonly profile: Profile
  readonly group: Group
  readonly repetition: number
}

interface Session {
  readonly path: string
  readonly directory: string
  readonly accounts: number
  readonly tries: number
  readonly commit: string
}

const options = {
  name: { type: 'string', default: new Date().toISOString().slice(0, 10) },
  servers: { type: 'string', default: 'ratatosk,prosody,ejabberd,relay' },
  profiles: { type: 'string', default: 'fair' },
  groups: { type: 'string', default: '' },
  repetitions: { type: 'string', default: '5' },
  tries: { type: 'string', default: String(TRIES) },
  quick: { type: 'boolean', default: false },
  install: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

function chosenPeers(names: string): Peer[] {
  return names.split(',').map((name) => {
    const peer = PEERS.find((one) => one.name === name)
    if (!peer) throw new Error(`no such server: ${name} (${PEERS.map((one) => one.name).join(', ')})`)
    const missing = peer.missing()
    if (missing) throw new Error(`${name}: ${missing}`)
    return peer
  })
}

function chosenGroups(all: readonly Group[], names: string): readonly Group[] {
  if (names === '') return all
  return names.split(',').map((name) => {
    const group = all.find((one) => one.id === name)
    if (!group) throw new Error(`no such group: ${name} (${all.map((one) => one.id).join(', ')})`)
    return group
  })
}

/** Repetition by repetition, group by group; each starts with another server, so that none is always the first. */
function jobsOf(
  peers: readonly Peer[],
  profiles: readonly Profile[],
  groups: readonly Group[],
  repetitions: number,
): Job[] {
  const jobs: Job[] = []
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    for (const group of groups) {
      for (const profile of profiles) {
        const able = peers.filter(
          (peer) => (profile === 'fair' || peer === prosody || peer === ejabberd) && (group.relay || !peer.relay),
        )
        const turned = able.map((_, i) => able[(i + repetition) % able.length]!)
        for (const peer of turned) jobs.push({ peer, profile, group, repetition })
      }
    }
  }
  return jobs
}

function isDone(job: Job, path: string): boolean {
  const rows = rowsFor(job.group, job.peer === ratatosk)
  const ours = readMeasurements(path).filter(
    (m) =>
      m.server === job.peer.name &&
      m.profile === job.profile &&
      m.group === job.group.id &&
      m.repetition === String(job.repetition),
  )
  return rows.every((row) => ours.some((m) => m.row === row && isSettled(m)))
}

function commandOf(job: Job, session: Session, running: Running, ca: string): string[] {
  const { peer, group } = job
  const address = ['--port', String(group.secured ? running.tlsPort : running.plainPort), '--domain', DOMAIN]
  const tls = group.secured ? ['--tls', peer.tls, '--ca', ca] : []
  const cache = peer.relay
    ? ['--relay']
    : ['--scram-cache', join(directoryOf(job, session), `${peer.name}-${job.profile}.scram`)]
  const pids = running.pids.flatMap((pid) => ['--pid', String(pid)])
  const ours = peer === ratatosk ? (group.ours ?? []) : []
  return [...group.load, ...ours, ...address, ...tls, '--users', String(group.users), ...cache, ...pids]
}

interface Generated {
  readonly stdout: string
  readonly stderr: string
  /** Exit code or signal. */
  readonly end: string
}

let generator: ChildProcess | undefined
let interrupted = false

/** Ctrl-C and SIGTERM end the generator; the server is then stopped and the directory removed as after any run. */
function interrupt(): void {
  interrupted = true
  generator?.kill('SIGKILL')
}

async function generate(args: readonly string[], limitSeconds: number): Promise<Generated> {
  const child = spawn(LOAD, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitSeconds * 1000,
    killSignal: 'SIGKILL',
  })
  generator = child
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (more: string) => {
      text[name] += more
    })
  }
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  generator = undefined
  return { ...text, end: signal ?? String(code) }
}

function measurementsOf(result: Generated, job: Job, session: Session, shared: Measurement): Measurement[] {
  const reported = result.stdout.split('\n').filter((line) => line.startsWith('{'))
  const rows = reported.map((line) => JSON.parse(line) as Record<string, string | number | null>)
  const made: Measurement[] = rows.map((row) => {
    const known = COLUMNS.filter((column) => row[column] !== undefined && row[column] !== null)
    const read = Object.fromEntries(known.map((column) => [column, String(row[column])]))
    const marked = Number(row['foreign_core_pct'] ?? 0) + Number(row['steal_core_pct'] ?? 0) > FOREIGN_LIMIT ? '1' : '0'
    return { ...read, ...shared, row: String(row['row']), marked }
  })
  const absent = rowsFor(job.group, job.peer === ratatosk).filter((row) => !made.some((m) => m.row === row))
  const why = `the generator ended with ${result.end}: ${result.stderr.trim().split('\n').at(-1)}`
  for (const row of absent) made.push({ ...shared, row, valid: '0', marked: '0', fault: why })
  for (const m of made) appendMeasurement(session.path, m)
  return made
}

/** Accounts with rosters are others than those without. */
function directoryOf({ group }: Job, session: Session): string {
  if (group.contacts === undefined) return session.directory
  const directory = join(session.directory, `contacts-${group.contacts}-of-${group.users}`)
  mkdirSync(directory, { recursive: true, mode: 0o755 })
  return directory
}

function setupOf(job: Job, session: Session): Setup {
  const certificate = makeCertificate(join(session.directory, 'tls'), DOMAIN)
  const shared = { prefix: 'u', password: 'correct horse' }
  const { contacts, users, loop = false } = job.group
  const accounts =
    contacts === undefined ? { ...shared, count: session.accounts } : { ...shared, count: users, contacts }
  const place = { directory: directoryOf(job, session), domain: DOMAIN, profile: job.profile }
  const plugins = loop ? [join(import.meta.dirname, 'inner', 'loop-plugin.ts')] : []
  return { ...place, accounts, certificate, plugins }
}

/** What the plugin has seen since it was asked last. */
function loopFigures(directory: string): Measurement {
  const metrics = metricsOf(directory)
  return {
    loop_p99_us: String(metrics.get('ratatosk_loop_p99_us') ?? ''),
    loop_max_us: String(metrics.get('ratatosk_loop_max_us') ?? ''),
  }
}

async function measure(job: Job, session: Session): Promise<Measurement[]> {
  const setup = setupOf(job, session)
  const shared: Measurement = {
    ...{ started: new Date().toISOString(), server: job.peer.name, version: job.peer.version(), profile: job.profile },
    ...{ group: job.group.id, repetition: String(job.repetition), runtime: process.version, commit: session.commit },
  }
  let running: Running
  try {
    running = await job.peer.start(setup, job.group.secured)
  } catch (error) {
    // One server that does not start costs its own rows, not the hour of the others.
    return measurementsOf({ stdout: '', stderr: String(error), end: 'no server' }, job, session, shared)
  }
  try {
    const args = commandOf(job, session, running, setup.certificate.ca)
    const asksLoop = job.group.loop === true && job.peer === ratatosk
    if (asksLoop) {
      await generate(args, job.group.limit)
      loopFigures(setup.directory)
    }
    const result = await generate(args, job.group.limit)
    if (interrupted) return []
    const loop = asksLoop ? loopFigures(setup.directory) : {}
    const started = { ...shared, ...loop, start_ms: String(running.startMs), command: `load ${args.join(' ')}` }
    return measurementsOf(result, job, session, started)
  } finally {
    await running.stop()
  }
}

/** Returns whether nothing disturbed it and no server failed. */
async function measureUntilSettled(job: Job, session: Session): Promise<boolean> {
  for (let attempt = 1; attempt <= session.tries; attempt++) {
    const made = await measure(job, session)
    for (const m of made) {
      const figure = m.session_kb
        ? `${Number(m.session_kb).toFixed(1)} KB`
        : `${Number(m.cpu_us ?? Number.NaN).toFixed(1)} µs`
      const note =
        m.valid !== '1'
          ? ` VOID: ${m.fault}`
          : m.marked === '1'
            ? ` marked: ${Number(m.foreign_core_pct).toFixed(0)} % of a core was foreign`
            : ''
      say(
        `  ${m.row?.padEnd(14)} ${figure.padStart(10)}  p99 ${Number(m.latency_p99_us ?? Number.NaN).toFixed(0)} µs${note}`,
      )
    }
    if (interrupted) return false
    if (made.every(isSettled)) return made.every(isClean)
  }
  return false
}

function commitOf(): string {
  const git = (...args: string[]): string =>
    spawnSync('git', ['-C', import.meta.dirname, ...args], { encoding: 'utf8' }).stdout.trim()
  return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no') ? '+' : '')
}

function build(): void {
  const result = spawnSync(join(import.meta.dirname, 'load', 'build.sh'), { encoding: 'utf8' })
  if (result.status !== 0) throw new Error(`bench/load/build.sh: ${result.stderr}`)
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options })
  if (values.help) {
    say(
      `bin/node bench/run.ts ${Object.entries(options)
        .map(([key, { type }]) => (type === 'boolean' ? `[--${key}]` : `[--${key} …]`))
        .join(' ')}`,
    )
    return 0
  }
  if (values.install) installPeers()
  build()
  const scale = values.quick ? QUICK : FULL
  const repetitions = values.quick ? 1 : Number(values.repetitions)
  const groups = chosenGroups(groupsOf(scale), values.groups)
  const profiles = values.profiles.split(',').map((name): Profile => (name === 'stock' ? 'stock' : 'fair'))
  const jobs = jobsOf(chosenPeers(values.servers), profiles, groups, repetitions)
  const path = join(import.meta.dirname, 'results', `${values.quick ? 'quick-' : ''}${values.name}.tsv`)
  assertColumns(path)
  const directory = mkdtempSync(join(tmpdir(), 'ratatosk-bench-'))
  chmodSync(directory, 0o755)
  const accounts = Math.max(0, ...groups.map((group) => (group.contacts === undefined ? group.users : 0)))
  const session: Session = {
    path,
    directory,
    accounts,
    tries: values.quick ? 1 : Number(values.tries),
    commit: commitOf(),
  }
  writeMachine(path.replace(/\.tsv$/, '.json'))
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  let unclean = 0
  try {
    for (const job of jobs) {
      if (interrupted) break
      say(`${job.group.id} ${job.peer.name} ${job.profile} ${job.repetition}/${repetitions}`)
      if (isDone(job, path)) {
        say('  done before')
        continue
      }
      const began = performance.now()
      if (!(await measureUntilSettled(job, session))) unclean++
      say(`  took ${Math.round((performance.now() - began) / 1000)} s`)
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  say(`${path}: ${jobs.length - unclean} clean, ${unclean} marked or void`)
  return interrupted ? 130 : unclean === 0 ? 0 : 1
}

process.exitCode = await main()
