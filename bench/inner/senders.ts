/**
 * RTR-06: messages a second of CPU, sent by 1, 10, 100 and 1,000 of 2,000 sessions. Without a queue that all senders share
 * the cost of a message does not grow with their number. Scanner, session, router and recipient are the server's; sockets
 * are not in it (the chat rows of `bench/rows.ts` have them).
 */

import { createServer } from '../../src/index.ts'
import { jid } from '../../src/jid/index.ts'
import { cheapWorld } from './cheap.ts'
import { deafInfo, deafLink } from './deaf-link.ts'
import { print } from './figure.ts'
import { streamOf } from './stream.ts'

const SESSIONS = 2_000
const MESSAGES = 200_000
/** What one read of a socket brings when a client sends one at a time. */
const BODY =
  '<body>O Romeo, Romeo! Wherefore art thou Romeo? Deny thy father and refuse thy name.</body>' +
  "<active xmlns='http://jabber.org/protocol/chatstates'/>"

let written = 0
const link = deafLink(() => {
  written++
})

const server = await createServer({
  world: cheapWorld(),
  config: { hosts: ['bench.local'], store: { engine: 'memory' }, listeners: [] },
})
const { core } = server
const host = core.host('bench.local')
if (host === undefined) throw new Error('no host')
const sessions = Array.from({ length: SESSIONS }, (_, i) =>
  core.bind(link, jid(`u${i}@bench.local/phone`), host, deafInfo),
)
const streams = sessions.map(streamOf)
const bytes = sessions.map((_, i) =>
  Buffer.from(
    `<message to='u${(i + SESSIONS / 2) % SESSIONS}@bench.local/phone' type='chat' id='m${i}'>${BODY}</message>`,
  ),
)

/** CPU microseconds a message, `senders` taking turns. */
function run(senders: number, messages: number): number {
  written = 0
  const before = process.cpuUsage()
  for (let sent = 0; sent < messages; ) {
    for (let i = 0; i < senders && sent < messages; i++, sent++) {
      const stream = streams[i]
      const message = bytes[i]
      if (stream !== undefined && message !== undefined) stream.write(message)
    }
  }
  const { user, system } = process.cpuUsage(before)
  if (written !== messages) throw new Error(`${written} of ${messages} messages arrived`)
  return (user + system) / messages
}

for (const senders of [1_000, 1, 10, 100]) run(senders, 50_000)
for (const senders of [1, 10, 100, 1_000]) {
  const cost = run(senders, MESSAGES)
  const name = `${senders.toLocaleString('en')} ${senders === 1 ? 'sender' : 'senders'}`
  print(
    { case: name, figure: 'cost of a message', unit: 'µs', value: cost },
    { case: name, figure: 'messages a second of CPU', unit: '1/s', value: 1_000_000 / cost },
  )
}
await server.close()
