/**
 * SES-10: memory of an idle session over TCP, with roster and presence: what the garbage collector holds, and what lies
 * outside its heap, after a full collection; and what stream management (XEP-0198) adds. Sockets' kernel memory and V8's
 * slack are not in it; the row of `bench/rows.ts` has them. Run with `--expose-gc`.
 */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createServer } from '../../src/index.ts'
import { jid } from '../../src/jid/index.ts'
import { cheapWorld } from './cheap.ts'
import { accountOf, DOMAIN, type Order, PASSWORD } from './clients.ts'
import { print } from './figure.ts'

const WARM = 500
const SESSIONS = 5_000

interface Memory {
  readonly heap: number
  readonly outside: number
}

async function settled(): Promise<Memory> {
  for (let i = 0; i < 4; i++) {
    // What a session's end or beginning put off is done; then what it left is collected.
    await delay(150)
    globalThis.gc?.()
  }
  const { heapUsed, external } = process.memoryUsage()
  return { heap: heapUsed, outside: external }
}

async function main(): Promise<void> {
  if (globalThis.gc === undefined) throw new Error('run it with --expose-gc')
  const world = cheapWorld()
  const server = await createServer({
    world,
    config: {
      hosts: [DOMAIN],
      store: { engine: 'memory' },
      auth: { scram_iterations: 4096 },
      limits: { connections_per_address: SESSIONS },
      listeners: [{ protocol: 'c2s', tls: 'none', address: '127.0.0.1', port: 0 }],
    },
  })
  const place = server.listening[0]?.place
  if (place?.kind !== 'tcp') throw new Error('no TCP listener')
  const { port } = place
  for (let first = 0; first < SESSIONS; first += 250)
    await Promise.all(Array.from({ length: 250 }, (_, i) => server.accounts.add(jid(accountOf(first + i)), PASSWORD)))
  const clients = fork(join(import.meta.dirname, 'clients.ts'))
  const tell = async (order: Order): Promise<void> => {
    const answer = once(clients, 'message')
    clients.send(order)
    const [text] = (await answer) as [string]
    if (text !== 'done') throw new Error(text)
  }
  try {
    // Some come and go first: the code is compiled before anything is counted.
    await tell({ port, from: 0, to: WARM })
    await tell('leave')
    const before = await settled()
    await tell({ port, from: 0, to: SESSIONS })
    const after = await settled()
    const online = server.core.sessions.count()
    if (online !== SESSIONS) throw new Error(`${online} sessions are online`)
    const policy = server.core.hostType('default').services.find('acknowledgements')?.policy
    if (policy === undefined) throw new Error('nobody counts stanzas')
    server.core.sessions.each(undefined, (session) => session.beginLedger(policy, world.random.id(), 300_000))
    const counted = await settled()
    const unit = 'bytes'
    const heap = (after.heap - before.heap) / SESSIONS
    const outside = (after.outside - before.outside) / SESSIONS
    const name = `${SESSIONS.toLocaleString('en')} idle sessions, TCP`
    print(
      { case: name, figure: 'heap a session', unit, value: heap },
      { case: name, figure: 'outside the heap', unit, value: outside },
      { case: name, figure: 'both', unit, value: heap + outside },
      { case: name, figure: 'more with stream management', unit, value: (counted.heap - after.heap) / SESSIONS },
    )
  } finally {
    const gone = once(clients, 'exit')
    clients.kill()
    await gone
    await server.close()
  }
}

await main()
