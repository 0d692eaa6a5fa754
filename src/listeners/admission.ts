/**
 * Who may connect: counts of connections and of failed sign-ins, over all listeners (features.md LST-12, AUTH-10). An
 * IPv6 client is counted by its /64, since one machine has all of it.
 */
import type { Counter, Metrics } from '../core/metrics.ts'
import { parseAddress } from '../core/network.ts'
import type { Clock } from '../world/clock.types.ts'

export interface AdmissionLimits {
  /** `connections` */
  readonly connections: number
  /** `sign_in_failures` within `sign_in_failure_window` */
  readonly failures: number
  readonly failureWindowMs: number
}

/** Addresses whose failures are remembered at one time; the one that failed longest ago is forgotten first. */
const failureAddressesMax = 100_000

export type Refusal =
  | 'RTK_CONNECTIONS_MAX'
  | 'RTK_CONNECTIONS_PER_ADDRESS'
  | 'RTK_LISTENER_ACCESS'
  | 'RTK_SIGN_IN_FAILURES'

/** What an address is counted under. A Unix socket has none and is not counted. */
export function countingKey(address: string): string {
  if (!address.includes(':')) return address
  const bytes = parseAddress(address)
  if (bytes === undefined) return address
  return bytes.length === 4 ? bytes.join('.') : bytes.slice(0, 8).join('.')
}

export class Admission {
  readonly #clock: Pick<Clock, 'monoMs'>
  readonly #limits: () => AdmissionLimits
  readonly #byAddress = new Map<string, number>()
  readonly #failures = new Map<string, { count: number; until: number }>()
  readonly #refused: Record<'address' | 'failures' | 'total', Counter>
  #count = 0

  constructor(clock: Pick<Clock, 'monoMs'>, limits: () => AdmissionLimits, metrics: Metrics) {
    this.#clock = clock
    this.#limits = limits
    const refused = (name: string, help: string) => metrics.counter(`ratatosk_connections_refused_${name}_total`, help)
    this.#refused = {
      total: refused('max', 'Connections refused by the limit `connections`'),
      address: refused('per_address', 'Connections refused by the limit `connections_per_address`'),
      failures: refused('failures', 'Connections refused by the limit `sign_in_failures`'),
    }
    metrics.gauge('ratatosk_connections', 'Connections of clients now', () => this.#count)
  }

  get count(): number {
    return this.#count
  }

  /** Counts a connection in, or says why not; then it was not counted. */
  enter(address: string, perAddress: number): Refusal | undefined {
    const limits = this.#limits()
    if (this.#count >= limits.connections) {
      this.#refused.total.value++
      return 'RTK_CONNECTIONS_MAX'
    }
    const key = countingKey(address)
    const here = this.#byAddress.get(key) ?? 0
    if (key !== '' && here >= perAddress) {
      this.#refused.address.value++
      return 'RTK_CONNECTIONS_PER_ADDRESS'
    }
    if (this.#hasFailedTooOften(key, limits)) {
      this.#refused.failures.value++
      return 'RTK_SIGN_IN_FAILURES'
    }
    this.#count++
    if (key !== '') this.#byAddress.set(key, here + 1)
    return undefined
  }

  leave(address: string): void {
    this.#count--
    const key = countingKey(address)
    const here = this.#byAddress.get(key)
    if (here === undefined) return
    if (here === 1) this.#byAddress.delete(key)
    else this.#byAddress.set(key, here - 1)
  }

  /** Counts a failed sign-in. True when this address has had its last. */
  failed(address: string): boolean {
    const key = countingKey(address)
    if (key === '') return false
    const limits = this.#limits()
    const now = this.#clock.monoMs()
    const known = this.#failures.get(key)
    const isFresh = known === undefined || known.until <= now
    const entry = isFresh ? { count: 1, until: now + limits.failureWindowMs } : { ...known, count: known.count + 1 }
    this.#failures.delete(key)
    this.#failures.set(key, entry)
    if (this.#failures.size > failureAddressesMax) {
      const [oldest] = this.#failures.keys()
      if (oldest !== undefined) this.#failures.delete(oldest)
    }
    return entry.count >= limits.failures
  }

  #hasFailedTooOften(key: string, limits: AdmissionLimits): boolean {
    const entry = this.#failures.get(key)
    if (entry === undefined) return false
    if (entry.until <= this.#clock.monoMs()) {
      this.#failures.delete(key)
      return false
    }
    return entry.count >= limits.failures
  }
}
