/** Counters and gauges by name. An increment is an addition to a number; reading is for `status` and OpenMetrics. */

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

export interface MetricInfo {
  readonly name: string
  readonly help: string
  readonly kind: 'counter' | 'gauge'
}

export interface MetricValue extends MetricInfo {
  readonly value: number
}

export class Metrics {
  readonly #counters = new Map<string, { info: MetricInfo; counter: Counter }>()
  readonly #families = new Map<string, CounterFamily>()
  readonly #gauges = new Map<string, { info: MetricInfo; readers: readonly (() => number)[] }>()

  /** The same name gives the same counter. Names follow the Prometheus conventions (`…_total`). */
  counter(name: string, help: string): Counter {
    return this.#counters.get(name)?.counter ?? this.#counter(metricName(name), help)
  }

  #counter(name: string, help: string): Counter {
    const known = this.#counters.get(name)
    if (known !== undefined) return known.counter
    const counter = new Counter()
    this.#counters.set(name, { info: { name, help, kind: 'counter' }, counter })
    return counter
  }

  /** The same name gives the same family. A family's counters are read under `name{label="…"}`. */
  family(given: string, label: string, help: string): CounterFamily {
    const name = metricName(given)
    const known = this.#families.get(name)
    if (known !== undefined) return known
    const family = new CounterFamily((value) => this.#counter(labelled(name, label, value), help))
    this.#families.set(name, family)
    return family
  }

  /** Refusals, errors and drops of the whole server by their code: whoever says no counts here. */
  get refusals(): CounterFamily {
    return this.family('ratatosk_refusals_total', 'code', 'Refusals, stream errors and drops with this code')
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
    const given = { ...info, name: metricName(info.name) }
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

  /** Number of gauges' readers: a reload must leave it as it was. */
  get gaugeCount(): number {
    let count = 0
    for (const { readers } of this.#gauges.values()) count += readers.length
    return count
  }

  /** A counter's value, 0 when nobody made it: for tests and `status`. */
  value(name: string): number {
    return this.#counters.get(name)?.counter.value ?? sum(this.#gauges.get(name)?.readers ?? [])
  }

  read(): readonly MetricValue[] {
    const values: MetricValue[] = []
    for (const { info, counter } of this.#counters.values()) values.push({ ...info, value: counter.value })
    for (const { info, readers } of this.#gauges.values()) values.push({ ...info, value: sum(readers) })
    return values.sort((a, b) => (a.name < b.name ? -1 : 1))
  }
}

/** What Prometheus allows in a name: a module may be called otherwise. */
function metricName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_:]/g, '_')
}

function labelled(name: string, label: string, value: string): string {
  const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
  return `${name}{${label}="${escaped}"}`
}

function sum(readers: readonly (() => number)[]): number {
  let total = 0
  for (const read of readers) total += read()
  return total
}
