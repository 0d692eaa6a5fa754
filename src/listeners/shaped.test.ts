/** What a shaper charges: bytes, and each stanza as `leastStanzaBytes` at least. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ValueRule } from '../core/access.ts'
import { Counter } from '../core/metrics.ts'
import { leastStanzaBytes } from '../core/shaper.ts'
import { Simulation } from '../sim/simulation.ts'
import { defaultLimits, Scanner } from '../xml/index.ts'
import { type Holdable, shaped } from './shaped.ts'

const HEADER = "<s:s xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:client'>"
const RATE = 1_000

/** A connection that scans what it is given, and can be held. */
class Reader implements Holdable {
  stanzas = 0
  isHeld = false
  readonly #scanner = new Scanner('stream', defaultLimits, {
    streamOpen: () => undefined,
    stanza: () => void this.stanzas++,
    streamClose: () => undefined,
    fault: ({ code }) => assert.fail(code),
  })

  data(bytes: Uint8Array, start: number, end: number): void {
    this.#scanner.write(bytes, start, end)
  }
  hold(): void {
    this.isHeld = true
  }
  release(): void {
    this.isHeld = false
  }
  drained(): void {}
  secured(): void {}
  ended(): void {}
  closed(): void {}
}

/** Virtual seconds that `count` stanzas take, read as they fit into 4 KiB. */
async function secondsFor(stanza: string, count: number): Promise<number> {
  const simulation = new Simulation(1)
  const reader = new Reader()
  const holds = new Counter()
  const rule = new ValueRule('slow', [], { name: 'slow', rate: RATE, burst: 0 })
  const handler = shaped(reader, rule, '192.0.2.1', simulation.world().clock, holds)
  const say = (text: string): void => handler.data(Buffer.from(text), 0, Buffer.byteLength(text))
  say(HEADER)
  const atOnce = Math.floor(4096 / stanza.length)
  for (let left = count; left > 0; left -= atOnce) {
    while (reader.isHeld) await simulation.advance(10)
    say(stanza.repeat(Math.min(left, atOnce)))
  }
  while (reader.isHeld) await simulation.advance(10)
  assert.equal(reader.stanzas, count)
  assert.ok(holds.value > 0)
  return simulation.now / 1000
}

test('a flood of the smallest stanzas is charged as stanzas of 128 bytes, others by their bytes', async () => {
  assert.equal(leastStanzaBytes, 128)
  const close = (seconds: number, bytes: number): void =>
    assert.ok(Math.abs(seconds - bytes / RATE) < 0.02 * (bytes / RATE) + 0.1, `${seconds} s for ${bytes} bytes`)
  close(await secondsFor('<a/>', 3_000), 3_000 * leastStanzaBytes + HEADER.length)
  const message = `<message id='${'x'.repeat(200)}'/>`
  close(await secondsFor(message, 500), 500 * message.length + HEADER.length)
})
