import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type CommandServices, coreCommands, reloadCommand } from '../admin/commands/index.ts'
import { type Control, openControl } from '../admin/control/server.ts'
import { CommandError, CommandRegistry, defineCommand, field } from '../core/commands.ts'
import { opt } from '../core/config/opt.ts'
import { bench } from '../core/core.testing.ts'
import type { Jid } from '../jid/index.ts'
import { createWorld } from '../world/index.ts'
import { type Ran, run } from './cli.testing.ts'
import { EXIT } from './exit.ts'

const world = createWorld()
const folder = mkdtempSync(join(tmpdir(), 'rtk-cli-'))
const accounts = new Map<string, string>()
let control: Control

before(async () => {
  const { core, client } = bench(['localhost'])
  client('odin@localhost/phone')
  const services: CommandServices = {
    core,
    accounts: {
      add: (jid: Jid, password: string) => {
        if (accounts.has(`${jid}`)) throw new CommandError('RTK_ACCOUNT_EXISTS', `${jid} exists already`)
        accounts.set(`${jid}`, password)
        return Promise.resolve()
      },
      setPassword: (jid: Jid, password: string) => Promise.resolve(void accounts.set(`${jid}`, password)),
      setState: () => Promise.resolve(),
      remove: (jid: Jid) => Promise.resolve(void accounts.delete(`${jid}`)),
      list: (_host, after) => {
        const names = after === '' ? [...accounts.keys()].map((name) => name.split('@')[0] ?? '') : []
        return Promise.resolve(
          names.map((local) => ({ local, state: 'active', origin: 'admin', created: new Date(0) })),
        )
      },
      count: () => Promise.resolve(accounts.size),
      tokens: () => Promise.resolve([]),
      revokeTokens: () => Promise.resolve(),
    },
    stores: { state: { name: 'ready', code: '', text: '' } },
    listening: [],
    upMs: 93_784_000,
    close: () => Promise.resolve(),
  }
  const commands = new CommandRegistry()
  for (const command of coreCommands(services)) commands.add(command)
  commands.add(reloadCommand({ reload: () => Promise.reject(new Error('not here')) }))
  commands.add(
    defineCommand({
      name: 'lamp rub',
      summary: 'Rubs the lamp.',
      examples: ['lamp rub 3 --very-hard'],
      permission: 'lamp:rub',
      positional: ['times'],
      args: {
        times: opt.int({ min: 1, description: 'How often.' }),
        very_hard: opt.bool({ default: false, description: 'With force.' }),
      },
      result: { wishes: field.int('Wishes', 'Granted.') },
      run: ({ times, very_hard }) => ({ wishes: times * (very_hard ? 2 : 1) }),
    }),
  )
  control = await openControl({
    net: world.net,
    clock: world.clock,
    log: world.log,
    commands,
    path: join(folder, 'control.sock'),
    version: '0.1.0',
    lineBytesMax: 65_536,
    connectionsMax: 8,
  })
})

after(async () => {
  await control.close()
  rmSync(folder, { recursive: true })
})

/** Runs a command line; `typed` are the answers to questions of a person, `input` the lines of a pipe. */
async function cli(
  line: string,
  more: { typed?: string[]; input?: string[]; dataDir?: string; isErrTty?: boolean } = {},
): Promise<Ran> {
  const { typed, input = [], dataDir = folder, isErrTty = false } = more
  const argv = ['--data-dir', dataDir, ...line.split(' ').filter((word) => word !== '')]
  return run(world, argv, (said) => ({
    isErrTty,
    isInTty: typed !== undefined,
    lines: async function* () {
      yield* input
    },
    askSecrets: (labels) => {
      said.err += labels.join('')
      const answers = typed?.splice(0, labels.length)
      return Promise.resolve(answers?.length === labels.length ? answers : undefined)
    },
  }))
}

test('status is two columns, or JSON', async () => {
  const text = await cli('status')
  assert.equal(text.exit, 0)
  assert.equal(
    text.out,
    'Version    0.1.0\nUp         1 d 2 h\nHosts      1\nSessions   1\nStore      ready\nListeners  -\n',
  )
  const json = await cli('status --json')
  assert.equal(JSON.parse(json.out).up, 93_784_000)
})

test('a password is asked for twice without echo, or read from a pipe', async () => {
  const asked = await cli('account add thor@localhost', { typed: ['mjölnir', 'mjölnir'] })
  assert.equal(asked.exit, 0)
  assert.equal(asked.out, 'Account  thor@localhost\nResult   added\n')
  assert.equal(asked.err, 'password: password again: ')
  assert.equal(accounts.get('thor@localhost'), 'mjölnir')
  const differ = await cli('account passwd thor@localhost', { typed: ['a', 'b'] })
  assert.equal(differ.exit, 2)
  assert.match(differ.err, /not the same/)
  const piped = await cli('account passwd thor@localhost', { input: ['with blanks in it ', 'second line'] })
  assert.equal(piped.exit, 0)
  assert.equal(accounts.get('thor@localhost'), 'with blanks in it ')
  assert.equal((await cli('account add x@localhost', { input: [] })).exit, 2)
})

test('a password on the command line is taken with a warning', async () => {
  const ran = await cli('account passwd thor@localhost --password visible')
  assert.equal(ran.exit, 0)
  assert.match(ran.err, /^warning: --password can be seen by others/)
  assert.equal(accounts.get('thor@localhost'), 'visible')
})

test('many accounts come from standard input; refused ones are named', async () => {
  const input = ['freya@localhost cats', 'freyr@localhost:ship: and: sword', '', 'thor@localhost again', 'bad@@ x']
  const ran = await cli('account add', { input: [...input, '{"jid":"tyr@localhost","password":"hand"}'] })
  assert.equal(ran.exit, 1)
  assert.equal(ran.out, '3 done, 2 refused\n')
  assert.match(
    ran.err,
    /^line 4: thor@localhost exists already \(RTK_ACCOUNT_EXISTS\)\nline 5: jid: .*RTK_COMMAND_ARGUMENTS\)\n$/,
  )
  assert.equal(accounts.get('freyr@localhost'), 'ship: and: sword')
  assert.equal(accounts.get('tyr@localhost'), 'hand')
  assert.equal((await cli('account add', { typed: [] })).exit, 2)
})

test('a secret of a row is a text: no file is read for a command, and an empty one is told as that', async () => {
  const { exit, err } = await cli('account add', {
    input: [
      '{"jid":"a@localhost","password":{"file":"/etc/hostname"}}',
      '{"jid":"b@localhost","password":""}',
      'c@localhost',
    ],
  })
  assert.equal(exit, 1)
  assert.equal(
    err,
    [
      'line 1: password.file: write the secret itself (RTK_COMMAND_ARGUMENTS)',
      'line 2: password: the secret is empty (a secret text) (RTK_COMMAND_ARGUMENTS)',
      "line 3: 'password' is missing (it is a secret text) (RTK_COMMAND_ARGUMENTS)",
      '',
    ].join('\n'),
  )
})

test('lists are tables, or an object a line', async () => {
  accounts.clear()
  accounts.set('a@localhost', '').set('longer@localhost', '')
  const table = await cli('account list')
  assert.equal(
    table.out,
    [
      'Account           State   Origin  Created',
      'a@localhost       active  admin   1970-01-01 00:00:00Z',
      'longer@localhost  active  admin   1970-01-01 00:00:00Z',
      '',
    ].join('\n'),
  )
  const json = await cli('--json account list localhost')
  assert.deepEqual(
    json.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).jid),
    ['a@localhost', 'longer@localhost'],
  )
})

test('an empty list is told to a person only', async () => {
  assert.deepEqual(await cli('session list nobody@localhost'), { exit: 0, out: '', err: '' })
  assert.deepEqual(await cli('session list nobody@localhost', { isErrTty: true }), { exit: 0, out: '', err: 'none\n' })
})

test('sessions are shown with yes and no, and dashes for nothing', async () => {
  const { out } = await cli('session list odin@localhost')
  assert.match(
    out,
    /^Session +Since +Address .*\nodin@localhost\/phone +[-0-9]+ [:0-9]+Z +127\.0\.0\.1 +tcp +- +SCRAM-SHA-256 +no +0 +0 +0 +- +0\n$/,
  )
})

test('refusals: code, text and exit code, in text and JSON', async () => {
  const refused = await cli('session kick nobody@localhost')
  assert.deepEqual(refused, {
    exit: 1,
    out: '',
    err: 'ratatosk: nobody@localhost has no session [RTK_SESSION_UNKNOWN]\n',
  })
  const json = await cli('--json session kick nobody@localhost')
  assert.deepEqual(JSON.parse(json.err), {
    error: { code: 'RTK_SESSION_UNKNOWN', text: 'nobody@localhost has no session', hint: '' },
  })
  assert.equal((await cli('session kick')).exit, 2)
  assert.equal((await cli('session kick @localhost')).exit, 2)
  const misspelt = await cli('session kik odin@localhost')
  assert.equal(misspelt.exit, 2)
  assert.match(misspelt.err, /^ratatosk: unknown command 'kik' \(did you mean 'kick'\?\) \[RTK_CLI_USAGE\]\n$/)
  const usage: readonly (readonly [line: string, text: string, hint: string])[] = [
    ['status --loud', "unknown option '--loud'", '--help tells what it takes'],
    ['status --jsn', "unknown option '--jsn'", "did you mean '--json'?"],
    ['stat', "unknown command 'stat'", "did you mean 'status' or 'stop'?"],
    ['account passwd', "missing required argument 'jid'", '--help tells what it takes'],
  ]
  for (const [line, text, hint] of usage) {
    assert.deepEqual(await cli(line), { exit: 2, out: '', err: `ratatosk: ${text} (${hint}) [RTK_CLI_USAGE]\n` })
    const { exit, err } = await cli(`${line} --json`)
    assert.deepEqual([exit, JSON.parse(err)], [2, { error: { code: 'RTK_CLI_USAGE', text, hint } }])
  }
})

test('a command of a plugin is there with its help, arguments and options', async () => {
  const ran = await cli('lamp rub 3 --very-hard')
  assert.deepEqual(ran, { exit: 0, out: 'Wishes  6\n', err: '' })
  const wrong = await cli('lamp rub many')
  assert.equal(wrong.exit, 2)
  assert.match(wrong.err, /times: expected a whole number, found 'many'/)
  const help = await cli('lamp rub --help')
  assert.equal(help.exit, 0)
  assert.match(help.out, /Rubs the lamp\.[\s\S]*How often\.[\s\S]*--very-hard +With force\./)
  assert.match((await cli('--help')).out, /lamp/)
})

test('without a server: help works, commands say so with exit code 3', async () => {
  const dataDir = join(folder, 'nowhere')
  const ran = await cli('status', { dataDir })
  assert.equal(ran.exit, 3)
  assert.match(ran.err, /no server runs behind .*nowhere\/control\.sock .*ratatosk serve.*RTK_CONTROL_NO_SERVER/)
  const help = await cli('--help', { dataDir })
  assert.equal(help.exit, 0)
  assert.match(help.out, /account[\s\S]*Exit codes/)
  assert.equal((await cli('lamp rub 1', { dataDir })).exit, 2)
  assert.deepEqual(await cli('--version', { dataDir }), { exit: 0, out: '0.1.0\n', err: '' })
})

/** The commands below `line`, by its help. */
async function commandsOf(line: string, dataDir: string): Promise<readonly string[]> {
  const { out } = await cli(`${line} --help`, { dataDir })
  const listed = out.split('\nCommands:\n')[1]?.split('\n\n')[0] ?? ''
  return [...listed.matchAll(/^ {2}([a-z]+)/gm)]
    .map(([, word]) => `${line} ${word}`.trim())
    .filter((word) => word !== 'help')
}

test('help lists every command, with a server or without; each has an example that its own parser takes', async () => {
  for (const dataDir of [folder, join(folder, 'nowhere')]) {
    const isThere = dataDir === folder
    const top = await commandsOf('', dataDir)
    const groups = [
      'account',
      'commands',
      'config',
      'host',
      ...(isThere ? ['lamp'] : []),
      'metrics',
      'session',
      'store',
    ]
    assert.deepEqual([...top].sort(), [...groups, 'reload', 'serve', 'status', 'stop', 'top'].sort())
    const leaves = [...top.filter((name) => !groups.includes(name))]
    for (const name of groups) leaves.push(...(await commandsOf(name, dataDir)))
    assert.equal(leaves.length, isThere ? 23 : 22)
    for (const line of leaves) {
      const { exit, out } = await cli(`${line} --help`, { dataDir })
      assert.equal(exit, 0, line)
      const examples = [...out.matchAll(/^ {2}ratatosk (.+)$/gm)].map(([, text]) => text ?? '')
      assert.ok(examples.length > 0, `${line} has no example`)
      for (const example of examples) {
        assert.ok(example === line || example.startsWith(`${line} `), example)
        // What is wrong with words and options is found before anything is done.
        const words = example.replace(/ < .*| --json/, '').replace(/'.*'/, 'reason')
        const { err } = await cli(`${words} --help-no-more`, { dataDir })
        assert.match(err, /^ratatosk: unknown option '--help-no-more'/, example)
      }
      assert.match(out, /--json +results as JSON/, line)
    }
  }
  assert.equal((await cli('help account add')).out, (await cli('account add --help')).out)
  for (const [said, same] of [
    ['config help', 'config --help'],
    ['account help add', 'account add --help'],
  ] as const) {
    const { exit, out } = await cli(said)
    assert.deepEqual({ exit, out }, { exit: 0, out: (await cli(same)).out }, said)
  }
  for (const line of ['help acount', 'acount --help', 'help account ad', 'account ad -h']) {
    const { exit, err } = await cli(line)
    assert.equal(exit, 2, line)
    assert.match(err, /^ratatosk: unknown command '(?:acount|ad)' \(did you mean '(?:account|add)'\?\)/, line)
  }
  const { out } = await cli('--help')
  for (const code of Object.values(EXIT)) assert.match(out, new RegExp(`\\b${code}\\b`), `exit code ${code}`)
})

test('a configuration with mistakes: other commands tell them, in JSON where that is asked for', async () => {
  const file = join(folder, 'mistaken.yaml')
  const ran = await cli(`--config ${file} --json status`)
  assert.equal(ran.exit, 1)
  const { error } = JSON.parse(ran.err)
  assert.deepEqual([error.code, error.file, error.text], ['RTK_CONFIG_FILE_MISSING', file, 'there is no such file'])
})

test('config check tells every mistake with its place', async () => {
  const file = join(folder, 'bad.yaml')
  writeFileSync(
    file,
    'hosts: [a b]\nmodules: { pign: {} }\nlimits: { hook_timeout: 10 }\ntls: { certificates: [{ cert: no, key: no }] }\n',
  )
  const ran = await cli(`config check ${file}`)
  assert.equal(ran.exit, 1)
  assert.equal(
    ran.out,
    [
      `${file}:1:9: 'a b' is no domain (a domain has no blanks)`,
      `${file}:2:12: there is no module 'pign' (did you mean 'ping'?)`,
      `${file}:3:25: 10 has no unit (for example '10 seconds')`,
      `${file}:4:31: there is no file ${folder}/no (a relative name is taken from the folder of this file)`,
      `${file}:4:40: there is no file ${folder}/no (a relative name is taken from the folder of this file)`,
      `${file}: 5 mistakes`,
      '',
    ].join('\n'),
  )
  const json = await cli(`--json config check ${file}`)
  assert.equal(json.exit, 1)
  assert.deepEqual(
    json.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).line),
    [1, 2, 3, 4, 4],
  )
  writeFileSync(file, 'hosts: [a.example]\n')
  assert.deepEqual(await cli(`-c ${file} config check`), { exit: 0, out: `${file}: good\n`, err: '' })
  assert.equal((await cli(`-c ${folder}/none.yaml config check`)).exit, 1)
})

test('config options lists every option', async () => {
  const { exit, out } = await cli('config options --json')
  assert.equal(exit, 0)
  const rows = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert(rows.some((row) => row.path === 'limits.hook_timeout' && row.default === '10 seconds' && row.unit === 'ms'))
})
