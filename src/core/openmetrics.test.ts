import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Metrics } from './metrics.ts'
import { readOpenMetrics } from './openmetrics.testing.ts'
import { openMetricsText, unitOf } from './openmetrics.ts'

const textOf = (metrics: Metrics) => openMetricsText(metrics.families())

describe('OpenMetrics', () => {
  it('is written as the specification shows it: TYPE, UNIT, HELP, samples, EOF', () => {
    const metrics = new Metrics()
    metrics.counter('ratatosk_stanzas_routed_total', 'Stanzas routed').add(3)
    metrics.gauge('ratatosk_store_queue_bytes', 'Bytes that "wait"\nfor C:\\', () => 1.5)
    metrics.family('ratatosk_refusals_total', 'code', 'Refusals').count('a"b\\c\nd')
    metrics.family('ratatosk_silent_total', 'code', 'Nothing so far')
    metrics.labelled({ name: 'ratatosk_limit_seconds', kind: 'gauge', help: 'Limits' }, () => [
      { labels: { limit: 'x', host_type: 'y' }, value: Number.POSITIVE_INFINITY },
    ])
    metrics.histogram('ratatosk_delay_seconds', 'Delays', () => ({
      buckets: [
        { atMost: 0.5, count: 1 },
        { atMost: 1, count: 3 },
      ],
      count: 4,
      sum: 7.25,
    }))
    assert.equal(
      textOf(metrics),
      `# TYPE ratatosk_delay_seconds histogram
# UNIT ratatosk_delay_seconds seconds
# HELP ratatosk_delay_seconds Delays
ratatosk_delay_seconds_bucket{le="0.5"} 1
ratatosk_delay_seconds_bucket{le="1.0"} 3
ratatosk_delay_seconds_bucket{le="+Inf"} 4
ratatosk_delay_seconds_count 4
ratatosk_delay_seconds_sum 7.25
# TYPE ratatosk_limit_seconds gauge
# UNIT ratatosk_limit_seconds seconds
# HELP ratatosk_limit_seconds Limits
ratatosk_limit_seconds{limit="x",host_type="y"} +Inf
# TYPE ratatosk_refusals counter
# HELP ratatosk_refusals Refusals
ratatosk_refusals_total{code="a\\"b\\\\c\\nd"} 1
# TYPE ratatosk_silent counter
# HELP ratatosk_silent Nothing so far
# TYPE ratatosk_stanzas_routed counter
# HELP ratatosk_stanzas_routed Stanzas routed
ratatosk_stanzas_routed_total 3
# TYPE ratatosk_store_queue_bytes gauge
# UNIT ratatosk_store_queue_bytes bytes
# HELP ratatosk_store_queue_bytes Bytes that \\"wait\\"\\nfor C:\\\\
ratatosk_store_queue_bytes 1.5
# EOF
`,
    )
    const families = readOpenMetrics(textOf(metrics))
    assert.equal(families.get('ratatosk_refusals')?.samples[0]?.labels.get('code'), 'a"b\\c\nd')
  })

  it('is well formed whatever a label or a help says', () => {
    const anything = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\r', '?'))
    fc.assert(
      fc.property(
        fc.uniqueArray(anything, { maxLength: 20 }),
        anything,
        fc.double({ min: 0 }),
        (labels, help, value) => {
          const metrics = new Metrics()
          const family = metrics.family('ratatosk_refusals_total', 'code', help)
          for (const label of labels) family.count(label)
          metrics.gauge('ratatosk_some', help, () => value)
          const read = readOpenMetrics(textOf(metrics))
          const codes = read.get('ratatosk_refusals')?.samples.map((sample) => sample.labels.get('code'))
          assert.deepEqual(new Set(codes), new Set(labels))
          assert.equal(read.get('ratatosk_some')?.samples[0]?.value, value)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('names the base unit of a figure by the end of its name', () => {
    const rows = ['a_seconds', 'a_bytes', 'a_bytes_per_second', 'a_per_second', 'a_sessions', 'seconds']
    assert.deepEqual(rows.map(unitOf), ['seconds', 'bytes', 'bytes_per_second', 'per_second', '', ''])
  })

  it('has no name twice: a figure of another kind is refused where it is registered', () => {
    const metrics = new Metrics()
    metrics.counter('ratatosk_x_sent_total', 'Sent')
    assert.throws(() => metrics.gauge('ratatosk_x_sent', 'Sent', () => 1), /is a counter already/)
    assert.throws(() => metrics.gauge('ratatosk_x_sent_total', 'Sent', () => 1), TypeError)
    metrics.gauge('ratatosk_x_queue', 'Queue', () => 1)
    assert.throws(() => metrics.counter('ratatosk_x_queue_total', 'Queue'), TypeError)
  })

  it('is read only when it is well formed (the reader of these tests)', () => {
    const faults: readonly (readonly [text: string, fault: RegExp])[] = [
      ['a 1\n', /no "# EOF"/],
      ['a 1\n# EOF\n', /without a family/],
      ['# TYPE a counter\na 1\n# EOF\n', /no sample of a counter/],
      ['# TYPE a counter\na_total -1\n# EOF\n', /is -1/],
      ['# TYPE a gauge\n# TYPE a gauge\n# EOF\n', /a second TYPE/],
      ['# TYPE a gauge\n# UNIT a bytes\n# EOF\n', /not the suffix/],
      ['# TYPE a gauge\na{x="1"} 1\na{x="1"} 2\n# EOF\n', /twice/],
      ['# TYPE a gauge\na{x="\\q"} 1\n# EOF\n', /a label does not end/],
      ['# TYPE a gauge\na{1="q"} 1\n# EOF\n', /no label name/],
      ['# TYPE a gauge\n# TYPE b gauge\n# HELP a x\n# EOF\n', /interleaved/],
      ['# TYPE a gauge\na one\n# EOF\n', /no number/],
      ['# TYPE a gauge\na  1\n# EOF\n', /no number/],
      ['# TYPE a histogram\na_bucket{le="1.0"} 2\na_bucket{le="+Inf"} 1\na_count 1\n# EOF\n', /not cumulative/],
    ]
    for (const [text, fault] of faults) assert.throws(() => readOpenMetrics(text), fault, text)
  })
})
