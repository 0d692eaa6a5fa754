import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simulate } from '../sim/index.ts'
import { OpenConnections } from './open-connections.ts'

test('a stop waits for the connections that end, drops those that linger, and waits until they are gone', () =>
  simulate(1, async (simulation) => {
    const { clock } = simulation.world('server')
    const dropped: string[] = []
    const open: OpenConnections<string> = new OpenConnections(clock, (name) => {
      dropped.push(name)
      clock.after(100, () => open.delete(name), undefined)
    })
    await open.drained(5_000)
    for (const name of ['quick', 'slow']) open.add(name)
    let isDrained = false
    const drained = open.drained(5_000).then(() => {
      isDrained = true
    })
    open.delete('quick')
    await simulation.advance(4_900)
    assert.deepEqual([...open], ['slow'])
    assert.deepEqual(dropped, [])
    await simulation.advance(150)
    assert.deepEqual(dropped, ['slow'])
    assert.equal(isDrained, false)
    await simulation.advance(100)
    await drained
    assert.deepEqual([...open], [])
  }))
