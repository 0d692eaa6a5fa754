/** What is counted of clients' streams. Made with the protocol and not when first counted: a rate needs the 0 before the 1. */
import type { Counter, CounterFamily, Metrics } from '../../core/metrics.ts'

export class C2sFigures {
  readonly signIns: Counter
  readonly timedOut: Counter
  readonly discarded: Counter
  readonly streamErrors: CounterFamily
  readonly shaperHolds: Counter
  readonly fullTurns: Counter
  readonly lateClosings: Counter

  constructor(metrics: Metrics) {
    this.signIns = metrics.counter('ratatosk_sign_ins_total', 'Sign-ins that succeeded')
    this.timedOut = metrics.counter(
      'ratatosk_connections_timed_out_total',
      'Connections whose client answered the kernel no more, neither its keep-alive (listeners[].tcp_keepalive) nor what was sent',
    )
    this.discarded = metrics.counter(
      'ratatosk_plaintext_discarded_total',
      'Connections with plaintext behind STARTTLS, which was thrown away',
    )
    this.streamErrors = metrics.family(
      'ratatosk_stream_errors_total',
      'condition',
      'Streams that the server ended with this error',
    )
    this.fullTurns = metrics.counter(
      'ratatosk_turns_full_total',
      'Times a client had sent more than is handled at a time, so that the others came first; limits turn_stanzas, turn_bytes',
    )
    this.lateClosings = metrics.counter(
      'ratatosk_close_timeouts_total',
      'Clients that did not close their stream in time; limit limits.close_timeout',
    )
    this.shaperHolds = metrics.counter(
      'ratatosk_shaper_holds_total',
      'Times a client had to wait because of its shaper; limits shapers.NAME.rate, shapers.NAME.burst',
    )
  }
}
