/**
 * A client that reads slowly, or not at all (DESIGN.md sections 4 and 9): what waited for him comes at his pace, and of
 * what he does not read nothing is lost and nothing comes twice.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { message } from './limits.testing.ts'
import { arrives, Ear, play, rests, says, slow, stalls, upTo } from './slow-readers.testing.ts'

describe('what waited, for a slow reader', () => {
  for (const [count, bytes] of [
    [900, 10_000],
    [100, 200_000],
  ] as const) {
    it(`${count} messages of ${bytes} bytes arrive, once and in order, and he is not cut`, () =>
      play({ modules: { offline: { bytes_max: '64 MiB' } } }, async (ground) => {
        await says(ground, await ground.bound(), count, bytes)
        slow(ground, 400_000)
        const ear = await arrives(ground, 'a')
        await rests(ground, ear)
        assert.deepEqual(ear.ids, upTo(count))
        ground.still()
      }))
  }

  it('one who goes in the middle finds the rest when he is back; what is said meanwhile comes behind it', () =>
    play({}, async (ground) => {
      const romeo = await ground.bound()
      await says(ground, romeo, 300, 10_000)
      slow(ground, 400_000)
      const seen: number[] = []
      for (const resource of ['a', 'b']) {
        const ear = await arrives(ground, resource)
        await ground.passes(2_000)
        ear.wire.transport.pause()
        await ground.passes(2_000)
        ear.wire.closes()
        seen.push(...ear.ids)
        await ground.passes(2_000)
      }
      assert.ok(seen.length > 20 && seen.length < 280, `${seen.length} so far`)
      const last = await arrives(ground, 'c')
      await ground.passes(1_000)
      romeo.says(message('juliet@localhost', 'live', '300'))
      await rests(ground, last)
      const all = [...seen, ...last.ids]
      assert.equal(all.at(-1), 300)
      assert.deepEqual(
        [...last.ids],
        [...last.ids].sort((a, b) => a - b),
      )
      assert.equal(new Set(all).size, all.length, 'nothing twice')
      // What the kernels had taken when he went is beyond the server (XEP-0198 will tell).
      const lost = upTo(301).filter((id) => !all.includes(id))
      assert.ok(lost.length <= 2 * Math.ceil((2 * 16_384) / 10_000), `lost ${lost}`)
    }))
})

describe('what waited, for one who reads nothing', () => {
  it('goes to his other resource, and so does what comes, once hand_over_timeout is over', () =>
    play({}, async (ground) => {
      const romeo = await ground.bound()
      await says(ground, romeo, 100, 10_000)
      slow(ground, 0, 4_096)
      const stuck = await arrives(ground, 'a')
      stuck.wire.transport.pause()
      await ground.passes(1_000)
      const quick = await arrives(ground, 'b')
      romeo.says(message('juliet@localhost', 'live', '100'))
      await ground.passes(130_000)
      await rests(ground, quick)
      assert.equal(quick.ids.at(-1), 100)
    }))
})

describe('what comes live, for one who does not read', () => {
  it('is delivered, kept or refused, each once and in order; he hears that he is cut', () =>
    play({}, async (ground) => {
      const romeo = new Ear(await ground.bound())
      const juliet = await arrives(ground, 'a')
      await ground.passes(1_000)
      slow(ground, 0)
      juliet.wire.transport.pause()
      await says(ground, romeo.wire, 1_200, 10_000)
      assert.equal(ground.counter('ratatosk_sessions_queue_full_total'), 1)
      juliet.wire.transport.resume()
      await ground.passes(10_000)
      const later = await arrives(ground, 'b')
      await rests(ground, later)
      const all = [...juliet.ids, ...later.ids, ...romeo.refused]
      assert.ok(juliet.ids.length > 0 && later.ids.length > 500, `${juliet.ids.length} ${later.ids.length}`)
      assert.equal(new Set(all).size, all.length, 'nothing twice')
      assert.deepEqual(
        all.sort((a, b) => a - b),
        upTo(1_200),
      )
      assert.deepEqual(
        later.ids,
        [...later.ids].sort((a, b) => a - b),
      )
    }))

  it('hears the stream error when he reads in time, and all that was on its way before it', () =>
    play({ limits: { session_queue_bytes: '64 KiB' } }, async (ground) => {
      const romeo = await ground.bound()
      const juliet = await arrives(ground, 'a')
      await stalls(ground, juliet)
      for (let i = 0; i < 50; i++) romeo.says(message('juliet@localhost/a', 'x'.repeat(2_000), String(i)))
      await ground.passes(500)
      juliet.wire.transport.resume()
      await ground.passes(10_000)
      assert.match(juliet.text, /<stream:error><policy-violation /)
      const later = await arrives(ground, 'b')
      await rests(ground, later)
      assert.deepEqual([...juliet.ids, ...later.ids], upTo(50))
    }))

  it('his other resource, which had all of it, hears nothing twice', () =>
    play({ limits: { session_queue_bytes: '64 KiB' } }, async (ground) => {
      const romeo = await ground.bound()
      const stuck = await arrives(ground, 'a')
      const quick = await arrives(ground, 'b')
      await stalls(ground, stuck)
      for (let i = 0; i < 60; i++) {
        romeo.says(message('juliet@localhost', 'x'.repeat(2_000), String(i)))
        if (i % 10 === 9) await ground.passes(50)
      }
      assert.equal(ground.counter('ratatosk_sessions_queue_full_total'), 1)
      // He hears that he is cut: nothing is on its way any more, and all that is left was held back.
      stuck.wire.transport.resume()
      await rests(ground, quick)
      assert.match(stuck.text, /<stream:error><policy-violation /)
      assert.deepEqual(quick.ids, upTo(60))
    }))

  it('a reset connection: what had not left goes to the store, a request is refused', () =>
    play({}, async (ground) => {
      const romeo = new Ear(await ground.bound())
      romeo.wire.says(`<presence to='juliet@localhost/a'/>`)
      const juliet = await arrives(ground, 'a')
      juliet.wire.says(`<presence to='romeo@localhost/here'/>`)
      await stalls(ground, juliet)
      for (let i = 0; i < 100; i++) romeo.wire.says(message('juliet@localhost/a', 'x'.repeat(1_000), String(i)))
      romeo.wire.says(`<iq type='get' id='ask' to='juliet@localhost/a'><ping xmlns='urn:xmpp:ping'/></iq>`)
      await ground.passes(1_000)
      juliet.wire.closes()
      await ground.passes(1_000)
      assert.match(romeo.text, /<iq (?=[^>]*id='ask')[^>]*type='error'.*<service-unavailable /)
      const later = await arrives(ground, 'b')
      await rests(ground, later)
      const first = later.ids[0] ?? 100
      assert.ok(first > 0 && first < 20, `the kernels had ${first}`)
      assert.deepEqual(later.ids, upTo(100).slice(first))
    }))
})

describe('a server that stops', () => {
  it('keeps what had not left, however long its store takes', () =>
    play({}, async (ground) => {
      const { symbolic } = ground
      const romeo = await ground.bound()
      const juliet = await arrives(ground, 'a')
      await stalls(ground, juliet)
      for (let i = 0; i < 100; i++) romeo.says(message('juliet@localhost/a', 'x'.repeat(1_000), String(i)))
      await ground.passes(1_000)
      symbolic.engine.latencyMs = 300
      const closing = symbolic.server.close()
      await ground.passes(60_000)
      await closing
      const kept = ground.counter('ratatosk_offline_kept_total')
      assert.equal(kept, ground.counter('ratatosk_stanzas_unsent_total'))
      assert.ok(kept > 80 && kept < 100, `${kept} kept`)
    }))
})

describe('one element that is larger than the queue', () => {
  it('does not end a reader who is quick', () =>
    play({ limits: { session_queue_bytes: '64 KiB' } }, async (ground) => {
      const wire = await ground.bound('juliet', 'a')
      const groups = Array.from({ length: 100 }, (_, i) => `<group>${'y'.repeat(900)}${i}</group>`).join('')
      for (let i = 0; i < 6; i++) {
        wire.says(
          `<iq type='set' id='s${i}'><query xmlns='jabber:iq:roster'><item jid='n${i}@x'>${groups}</item></query></iq>`,
        )
        await wire.hears(new RegExp(`id='s${i}'`))
      }
      const ear = new Ear(wire)
      slow(ground, 1_000_000)
      wire.says(`<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>`)
      for (const id of ['p1', 'p2', 'p3']) wire.says(`<iq type='get' id='${id}'><ping xmlns='urn:xmpp:ping'/></iq>`)
      await rests(ground, ear)
      assert.ok(ear.text.length > 500_000)
      assert.match(ear.text, /id='p3'/)
      ground.still()
    }))
})
