/** Counters, gauges and histograms by name. An increment is an addition to a number; reading is for commands and OpenMetrics. */

export class Counter {
  value = 0

  add(by = 1): void {
    this.value += by
  }
}

/** Labels of one family; those beyond are counted together as `other`, so that no plugin's text makes it grow. */
const labelsMax = 1_000

/** Counters of one name that differ in one label, as in `ratatosk_refusals_total{code="RTK_…"}`. */
export class CounterFamily {
  readonly #make: (label: string) => Counter
  readonly #byLabel = new Map<string, Counter>()

  constructor(make: (label: string) => Counter) {
    this.#make = make
  }

  /** Counts one. Nothing is allocated for a label that was seen before. */
  count(label: string): void {
    const known = this.#byLabel.get(label)
    if (known === undefined) this.#enter(label).value++
    else known.value++
  }

  #enter(label: string): Counter {
    const name = this.#byLabel.size < labelsMax ? label : 'other'
    const counter = this.#make(name)
    this.#byLabel.set(name, counter)
    return counter
  }
}

/** `info`: what does not change while the server runs, in labels; its value is 1. */
export type MetricKind = 'counter' | 'gauge' | 'histogram' | 'info'

export interface MetricInfo {
  readonly name: string
  readonly help: string
  readonly kind: MetricKind
}

export interface MetricValue extends MetricInfo {
  readonly value: number
}

/** One line of a family. */
export interface MetricSample {
  /** Whole: with `_bucket` and the like, labels included. */
  readonly name: string
  readonly value: number
}

/** What has one name. `name` is as registered: a counter's ends in `_total`. */
export interface MetricFamily extends MetricInfo {
  readonly samples: readonly MetricSample[]
}

/** A figure that differs in labels from others of its name. */
export interface LabelledValue {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** How often what was observed was at most each bound; kept by somebody else. */
export interface HistogramReading {
  /** In the order of the bounds, each with how often it was at most that, smaller ones included. */
  readonly buckets: readonly { readonly atMost: number; readonly count: number }[]
  readonly count: number
  readonly sum: number
}

interface Entered {
  readonly info: MetricInfo
  readonly samples: () => Iterable<MetricSample>
}

export class Metrics {
  readonly #counters = new Map<string, { info: MetricInfo; name: string; counter: Counter }>()
  readonly #families = new Map<string, { info: MetricInfo; family: CounterFamily }>()
  readonly #gauges = new Map<string, { info: MetricInfo; readers: readonly (() => number)[] }>()
  readonly #others = new Map<string, Entered>()
  /** What each name, `_total` or `_info` left out, is: two of them would be one in the exposition. */
  readonly #kinds = new Map<string, MetricKind>()

  /** The same name gives the same counter. Names follow the Prometheus conventions (`…_total`). */
  counter(name: string, help: string): Counter {
    const known = this.#counters.get(name)?.counter
    if (known !== undefined) return known
    const allowed = metricName(name)
    return this.#counter(this.#claim({ name: allowed, help, kind: 'counter' }), allowed)
  }

  #counter(info: MetricInfo, name: string): Counter {
    const known = this.#counters.get(name)
    if (known !== undefined) return known.counter
    const counter = new Counter()
    this.#counters.set(name, { info, name, counter })
    return counter
  }

  /** The same name gives the same family. A family's counters are read under `name{label="…"}`. */
  family(given: string, label: string, help: string): CounterFamily {
    const name = metricName(given)
    const known = this.#families.get(name)
    if (known !== undefined) return known.family
    const info = this.#claim({ name, help, kind: 'counter' })
    const family = new CounterFamily((value) => this.#counter(info, `${name}${labelsText({ [label]: value })}`))
    this.#families.set(name, { info, family })
    return family
  }

  /** Throws a TypeError when the name is one of another kind: that is a mistake in the program. */
  #claim(info: MetricInfo): MetricInfo {
    const base = info.name.replace(/_(?:total|info)$/, '')
    const known = this.#kinds.get(base)
    if (known !== undefined && known !== info.kind) {
      throw new TypeError(`the figure '${info.name}' is a ${known} already, so it cannot be a ${info.kind}`)
    }
    this.#kinds.set(base, info.kind)
    return info
  }

  /** Refusals, errors and drops of the whole server by their code: whoever says no counts here. */
  get refusals(): CounterFamily {
    return this.family(
      'ratatosk_refusals_total',
      'code',
      'Refusals, stream errors and drops, by the code that the log tells too',
    )
  }

  /** A counter that somebody else keeps; otherwise as `gauge`. */
  counted(name: string, help: string, read: () => number): () => void {
    return this.#reading({ name, help, kind: 'counter' }, read)
  }

  /**
   * Read when somebody looks; returns its removal. The same name again adds to the figure, as with counters: a module is
   * set up once a host type, and its figure is that of the server.
   */
  gauge(name: string, help: string, read: () => number): () => void {
    return this.#reading({ name, help, kind: 'gauge' }, read)
  }

  #reading(info: MetricInfo, read: () => number): () => void {
    const given = this.#claim({ ...info, name: metricName(info.name) })
    // A function of its own, so that two who give the same one are told apart.
    const reader = () => read()
    const known = this.#gauges.get(given.name)
    const entered = known?.info ?? given
    this.#gauges.set(given.name, { info: entered, readers: [...(known?.readers ?? []), reader] })
    return () => {
      const readers = this.#gauges.get(given.name)?.readers.filter((other) => other !== reader) ?? []
      if (readers.length === 0) this.#gauges.delete(given.name)
      else this.#gauges.set(given.name, { info: entered, readers })
    }
  }

  /** Figures with labels that somebody else keeps. Whoever registers them bounds their number. */
  labelled(info: MetricInfo, read: () => Iterable<LabelledValue>): void {
    const { name } = this.#claim(info)
    const samples = function* () {
      for (const { labels, value } of read()) yield { name: `${name}${labelsText(labels)}`, value }
    }
    this.#others.set(name, { info, samples })
  }

  /** A histogram that somebody else keeps. */
  histogram(name: string, help: string, read: () => HistogramReading): void {
    const info = this.#claim({ name, help, kind: 'histogram' })
    this.#others.set(name, { info, samples: () => histogramSamples(name, read()) })
  }

  /** Number of gauges' readers: a reload must leave it as it was. */
  get gaugeCount(): number {
    let count = 0
    for (const { readers } of this.#gauges.values()) count += readers.length
    return count
  }

  /** A counter's value, 0 when nobody made it: for tests and `status`. */
  value(name: string): number {
    const kept = this.#counters.get(name)?.counter.value
    if (kept !== undefined) return kept
    const gauge = this.#gauges.get(name)
    if (gauge !== undefined) return sum(gauge.readers)
    for (const { samples } of this.#others.values())
      for (const sample of samples()) if (sample.name === name) return sample.value
    return 0
  }

  /** All of them, by name, each with its samples. A family that has counted nothing yet is there without samples. */
  families(): readonly MetricFamily[] {
    const families = new Map<string, MetricInfo & { readonly samples: MetricSample[] }>()
    const add = (info: MetricInfo, samples: Iterable<MetricSample>) => {
      const known = families.get(info.name)
      if (known === undefined) families.set(info.name, { ...info, samples: [...samples] })
      else known.samples.push(...samples)
    }
    for (const { info } of this.#families.values()) add(info, [])
    for (const { info, name, counter } of this.#counters.values()) add(info, [{ name, value: counter.value }])
    for (const { info, readers } of this.#gauges.values()) add(info, [{ name: info.name, value: sum(readers) }])
    for (const { info, samples } of this.#others.values()) add(info, samples())
    for (const { samples, kind } of families.values()) if (kind !== 'histogram') samples.sort(byName)
    return [...families.values()].sort(byName)
  }

  read(): readonly MetricValue[] {
    const values: MetricValue[] = []
    for (const { samples, help, kind } of this.families())
      for (const sample of samples) values.push({ ...sample, help, kind })
    return values
  }
}

const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1)

function* histogramSamples(name: string, { buckets, count, sum }: HistogramReading): Generator<MetricSample> {
  for (const { atMost, count } of buckets) yield { name: `${name}_bucket{le="${boundText(atMost)}"}`, value: count }
  yield { name: `${name}_bucket{le="+Inf"}`, value: count }
  yield { name: `${name}_count`, value: count }
  yield { name: `${name}_sum`, value: sum }
}

/** OpenMetrics 1.0, "Considerations: Canonical Numbers": a float, so that `1` and `1.0` are one label. */
function boundText(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : String(bound)
}

/** What Prometheus allows in a name: a module may be called otherwise. */
function metricName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_:]/g, '_')
}

/** As OpenMetrics writes them; '' for none. */
function labelsText(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([label, value]) => {
    const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    return `${label}="${escaped}"`
  })
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

function sum(readers: readonly (() => number)[]): number {
  let total = 0
  for (const read of readers) total += read()
  return total
}
