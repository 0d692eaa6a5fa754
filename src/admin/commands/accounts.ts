/** `account …`: the accounts of all hosts. */

import type { CommandCall } from '../../core/commands.ts'
import { type CommandDefinition, CommandError, defineCommand, field } from '../../core/commands.ts'
import { opt } from '../../core/config/opt.ts'
import type { Host } from '../../core/host.ts'
import type { Jid } from '../../jid/index.ts'
import type { CommandServices } from './services.ts'

/** Accounts of one `account add` that are hashed at one time: enough for all cores and one commit after the other. */
const WINDOW = 64
const PAGE = 500

const accountJid = opt.jid({ bare: true, description: 'Account, as in user@example.org.' })
const password = opt.secret({ description: 'Password.' })

type Services = Pick<CommandServices, 'accounts' | 'core'>

interface NewAccount {
  readonly jid: Jid
  readonly password: { reveal(): string }
}

interface Added {
  readonly jid: string
  readonly result: string
  readonly text: string
}

async function addOne(services: Services, { jid, password }: NewAccount): Promise<Added> {
  await services.accounts.add(jid, password.reveal())
  return { jid: jid.toString(), result: 'added', text: '' }
}

async function addRow(services: Services, row: CommandError | NewAccount, call: CommandCall): Promise<Added> {
  const jid = row instanceof CommandError ? '' : row.jid.toString()
  try {
    if (row instanceof CommandError) throw row
    return await addOne(services, row)
  } catch (thrown) {
    const error = CommandError.from(thrown)
    // The store is gone, or something is broken: the rest would fail alike.
    if (!error.code.startsWith('RTK_ACCOUNT_') && !error.code.startsWith('RTK_COMMAND_ARGUMENTS')) throw error
    call.failed()
    return { jid, result: error.code, text: error.text }
  }
}

/** In the order of the input, a window of them at one time. */
async function* addMany(
  services: Services,
  call: CommandCall & { readonly input: AsyncIterable<CommandError | NewAccount> },
): AsyncGenerator<Added> {
  const underWay: Promise<Added>[] = []
  for await (const row of call.input) {
    if (call.signal.aborted) break
    const made = addRow(services, row, call)
    // A failure is told where its turn comes; until then it is no unheard rejection.
    made.catch(() => undefined)
    underWay.push(made)
    if (underWay.length >= WINDOW) yield await (underWay.shift() as Promise<Added>)
  }
  for (const made of underWay) yield await made
}

const add = (services: Services) =>
  defineCommand({
    name: 'account add',
    summary: 'Makes an account, or many from rows of jid and password.',
    examples: ['account add juliet@localhost', 'account add < people.txt'],
    permission: 'accounts:write',
    positional: ['jid'],
    args: { jid: opt.optional(accountJid), password: opt.optional(password) },
    input: { jid: accountJid, password },
    result: {
      jid: field.text('Account', 'Bare JID.'),
      result: field.text('Result', "'added', or the code of the refusal."),
      text: field.text('', 'Why it was refused.'),
    },
    run: (args, call) => {
      if (call.hasInput) return addMany(services, call)
      if (args.jid === undefined || args.password === undefined) {
        return new CommandError('RTK_COMMAND_ARGUMENTS', 'jid and password are needed, or rows of them')
      }
      return addOne(services, { jid: args.jid, password: args.password })
    },
  })

const passwd = (services: Services) =>
  defineCommand({
    name: 'account passwd',
    summary: 'Sets the password of an account. Its sessions go on.',
    examples: ['account passwd juliet@localhost'],
    permission: 'accounts:write',
    positional: ['jid'],
    args: { jid: accountJid, password },
    result: { jid: field.text('Account', 'Bare JID.'), result: field.text('Result', "'changed'.") },
    run: async ({ jid, password }) => {
      await services.accounts.setPassword(jid, password.reveal())
      return { jid: jid.toString(), result: 'changed' }
    },
  })

const remove = (services: Services) =>
  defineCommand({
    name: 'account delete',
    summary: 'Deletes an account with all that is kept of it, and ends its sessions.',
    examples: ['account delete juliet@localhost'],
    permission: 'accounts:write',
    positional: ['jid'],
    args: { jid: accountJid },
    result: { jid: field.text('Account', 'Bare JID.'), result: field.text('Result', "'deleted'.") },
    run: async ({ jid }) => {
      await services.accounts.remove(jid)
      return { jid: jid.toString(), result: 'deleted' }
    },
  })

const setState = (services: Services) =>
  defineCommand({
    name: 'account state',
    summary: 'Allows or forbids the use of an account. Forbidding ends its sessions.',
    examples: ['account state juliet@localhost disabled'],
    permission: 'accounts:write',
    positional: ['jid', 'state'],
    args: {
      jid: accountJid,
      state: opt.oneOf(['active', 'disabled', 'quarantined'], { description: 'The new state.' }),
    },
    result: { jid: field.text('Account', 'Bare JID.'), state: field.text('State', 'The new state.') },
    run: async ({ jid, state }) => {
      await services.accounts.setState(jid, state)
      return { jid: jid.toString(), state }
    },
  })

async function* listHost(services: Services, host: Host) {
  let after = ''
  for (;;) {
    const page = await services.accounts.list(host, after, PAGE)
    for (const { local, state, origin, created } of page) {
      yield { jid: `${local}@${host.domain}`, state, origin, created: created.toISOString() }
      after = local
    }
    if (page.length < PAGE) return
  }
}

const list = (services: Services) =>
  defineCommand({
    name: 'account list',
    summary: 'Lists accounts, of one host or of all.',
    examples: ['account list', 'account list localhost'],
    permission: 'accounts:read',
    rows: true,
    positional: ['host'],
    args: { host: opt.optional(opt.domain({ description: 'Host.' })) },
    result: {
      jid: field.text('Account', 'Bare JID.'),
      state: field.text('State', 'active, disabled, quarantined or leaving.'),
      origin: field.text('Origin', 'Who made it.'),
      created: field.time('Created', 'When it was made.'),
    },
    run: async function* ({ host: domain }) {
      for (const host of hostsOf(services, domain)) yield* listHost(services, host)
    },
  })

/** The named host, or all. Throws a `CommandError`. */
export function hostsOf(services: Pick<CommandServices, 'core'>, domain: string | undefined): readonly Host[] {
  if (domain === undefined) return services.core.hosts()
  const host = services.core.host(domain)
  if (host !== undefined) return [host]
  throw new CommandError('RTK_HOST_UNKNOWN', `${domain} is no host of this server`, "see 'host list'")
}

export function accountCommands(services: Services): readonly CommandDefinition[] {
  return [add(services), passwd(services), remove(services), setState(services), list(services)]
}
