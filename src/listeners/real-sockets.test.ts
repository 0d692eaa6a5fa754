/**
 * LST-10, LST-11 and LST-12 over sockets of this machine. `pace.test.ts` and `refusals.test.ts` have the exact times, in
 * virtual time; here each assertion is a lower bound or an order of events, so that a busy machine cannot break it.
 */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { header, Wire } from '../../plays/language/wire.ts'
import { jid } from '../jid/index.ts'
import { connectClient, XmppClient } from '../stream/client.ts'
import { createWorld } from '../world/index.ts'
import { encode, x } from '../xml/index.ts'
import { type Served, serveWith } from './listeners.testing.ts'

const world = createWorld()
const patienceMs = 30_000

const c2s = (name: string, more: Readonly<Record<string, unknown>> = {}) => ({
  name,
  protocol: 'c2s',
  tls: 'none',
  address: '127.0.0.1',
  port: 0,
  ...more,
})

const open = (served: Served, name = 'c2s') => Wire.open(world, served.place(name), patienceMs)
const counter = ({ server }: Served, name: string) => server.metrics.value(name)

async function welcomed(served: Served, name = 'c2s'): Promise<Wire> {
  const wire = await open(served, name)
  wire.says(header('localhost'))
  await wire.hears(/<\/stream:features>/)
  return wire
}

describe('over sockets', () => {
  it('LST-10: a crowd is let in at the rate, none is reset, and another listener does not wait for it', async () => {
    const [rate, count] = [150, 150]
    // What a listener may accept at once after silence is a twentieth of its rate.
    const burst = rate / 20
    await using served = await serveWith({
      limits: { connections_per_address: 1_000 },
      listeners: [c2s('slow', { accept_rate: `${rate}/s`, backlog: 511 }), c2s('free')],
    })
    const began = world.clock.monoMs()
    const times: number[] = []
    const crowd = Promise.all(
      Array.from({ length: count }, async () => {
        const wire = await welcomed(served, 'slow')
        times.push(world.clock.monoMs() - began)
        return wire
      }),
    )
    let othersIn = 0
    for (let n = 0; n < 10; n++) {
      ;(await welcomed(served, 'free')).closes()
      othersIn++
      if (times.length === count) break
    }
    assert.equal(othersIn, 10, 'the others were in before the crowd was')
    assert.ok(times.length < count)
    const wires = await crowd
    assert.ok(wires.every((wire) => wire.cause === undefined))
    times.forEach((time, index) => {
      const earliest = ((index - burst) * 1_000) / rate
      assert.ok(time >= earliest - 5, `number ${index} was let in after ${time} ms, and not before ${earliest} ms`)
    })
    assert.ok(counter(served, 'ratatosk_accept_throttled_total') > 0)
    for (const wire of wires) wire.closes()
  })

  it('LST-11: a shaped client is read at his speed, and what he says too much waits on his own side', async () => {
    const [rate, burst] = [400_000, 64_000]
    await using served = await serveWith({
      shapers: { slow: { rate: `${rate / 1_000} KB/s`, burst: `${burst / 1_000} KB` } },
      listeners: [c2s('c2s', { shaper: 'slow' })],
    })
    const romeo = await connectClient(world, {
      jid: jid('romeo@localhost'),
      password: 'secret',
      place: served.place('c2s'),
      tls: 'none',
    })
    assert.ok(romeo instanceof XmppClient, String(romeo))
    const began = world.clock.monoMs()
    const message = encode(`<message to='${romeo.jid}' type='headline'><body>${'x'.repeat(9_000)}</body></message>`)
    const ping = () =>
      romeo.request(x('iq', 'jabber:client', { type: 'get', to: 'localhost' }, x('ping', 'urn:xmpp:ping')), patienceMs)
    const [pieces, step] = [6, 10]
    const answers: Promise<unknown>[] = []
    for (let piece = 0; piece < pieces; piece++) {
      for (let n = 0; n < step; n++) romeo.sendBytes(message)
      answers.push(ping())
    }
    // Far more than the kernel's buffers of one connection hold (tcp_wmem and tcp_rmem, some 10 MB at most).
    for (let sent = 0; sent < 32 * 1_048_576; sent += message.length) romeo.sendBytes(message)
    for (let piece = 1; piece <= pieces; piece++) {
      await answers[piece - 1]
      const time = world.clock.monoMs() - began
      // One read may pass at once, and is paid for by the wait behind it.
      const earliest = ((piece * step * message.length - burst - 65_536) * 1_000) / rate
      assert.ok(time >= earliest, `${piece * step} stanzas after ${time} ms, and not before ${earliest} ms`)
    }
    assert.ok(romeo.transport.queuedBytes > 8 * 1_048_576, `${romeo.transport.queuedBytes} bytes wait at the sender`)
    assert.ok(counter(served, 'ratatosk_shaper_holds_total') > 0)
    romeo.destroy()
    await romeo.gone
  })

  it('LST-12: who says his header letter by letter is cut at the deadline, with letters left', async () => {
    await using served = await serveWith({
      limits: { sign_in_timeout: '1 second' },
      listeners: [c2s('c2s')],
    })
    // The server counts from when it accepts, which may be before the client learns of it.
    const began = world.clock.monoMs()
    const wire = await open(served)
    const text = header('localhost')
    let said = 0
    const say = (): void => {
      if (wire.cause !== undefined || said === text.length) return
      wire.says(text[said++] ?? '')
      world.clock.after(40, say, undefined)
    }
    say()
    await wire.hears(/<stream:error><policy-violation /)
    const lasted = world.clock.monoMs() - began
    assert.ok(lasted >= 990, `${lasted} ms`)
    assert.ok(said < text.length, 'he had more to say')
    await wire.isClosed()
    assert.equal(counter(served, 'ratatosk_refusals_total{code="RTK_STREAM_NEGOTIATION_TIMEOUT"}'), 1)
    wire.closes()
  })

  it('LST-12: bytes and elements before sign-in', async () => {
    await using served = await serveWith({
      limits: { sign_in_bytes: '10 KB', sign_in_elements: 8 },
      listeners: [c2s('c2s')],
    })
    for (const [said, code] of [
      [' '.repeat(11_000), 'BYTES'],
      ["<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>".repeat(9), 'ELEMENTS'],
    ] as const) {
      const wire = await welcomed(served)
      wire.says(said)
      await wire.hears(/<stream:error><policy-violation /)
      await wire.isClosed()
      assert.equal(counter(served, `ratatosk_refusals_total{code="RTK_STREAM_NEGOTIATION_${code}"}`), 1)
      wire.closes()
    }
  })

  it('LST-12: the 257th connection of an address is refused; another address is not, and who leaves makes room', async () => {
    await using served = await serveWith({ listeners: [c2s('c2s')] })
    const wires: Wire[] = []
    for (let n = 0; n < 256; n += 64)
      wires.push(...(await Promise.all(Array.from({ length: 64 }, () => welcomed(served)))))
    const one = await open(served)
    await one.hears(/<stream:error><policy-violation /)
    await one.isClosed()
    assert.equal(counter(served, 'ratatosk_connections_refused_per_address_total'), 1)
    const other = await from('127.0.0.2', served)
    assert.match(other.text, /<\/stream:features>/)
    assert.equal(counter(served, 'ratatosk_connections'), 257)
    wires[0]?.closes()
    // That the server has noticed is seen when it lets the next one in; each that comes too early is refused.
    for (let tries = 0; ; tries++) {
      const next = await open(served)
      next.says(header('localhost'))
      const heard = await next.hears(/<\/stream:features>|<stream:error>/)
      next.closes()
      if (heard.includes('features')) break
      assert.ok(tries < 100, 'nobody makes room')
    }
    other.socket.destroy()
    for (const wire of wires) wire.closes()
  })
})

/** What a client of another address of this machine hears up to the features, or the end. */
async function from(localAddress: string, served: Served): Promise<{ readonly socket: Socket; readonly text: string }> {
  const place = served.place('c2s')
  assert.ok(place.kind === 'tcp')
  const socket = connect({ port: place.port, host: place.host, localAddress })
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let text = ''
  socket.on('data', (data) => {
    text += data.toString()
    if (text.includes('</stream:features>')) resolve(text)
  })
  socket.on('close', () => resolve(text))
  socket.on('error', reject)
  socket.write(header('localhost'))
  return { socket, text: await promise }
}
