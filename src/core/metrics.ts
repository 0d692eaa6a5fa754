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
  readonly #gauges = new Map<string, { info: MetricInfo; readers: readonly (() => number)[] }>()

  /** The same name gives the same counter. Names follow the Prometheus conventions (`…_total`). */
  counter(name: string, help: string): Counter {
    const known = this.#counters.get(name)
    if (known !== undefined) return known.counter
    const counter = new Counter()
    this.#counters.set(name, { info: { name, help, kind: 'counter' }, counter })
    return counter
  }

  /**
   * Read when somebody looks; returns its removal. The same name again adds to the figure, as with counters: a module is
   * set up once a host type, and its figure is that of the server.
   */
  gauge(name: string, help: string, read: () => number): () => void {
    // A function of its own, so that two who give the same one are told apart.
    const reader = () => read()
    const known = this.#gauges.get(name)
    const info = known?.info ?? { name, help, kind: 'gauge' as const }
    this.#gauges.set(name, { info, readers: [...(known?.readers ?? []), reader] })
    return () => {
      const readers = this.#gauges.get(name)?.readers.filter((other) => other !== reader) ?? []
      if (readers.length === 0) this.#gauges.delete(name)
      else this.#gauges.set(name, { info, readers })
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

function sum(readers: readonly (() => number)[]): number {
  let total = 0
  for (const read of readers) total += read()
  return total
}
