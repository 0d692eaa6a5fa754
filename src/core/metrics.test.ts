import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Metrics } from './metrics.ts'

const shown = (metrics: Metrics) => metrics.read().map(({ name, value, kind }) => `${kind} ${name} ${value}`)

describe('metrics', () => {
  it('count refusals by their code, whoever counts', () => {
    const metrics = new Metrics()
    for (const code of ['RTK_A', 'RTK_B', 'RTK_A']) metrics.refusals.count(code)
    metrics.family('ratatosk_refusals_total', 'code', 'again').count('RTK_B')
    assert.deepEqual(shown(metrics), [
      'counter ratatosk_refusals_total{code="RTK_A"} 2',
      'counter ratatosk_refusals_total{code="RTK_B"} 2',
    ])
    assert.equal(metrics.value('ratatosk_refusals_total{code="RTK_A"}'), 2)
  })

  it('escape a label as OpenMetrics wants it', () => {
    const metrics = new Metrics()
    metrics.refusals.count('a"b\\c\nd')
    assert.deepEqual(shown(metrics), ['counter ratatosk_refusals_total{code="a\\"b\\\\c\\nd"} 1'])
  })

  it('count what is beyond 1,000 labels together', () => {
    const metrics = new Metrics()
    for (let n = 0; n < 5_000; n++) metrics.refusals.count(`RTK_${n}`)
    metrics.refusals.count('RTK_7')
    assert.equal(metrics.read().length, 1_001)
    assert.equal(metrics.value('ratatosk_refusals_total{code="RTK_7"}'), 2)
    assert.equal(metrics.value('ratatosk_refusals_total{code="other"}'), 4_000)
  })

  it('have names that Prometheus takes, whatever a module is called', () => {
    const metrics = new Metrics()
    metrics.counter('ratatosk_my-module_böse_total', 'x').add()
    metrics.counter('ratatosk_my-module_böse_total', 'x').add()
    metrics.gauge('ratatosk_my-module_size', 'x', () => 5)
    metrics.family('ratatosk_my-module_kinds_total', 'kind', 'x').count('a-b')
    assert.deepEqual(shown(metrics), [
      'counter ratatosk_my_module_b_se_total 2',
      'counter ratatosk_my_module_kinds_total{kind="a-b"} 1',
      'gauge ratatosk_my_module_size 5',
    ])
  })

  it('read counters that others keep, until they are taken away', () => {
    const metrics = new Metrics()
    let kept = 3
    const remove = metrics.counted('ratatosk_kept_total', 'Kept', () => kept)
    kept = 4
    assert.deepEqual(shown(metrics), ['counter ratatosk_kept_total 4'])
    remove()
    assert.deepEqual(shown(metrics), [])
  })
})
