/** Passes the limits of a connection, from the accept rate to the binding of a resource, and those of its bytes. */
import assert from 'node:assert/strict'
import { header, type Wire } from '../../plays/language/wire.ts'
import { jid } from '../jid/index.ts'
import { type Act, abort, anyStreamError, bind, type Ground, message, plain, simulated } from './limits.testing.ts'

const balanced = { proxy_protocol: true, proxies: ['192.0.2.1'] }

/** The stream of a signed-in client ends by what it says last; what it says first is within the limit. */
const ends =
  (within: string, beyond: string): Act =>
  async (ground) => {
    const wire = await ground.bound()
    wire.says(within)
    await wire.hears(/<\/message>/)
    ground.still()
    wire.says(beyond)
    return hearsTheEnd(wire)
  }

async function hearsTheEnd(wire: Wire): Promise<string> {
  const heard = await wire.hears(anyStreamError)
  await wire.isClosed()
  return heard
}

const nobody = 'nobody@localhost'
const wrapped = (inside: string) => `<message to='${nobody}'>${inside}</message>`
const nested = (levels: number) => `${'<a xmlns="urn:x">'.repeat(levels)}${'</a>'.repeat(levels)}`
const attributes = (count: number) => Array.from({ length: count }, (_, n) => `a${n}='' `).join('')
const declared = (count: number) => Array.from({ length: count }, (_, n) => `xmlns:p${n}='urn:p${n}' `).join('')

/** Two speak so fast that the shaper holds them. */
const shaped: Act = async (ground) => {
  const wire = await ground.bound()
  ground.still()
  wire.says(message(nobody, 'x'.repeat(900)).repeat(60))
  for (let n = 0; n < 60; n++) {
    if (n % 10 === 0) await ground.passes(10_000)
    await wire.hears(/<\/message>/)
  }
  return ''
}

async function guesses(ground: Ground, count: number, from = '192.0.2.66'): Promise<string> {
  let heard = ''
  for (let n = 0; n < count; n++) {
    const wire = await ground.secured(from)
    wire.says(plain('romeo', 'guess'))
    heard = await wire.hears(/<failure .*?<\/failure>/)
    wire.closes()
  }
  return heard
}

export const connectionProofs = {
  'listeners[].accept_rate': simulated({ listener: { accept_rate: '1/s' } }, async (ground) => {
    const crowd = Promise.all(['a', 'b', 'c'].map((from) => ground.connected(from)))
    await ground.passes(10_000)
    for (const wire of await crowd) {
      wire.says(header('localhost'))
      await wire.hears(/<\/stream:features>/)
    }
    return ''
  }),
  'shapers.NAME.rate': simulated(
    { shapers: { slow: { rate: '1 KB/s', burst: '30 KB' } }, listener: { shaper: 'slow' } },
    shaped,
  ),
  'shapers.NAME.burst': simulated(
    { shapers: { small: { rate: '40 KB/s', burst: '20 KB' } }, listener: { shaper: 'small' } },
    shaped,
  ),
  'limits.stanza_bytes': simulated(
    { limits: { stanza_bytes: '10 KB' } },
    // Without its end: it is refused while it is on its way.
    ends(message(nobody, 'x'.repeat(9_000)), `<message to='${nobody}'><body>${'x'.repeat(10_000)}`),
  ),
  'limits.header_bytes': simulated({ limits: { header_bytes: '1 KiB' } }, async (ground) => {
    const wire = await ground.connected()
    wire.says(header('localhost').replace(' to=', ` id='${'x'.repeat(1_100)}' to=`))
    return hearsTheEnd(wire)
  }),
  'limits.depth': simulated({ limits: { depth: 8 } }, ends(wrapped(nested(7)), wrapped(nested(8)))),
  'limits.elements': simulated(
    { limits: { elements: 64 } },
    ends(wrapped('<a/>'.repeat(63)), wrapped('<a/>'.repeat(64))),
  ),
  'limits.attributes': simulated(
    { limits: { attributes: 8 } },
    ends(wrapped(`<a ${attributes(8)}/>`), wrapped(`<a ${attributes(9)}/>`)),
  ),
  'limits.name_bytes': simulated(
    { limits: { name_bytes: '64 B' } },
    ends(wrapped(`<${'n'.repeat(64)}/>`), wrapped(`<${'n'.repeat(65)}/>`)),
  ),
  'limits.prefixes': simulated(
    { limits: { prefixes: 8 } },
    ends(wrapped(`<a ${declared(4)}/>`), wrapped(`<a ${declared(9)}/>`)),
  ),
  'limits.sign_in_timeout': simulated({ limits: { sign_in_timeout: '10 seconds' } }, async (ground) => {
    const wire = await ground.secured()
    await ground.passes(9_000)
    ground.still()
    await ground.passes(2_000)
    return hearsTheEnd(wire)
  }),
  'limits.sign_in_bytes': simulated({ limits: { sign_in_bytes: '10 KB', sign_in_elements: 1000 } }, async (ground) => {
    const wire = await ground.secured()
    ground.still()
    wire.says(abort.repeat(Math.ceil(10_000 / abort.length)))
    return hearsTheEnd(wire)
  }),
  'limits.sign_in_stanza_bytes': simulated({ limits: { sign_in_stanza_bytes: '10 KB' } }, async (ground) => {
    const wire = await ground.secured()
    ground.still()
    wire.says(plain('x'.repeat(9_000), 'guess'))
    return hearsTheEnd(wire)
  }),
  'limits.sign_in_elements': simulated({ limits: { sign_in_elements: 8 } }, async (ground) => {
    const wire = await ground.secured()
    wire.says(abort.repeat(3))
    await ground.passes(100)
    ground.still()
    wire.says(abort.repeat(6))
    return hearsTheEnd(wire)
  }),
  'limits.sign_in_attempts': simulated({ limits: { sign_in_attempts: 2 } }, async (ground) => {
    const wire = await ground.secured()
    wire.says(plain('romeo', 'guess'))
    await wire.hears(/<not-authorized\/>/)
    ground.still()
    wire.says(plain('romeo', 'guess'))
    await wire.hears(/<not-authorized\/>/)
    return hearsTheEnd(wire)
  }),
  'limits.bind_attempts': simulated({ limits: { bind_attempts: 2 } }, async (ground) => {
    const wire = await ground.signedIn()
    const bad = bind('x'.repeat(1_024))
    wire.says(bad)
    await wire.hears(/<bad-request .*?<\/iq>/)
    ground.still()
    wire.says(bad)
    return hearsTheEnd(wire)
  }),
  'limits.connections_per_address': simulated({ limits: { connections_per_address: 1 } }, async (ground) => {
    await ground.secured('mallory')
    await ground.secured('romeo')
    ground.still()
    return hearsTheEnd(await ground.connected('mallory'))
  }),
  'limits.connections': simulated({ limits: { connections: 1 } }, async (ground) => {
    await ground.secured('mallory')
    ground.still()
    return hearsTheEnd(await ground.connected('romeo'))
  }),
  'limits.proxy_header_timeout': simulated(
    { limits: { proxy_header_timeout: '1 second' }, listener: balanced },
    async (ground) => {
      const wire = await ground.connected('192.0.2.1')
      await ground.passes(900)
      ground.still()
      await ground.passes(200)
      await wire.isClosed()
      return ''
    },
  ),
  'limits.close_timeout': simulated({ limits: { close_timeout: '1 second' } }, async (ground) => {
    const [polite, silent] = [await ground.bound('romeo', 'polite'), await ground.bound('romeo', 'silent')]
    const { sessions } = ground.symbolic.server.core
    for (const resource of ['polite', 'silent'])
      sessions.find(jid(`romeo@localhost/${resource}`))?.close({ reason: 'closed', detail: '' })
    polite.says('</stream:stream>')
    await polite.hears(/<\/stream:stream>/)
    await polite.isClosed()
    const heard = await silent.hears(/<\/stream:stream>/)
    await ground.passes(800)
    ground.still()
    await ground.passes(400)
    await silent.isClosed()
    assert.equal(ground.counter('ratatosk_close_timeouts_total'), 1)
    return heard
  }),
  'limits.sign_in_failures': simulated({ limits: { sign_in_failures: 2 } }, async (ground) => {
    await guesses(ground, 2)
    ground.still()
    return hearsTheEnd(await ground.connected('192.0.2.66'))
  }),
  'limits.sign_in_failures_per_account': simulated({ limits: { sign_in_failures_per_account: 2 } }, async (ground) => {
    await guesses(ground, 2)
    ground.still()
    return guesses(ground, 1, '198.51.100.1')
  }),
  'limits.control_line_bytes': simulated({ limits: { control_line_bytes: '4 KiB' } }, async (ground) => {
    const wire = await control(ground)
    wire.says(`{"id":1,"run":"status","args":{}}\n`)
    await wire.hears(/"done"/)
    ground.still()
    wire.says('x'.repeat(4_097))
    return wire.hears(/\{"id":0.*\}/)
  }),
  'limits.control_connections': simulated({ limits: { control_connections: 1 } }, async (ground) => {
    await control(ground)
    ground.still()
    return (await control(ground)).hears(/\{"id":0.*\}/)
  }),
}

/** A connection to the control socket. */
export async function control({ symbolic }: Ground): Promise<Wire> {
  const { controlPath } = symbolic.server
  return symbolic.wireTo({ kind: 'unix', path: controlPath ?? assert.fail('no control socket') })
}
