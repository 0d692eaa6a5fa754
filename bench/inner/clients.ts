/**
 * Clients in a process of their own, so that their memory is not the server's. Told `{ from, to }` it signs these accounts
 * in, fetches their rosters and sends presence until it is reflected; told `'leave'` it signs them all out.
 */

import { jid } from '../../src/jid/index.ts'
import { connectClient, type XmppClient } from '../../src/stream/client.ts'
import { parseElement } from '../../src/xml/index.ts'
import { cheapWorld } from './cheap.ts'

export type Order = { readonly port: number; readonly from: number; readonly to: number } | 'leave'
export const DOMAIN = 'bench.local'
export const PASSWORD = 'correct horse'
export const accountOf = (index: number): string => `u${String(index).padStart(5, '0')}@${DOMAIN}`

const [presence, roster] = parseElement(
  "<s xmlns='jabber:client'><presence/><iq type='get'><query xmlns='jabber:iq:roster'/></iq></s>",
).elements

const world = cheapWorld()
const online: XmppClient[] = []

async function signIn(index: number, port: number): Promise<void> {
  const reflected = Promise.withResolvers<void>()
  const client = await connectClient(world, {
    jid: jid(`${accountOf(index)}/phone`),
    password: PASSWORD,
    place: { kind: 'tcp', host: '127.0.0.1', port },
    tls: 'none',
    onStanza: (el) => {
      if (el.name === 'presence') reflected.resolve()
    },
  })
  if (!('request' in client) || presence === undefined || roster === undefined) throw new Error(String(client))
  await client.request(roster)
  client.send(presence)
  await reflected.promise
  online.push(client)
}

async function obey(order: Order): Promise<void> {
  if (order === 'leave') {
    await Promise.all(online.splice(0).map((client) => client.close()))
    return
  }
  let next = order.from
  const one = async (): Promise<void> => {
    while (next < order.to) await signIn(next++, order.port)
  }
  await Promise.all(Array.from({ length: 32 }, one))
}

if (process.send !== undefined && import.meta.main) {
  process.on('message', (order: Order) => {
    obey(order).then(
      () => process.send?.('done'),
      (error: unknown) => process.send?.(String(error)),
    )
  })
}
