/**
 * What privacy lists (XEP-0016, XEP-0191) cost a message: without the module, with it when nobody has a list, and when every
 * recipient has blocked ten others. 1,000 of 2,000 sessions write to the other half; the three servers take turns in one
 * process, so that only their difference counts.
 */

import { createServer } from '../../src/index.ts'
import { jid } from '../../src/jid/index.ts'
import { cheapWorld } from './cheap.ts'
import { deafInfo, deafLink } from './deaf-link.ts'
import { print } from './figure.ts'
import { streamOf } from './stream.ts'

const SESSIONS = 2_000
const MESSAGES = 100_000
const ROUNDS = 9
const BODY = '<body>O Romeo, Romeo! Wherefore art thou Romeo? Deny thy father and refuse thy name.</body>'
const blocked = Array.from({ length: 10 }, (_, i) => `<item jid='mallory${i}@bench.local'/>`).join('')
const BLOCK = `<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'>${blocked}</block></iq>`

async function ground(name: string, modules: Record<string, unknown>, haveLists: boolean) {
  let written = 0
  const link = deafLink(() => {
    written++
  })
  const server = await createServer({
    world: cheapWorld(),
    config: { hosts: ['bench.local'], store: { engine: 'memory' }, listeners: [], modules },
  })
  const host = server.core.host('bench.local')
  if (host === undefined) throw new Error('no host')
  const sessions = Array.from({ length: SESSIONS }, (_, i) =>
    server.core.bind(link, jid(`u${i}@bench.local/phone`), host, deafInfo),
  )
  const streams = sessions.map(streamOf)
  const settled = async () => {
    for (let before = -1; before !== written; ) {
      before = written
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
  }
  // The lists, or that there are none, are read when a session comes; a block needs two answers of the store.
  await settled()
  if (haveLists) {
    for (const stream of streams.slice(SESSIONS / 2)) {
      stream.write(Buffer.from(BLOCK))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await settled()
  }
  const bytes = streams.map((_, i) =>
    Buffer.from(
      `<message to='u${SESSIONS / 2 + ((i * 7) % (SESSIONS / 2))}@bench.local/phone' type='chat' id='m${i}'>${BODY}</message>`,
    ),
  )
  /** CPU microseconds a message. */
  const run = (): number => {
    written = 0
    const before = process.cpuUsage()
    for (let sent = 0; sent < MESSAGES; sent++)
      streams[sent % (SESSIONS / 2)]?.write(bytes[sent % (SESSIONS / 2)] as Buffer)
    const { user, system } = process.cpuUsage(before)
    if (written !== MESSAGES) throw new Error(`${name}: ${written} of ${MESSAGES} messages arrived`)
    return (user + system) / MESSAGES
  }
  return { name, run, close: () => server.close(), costs: [] as number[] }
}

const grounds = [
  await ground('without the module', { privacy: false }, false),
  await ground('nobody has a list', {}, false),
  await ground('each recipient blocks ten', {}, true),
]
// The first rounds compile.
for (let round = 0; round < ROUNDS + 2; round++) {
  for (const one of grounds) {
    const cost = one.run()
    if (round >= 2) one.costs.push(cost)
  }
}
for (const { name, costs } of grounds) {
  const value = costs.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0
  print({ case: name, figure: 'cost of a message', unit: 'µs', value })
}
for (const one of grounds) await one.close()
