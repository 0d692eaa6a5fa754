/** What the tests of XEP-0494 share: a whole server, with clients of ours. */
import assert from 'node:assert/strict'
import { header, type Wire } from '../../../plays/language/wire.ts'
import { jid } from '../../jid/index.ts'
import type { SymbolicServer } from '../../listeners/symbolic.testing.ts'
import { StanzaError } from '../../stanza/error.ts'
import { NS_CLIENT } from '../../stanza/ns.ts'
import { ClientFailure, connectClient, type XmppClient } from '../../stream/client.ts'
import { requestTokenElement } from '../../stream/fast.ts'
import type { TlsClientOptions } from '../../world/net.types.ts'
import { type Element, x } from '../../xml/index.ts'
import { NS_CAM } from './access.wire.ts'

export const listeners = [{ name: 'c2s', protocol: 'c2s', address: '0.0.0.0', port: 5222 }]
export const auth = { scram_iterations: 4096 }
export const sections = { listeners, auth }
/** Tokens outlive a password, so that there are clients that have only those. */
export const keepsTokens = { listeners, auth: { ...auth, revoke_tokens: false } }
export const romeo = jid('romeo@localhost')
export const phone = { id: 'd4565fa7-4d72-4749-b3d3-740edbf87770', software: 'Awesome', device: 'phone' }
export const laptop = { id: '0b0c0f2e-3f4c-4c15-9f3e-6a4f5a1b2c3d', software: 'Gajim', device: "Juliet's laptop" }
export const none = 'HT-SHA-256-NONE'
export const hour = 3_600_000

export type Options = Parameters<typeof connectClient>[1]
export type Sasl = NonNullable<Options['sasl']>

export function connect(
  server: SymbolicServer,
  sasl: Sasl,
  more: Partial<Options> = {},
): Promise<XmppClient | ClientFailure> {
  return connectClient(server.simulation.world('romeo'), {
    jid: romeo,
    password: 'secret',
    place: { kind: 'tcp', host: 'server', port: 5222 },
    tls: 'starttls',
    ca: server.ca,
    sasl,
    ...more,
  })
}

export async function signsIn(server: SymbolicServer, sasl: Sasl, more: Partial<Options> = {}): Promise<XmppClient> {
  const client = await connect(server, sasl, more)
  assert.ok(!(client instanceof ClientFailure), String(client))
  return client
}

/** A token for the client, which signs in by its password for it, and leaves. */
export async function tokenFor(server: SymbolicServer, agent: typeof phone): Promise<string> {
  const client = await signsIn(server, { agent, inline: [requestTokenElement(none)] })
  await client.close()
  return client.success?.child('token', 'urn:xmpp:fast:0')?.attr('token') ?? assert.fail('no token')
}

export const byToken = (agent: typeof phone, token: string) => ({ agent, token: { mechanism: none, token } }) as const

/** A stream inside of TLS whose every byte is ours. */
export async function secured(server: SymbolicServer, more: Partial<TlsClientOptions> = {}): Promise<Wire> {
  const wire = await server.wire('romeo')
  wire.says(`${header('localhost')}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  await wire.hears(/<proceed [^>]*\/>/)
  await wire.secures({ servername: 'localhost', alpn: [], verify: true, ca: server.ca, ...more })
  wire.says(header('localhost'))
  await wire.hears(/<\/stream:features>/)
  return wire
}

export async function ask(client: XmppClient, type: 'get' | 'set', payload: Element, to?: string): Promise<Element> {
  const answer = await client.request(x('iq', NS_CLIENT, { type, to }, payload))
  assert.ok(!(answer instanceof StanzaError), String(answer))
  return answer
}

export interface Listed {
  readonly id: string
  readonly connected: string | undefined
  readonly type: string | undefined
  readonly auth: readonly string[]
  readonly permission: string | undefined
  readonly software: string | undefined
  readonly device: string | undefined
  readonly first: string
  readonly last: string
}

export const listEl = x('list', NS_CAM)

export async function list(client: XmppClient, to?: string): Promise<readonly Listed[]> {
  const answer = await ask(client, 'get', listEl, to)
  const clients = answer.child('clients', NS_CAM) ?? assert.fail(String(answer.attr('type')))
  return clients.childrenNamed('client', NS_CAM).map((el) => {
    const agent = el.child('user-agent', NS_CAM)
    return {
      id: el.attr('id') ?? '',
      connected: el.attr('connected'),
      type: el.attr('type'),
      auth: el.child('auth', NS_CAM)?.elements.map(({ name }) => name) ?? assert.fail('no auth'),
      permission: el.child('permission', NS_CAM)?.attr('status'),
      software: agent?.childText('software', NS_CAM),
      device: agent?.childText('device', NS_CAM),
      first: el.childText('first-seen', NS_CAM) ?? '',
      last: el.childText('last-seen', NS_CAM) ?? '',
    }
  })
}

/** `result`, or the condition of the error, with the one of the application. */
export function outcome(answer: Element): string {
  if (answer.attr('type') === 'result') return 'result'
  return (
    answer
      .child('error', NS_CLIENT)
      ?.elements.map(({ name }) => name)
      .join(' ') ?? ''
  )
}

export async function revoke(client: XmppClient, id: string | undefined): Promise<string> {
  return outcome(await ask(client, 'set', x('revoke', NS_CAM, { id })))
}

export const deviceOf = (clients: readonly Listed[], device: string) =>
  clients.find((one) => one.device === device) ?? assert.fail(`no ${device} in ${JSON.stringify(clients)}`)

/** The phone has a token and nothing else; the laptop is there, by the new password. */
export async function phoneWithToken(server: SymbolicServer): Promise<{ token: string; mine: XmppClient }> {
  const token = await tokenFor(server, phone)
  await server.server.accounts.setPassword(romeo, 'new')
  return { token, mine: await signsIn(server, { agent: laptop }, { password: 'new' }) }
}

export const clientTls = {
  certificates: [{ cert: '/tls/cert.pem', key: '/tls/key.pem' }],
  client_ca: '/tls/clients.pem',
}
