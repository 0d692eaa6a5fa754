import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CommandCaller, CommandError, CommandRegistry, defineCommand, field } from './commands.ts'
import { opt } from './config/opt.ts'

const caller = (more: Partial<CommandCaller> = {}): CommandCaller => ({
  name: 'test',
  permits: () => true,
  signal: new AbortController().signal,
  ...more,
})

const greet = defineCommand({
  name: 'greet',
  summary: 'Greets.',
  permission: 'greetings:read',
  positional: ['who'],
  args: {
    who: opt.string({ description: 'Whom.' }),
    times: opt.int({ default: 1, min: 1, description: 'How often.' }),
  },
  result: { text: field.text('Greeting', 'The words.') },
  run: ({ who, times }) => ({ text: `hello ${who}`.repeat(times) }),
})

const double = defineCommand({
  name: 'double',
  summary: 'Doubles.',
  permission: 'numbers:read',
  args: {},
  input: { n: opt.int({ description: 'A number.' }) },
  result: { n: field.int('N', 'Twice.') },
  dryRun: true,
  run: async function* (_args, call) {
    for await (const row of call.input) {
      if (row instanceof CommandError) call.failed()
      else yield { n: call.dryRun ? 0 : row.n * 2 }
    }
  },
})

test('a command is run with checked arguments', async () => {
  const registry = new CommandRegistry()
  registry.add(greet)
  const good = await registry.call('greet', { who: 'Odin', times: 2 }, caller())
  assert.deepEqual(good, { ok: true, rows: 1, failed: 0, result: [{ text: 'hello Odinhello Odin' }] })
  const wrong = await registry.call('greet', { wo: 'Odin', times: 'two' }, caller())
  assert(!wrong.ok)
  assert.equal(wrong.error.code, 'RTK_COMMAND_ARGUMENTS')
  assert.equal(
    wrong.error.text,
    "wo: there is no argument 'wo' (did you mean 'who'?); 'who' is missing (it is a text); times: expected a whole number, found 'two'",
  )
})

test('unknown, forbidden and failing commands are outcomes, and the observer hears of them', async () => {
  const seen: string[] = []
  const registry = new CommandRegistry((name, by, outcome) => {
    seen.push(`${by.name} ${name} ${outcome.ok ? 'ok' : outcome.error.code}`)
  })
  const fault = new Error('secret detail')
  registry.add(greet)
  registry.add({ ...greet, name: 'fail', run: () => Promise.reject(fault) })
  registry.add({ ...greet, name: 'refuse', run: () => new CommandError('RTK_NO_VALHALLA', 'closed') })
  const codeOf = async (name: string, by = caller()) => {
    const outcome = await registry.call(name, { who: 'x' }, by)
    return outcome.ok ? 'ok' : `${outcome.error}`
  }
  assert.equal(await codeOf('greeet'), "RTK_COMMAND_UNKNOWN: there is no command 'greeet' (did you mean 'greet'?)")
  assert.match(await codeOf('greet', caller({ permits: (p) => p !== 'greetings:read' })), /^RTK_COMMAND_FORBIDDEN/)
  assert.match(await codeOf('greet', caller({ dryRun: true })), /^RTK_COMMAND_NO_DRY_RUN/)
  const failed = await registry.call('fail', { who: 'x' }, caller())
  assert(!failed.ok)
  assert.equal(failed.error.code, 'RTK_COMMAND_FAILED')
  assert.equal(failed.error.cause, fault)
  assert.doesNotMatch(JSON.stringify(failed.error), /secret detail/)
  assert.equal(await codeOf('refuse'), 'RTK_NO_VALHALLA: closed')
  assert.equal(seen.length, 5)
  assert.equal(seen[4], 'test refuse RTK_NO_VALHALLA')
})

test('rows go in and come out one by one, wrong ones are counted', async () => {
  const registry = new CommandRegistry()
  registry.add(double)
  async function* input() {
    yield { n: 1 }
    yield { n: 'two' }
    yield { n: 3 }
  }
  const outcome = await registry.call('double', {}, caller({ input: input() }))
  assert.deepEqual(outcome, { ok: true, rows: 2, failed: 1, result: [{ n: 2 }, { n: 6 }] })
  const dry = await registry.call('double', {}, caller({ input: input(), dryRun: true }))
  assert.deepEqual(dry.result, [{ n: 0 }, { n: 0 }])
})

test('a cancelled command stops between rows, and its cleaning up runs', async () => {
  const registry = new CommandRegistry()
  const abort = new AbortController()
  let cleaned = false
  registry.add(
    defineCommand({
      name: 'count',
      summary: 'Counts for ever.',
      permission: 'numbers:read',
      args: {},
      result: { n: field.int('N', 'Number.') },
      run: async function* () {
        try {
          for (let n = 0; ; n++) yield { n }
        } finally {
          cleaned = true
        }
      },
    }),
  )
  const outcome = await registry.run('count', {}, caller({ signal: abort.signal }), (row) => {
    if (row['n'] === 99) abort.abort()
  })
  assert(!outcome.ok)
  assert.equal(outcome.error.code, 'RTK_COMMAND_CANCELLED')
  assert(cleaned)
})

test('a name is given once; a removed command is gone', async () => {
  const registry = new CommandRegistry()
  const remove = registry.add(greet)
  assert.throws(() => registry.add(greet), /taken/)
  assert.throws(() => registry.add({ ...greet, name: 'Greet!' }), TypeError)
  remove()
  assert.equal(registry.find('greet'), undefined)
  registry.add(greet)
})

test('a command of several host types goes to the one that owns the domain', async () => {
  const registry = new CommandRegistry()
  const show = (type: string) =>
    defineCommand({
      name: 'which',
      summary: 'Says which.',
      permission: 'types:read',
      args: {
        host: opt.optional(opt.domain({ description: 'Host.' })),
        jid: opt.optional(opt.jid({ description: 'JID.' })),
      },
      result: { type: field.text('Type', 'Which.') },
      run: () => ({ type }),
    })
  registry.add(show('red'), { owns: (domain) => domain === 'red.example' })
  const only = await registry.call('which', {}, caller())
  assert.deepEqual(only.result, [{ type: 'red' }])
  const remove = registry.add(show('blue'), { owns: (domain) => domain === 'blue.example' })
  const which = async (args: Record<string, string>) => {
    const outcome = await registry.call('which', args, caller())
    return outcome.ok ? outcome.result[0]?.['type'] : outcome.error.code
  }
  assert.equal(await which({ host: 'blue.example' }), 'blue')
  assert.equal(await which({ jid: 'thor@red.example' }), 'red')
  assert.equal(await which({}), 'RTK_COMMAND_HOST_NEEDED')
  assert.equal(await which({ host: 'green.example' }), 'RTK_COMMAND_HOST')
  assert.equal(registry.list().filter((command) => command.name === 'which').length, 1)
  remove()
  assert.equal(await which({}), 'red')
})

test('the registry describes its commands in JSON', async () => {
  const registry = new CommandRegistry()
  registry.add(greet)
  const { result } = await registry.call('commands list', {}, caller())
  assert.deepEqual(
    result.map((row) => row['name']),
    ['commands list', 'greet'],
  )
  const described = JSON.parse(JSON.stringify(result[1]?.['description']))
  assert.deepEqual(described.positional, ['who'])
  assert.equal(described.args[1].path, 'times')
  assert.equal(described.args[1].default, '1')
  assert.deepEqual(described.result, [{ name: 'text', form: 'text', title: 'Greeting', description: 'The words.' }])
})
