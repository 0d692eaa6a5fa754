/** Counters and gauges by name. An increment is an addition to a number; reading is for `status` and OpenMetrics. */

export class Counter {
  value = 0

  add(by = 1): void {
    this.value += by
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
  readonly #gauges = new Map<string, { info: MetricInfo; read: () => number }>()

  /** The same name gives the same counter. Names follow the Prometheus conventions (`…_total`). */
  counter(name: string, help: string): Counter {
    const known = this.#counters.get(name)
    if (known !== undefined) return known.counter
    const counter = new Counter()
    this.#counters.set(name, { info: { name, help, kind: 'counter' }, counter })
    return counter
  }

  /** Read when somebody looks; returns its removal. */
  gauge(name: string, help: string, read: () => number): () => void {
    const entry = { info: { name, help, kind: 'gauge' as const }, read }
    this.#gauges.set(name, entry)
    return () => {
      if (this.#gauges.get(name) === entry) this.#gauges.delete(name)
    }
  }

  /** A counter's value, 0 when nobody made it: for tests and `status`. */
  value(name: string): number {
    return this.#counters.get(name)?.counter.value ?? this.#gauges.get(name)?.read() ?? 0
  }

  read(): readonly MetricValue[] {
    const values: MetricValue[] = []
    for (const { info, counter } of this.#counters.values()) values.push({ ...info, value: counter.value })
    for (const { info, read } of this.#gauges.values()) values.push({ ...info, value: read() })
    return values.sort((a, b) => (a.name < b.name ? -1 : 1))
  }
}
