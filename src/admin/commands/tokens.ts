/** `account tokens` and `account revoke`: the clients that sign in by a token (XEP-0484), and the end of one. */
import { type CommandDefinition, defineCommand, field } from '../../core/commands.ts'
import { opt } from '../../core/config/opt.ts'
import type { Jid } from '../../jid/index.ts'
import type { CommandServices } from './services.ts'

const page = 100

const accountJid = opt.jid({ bare: true, description: 'Account, as in user@example.org.' })

type Services = Pick<CommandServices, 'accounts' | 'core'>

async function* clientsOf(services: Services, jid: Jid) {
  let after = ''
  for (;;) {
    const clients = await services.accounts.tokens(jid, after, page)
    const sessions = services.core.sessions.ofAccount(jid.domain, jid.local)
    for (const { agent, software, device, created, used, expires } of clients) {
      after = agent
      yield {
        client: agent,
        software,
        device,
        created: created.toISOString(),
        used: used.toISOString(),
        expires: expires.toISOString(),
        online: sessions.some((session) => session.info.agent === agent),
      }
    }
    if (clients.length < page) return
  }
}

const list = (services: Services) =>
  defineCommand({
    name: 'account tokens',
    summary: 'Lists the clients of an account that sign in by a token.',
    examples: ['account tokens juliet@localhost'],
    permission: 'accounts:read',
    rows: true,
    positional: ['jid'],
    args: { jid: accountJid },
    result: {
      client: field.text('Client', 'UUID of the installation.'),
      software: field.text('Software', 'As the client calls itself.'),
      device: field.text('Device', 'As the client calls it.'),
      created: field.time('Since', 'When its oldest token was made.'),
      used: field.time('Used', 'When it last signed in, to the hour.'),
      expires: field.time('Until', 'When its newest token expires.'),
      online: field.bool('Online', 'Whether it has a session.'),
    },
    run: ({ jid }) => clientsOf(services, jid),
  })

const revoke = (services: Services) =>
  defineCommand({
    name: 'account revoke',
    summary: 'Signs a client of an account out, or all of them: ends their tokens and sessions.',
    examples: [
      'account revoke juliet@localhost d4565fa7-4d72-4749-b3d3-740edbf87770',
      'account revoke juliet@localhost',
    ],
    permission: 'accounts:write',
    positional: ['jid', 'client'],
    args: {
      jid: accountJid,
      client: opt.string({
        default: '',
        maxLength: 36,
        description: "UUID of the installation, as in 'account tokens'; left out: all.",
      }),
    },
    result: { jid: field.text('Account', 'Bare JID.'), result: field.text('Result', "'revoked'.") },
    run: async ({ jid, client }) => {
      await services.accounts.revokeTokens(jid, client.toLowerCase())
      return { jid: jid.toString(), result: 'revoked' }
    },
  })

export function tokenCommands(services: Services): readonly CommandDefinition[] {
  return [list(services), revoke(services)]
}
