/**
 * Who may connect: counts of connections and of failed sign-ins, over all listeners (requirements LST-12, AUTH-10). An
 * IPv6 client is counted by its /64, since one machine has all of it.
 */
import type { Counter, Metrics } from '../core/metrics.ts'
import { countingKey } from '../core/network.ts'
import type { Clock } from '../world/clock.types.ts'
import { Failures } from './failures.ts'

export interface AdmissionLimits {
  /** `connections` */
  readonly connections: number
  /** `sign_in_failures` within `sign_in_failure_window` */
  readonly failures: number
  /** `sign_in_failures_per_account` within the same window */
  readonly accountFailures: number
  readonly failureWindowMs: number
}

export type Refusal =
  | 'RTK_CONNECTIONS_MAX'
  | 'RTK_CONNECTIONS_PER_ADDRESS'
  | 'RTK_LISTENER_ACCESS'
  | 'RTK_SIGN_IN_FAILURES'

export class Admission {
  readonly #limits: () => AdmissionLimits
  readonly #byAddress = new Map<string, number>()
  readonly #byAddressFailed: Failures
  readonly #byAccountFailed: Failures
  readonly #refused: Record<'access' | 'account' | 'address' | 'failures' | 'total', Counter>
  #count = 0

  constructor(clock: Pick<Clock, 'monoMs'>, limits: () => AdmissionLimits, metrics: Metrics) {
    this.#limits = limits
    const refused = (name: string, help: string) => metrics.counter(`ratatosk_connections_refused_${name}_total`, help)
    this.#refused = {
      total: refused('max', 'Connections refused because there were too many; limit limits.connections'),
      address: refused(
        'per_address',
        'Connections refused because there were too many from the address; limit limits.connections_per_address',
      ),
      failures: refused(
        'failures',
        'Connections refused because sign-ins from the address failed too often; limit limits.sign_in_failures',
      ),
      access: refused('access', "Connections refused by a listener's access rule"),
      account: metrics.counter(
        'ratatosk_sign_ins_held_off_total',
        'Attempts to sign in refused because those before for the account failed too often; limit limits.sign_in_failures_per_account',
      ),
    }
    const forgotten = metrics.counter(
      'ratatosk_sign_in_failures_forgotten_total',
      'Addresses and accounts whose failed sign-ins were forgotten to make room for others; limit sign_in_failure_keys',
    )
    this.#byAddressFailed = new Failures(clock, forgotten)
    this.#byAccountFailed = new Failures(clock, forgotten)
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
    if (this.#byAddressFailed.count(key) >= limits.failures) {
      this.#refused.failures.value++
      return 'RTK_SIGN_IN_FAILURES'
    }
    this.#count++
    if (key !== '') this.#byAddress.set(key, here + 1)
    return undefined
  }

  /** Counts a connection that an access rule turned away. */
  barred(): Refusal {
    this.#refused.access.value++
    return 'RTK_LISTENER_ACCESS'
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
    const { failures, failureWindowMs } = this.#limits()
    return this.#byAddressFailed.add(key, failureWindowMs) >= failures
  }

  /** Counts a failed sign-in to an account, whether it exists or not. True when it is the last that is tried for now. */
  accountFailed(local: string, domain: string): boolean {
    const { accountFailures, failureWindowMs } = this.#limits()
    return this.#byAccountFailed.add(`${local}@${domain}`, failureWindowMs) === accountFailures
  }

  /** True while nobody may try the account: its password would be guessed from many addresses. Counts what it refuses. */
  isHeldOff(local: string, domain: string): boolean {
    if (this.#byAccountFailed.count(`${local}@${domain}`) < this.#limits().accountFailures) return false
    this.#refused.account.value++
    return true
  }
}
