/**
 * Clients over TCP: STARTTLS (RFC 6120 section 5) and direct TLS (XEP-0368). The stream machine decides; here it meets
 * accounts, sessions and limits.
 */

import type { ListenerConfig } from '../../core/config/listener-section.ts'
import { StreamError } from '../../stanza/error.ts'
import { C2sServer } from '../../stream/c2s-server.ts'
import { Connection } from '../../stream/connection.ts'
import { clientFraming } from '../../stream/framing.ts'
import type { StreamLimits } from '../../stream/limits.ts'
import type { TransportHandler } from '../../world/net.types.ts'
import type { Accepted, Protocol } from '../acceptor.ts'
import { OpenConnections } from '../open-connections.ts'
import { shaped } from '../shaped.ts'
import { C2sClient } from './client.ts'
import { C2sFigures } from './figures.ts'
import { streamLimits } from './limits.ts'
import type { C2sNeeds } from './needs.ts'

/** What a refused client is told (RFC 6120 section 4.9.3.14 and 4.9.3.17). */
const refusals = {
  RTK_CONNECTIONS_MAX: ['resource-constraint', 'the server has too many connections'],
  RTK_CONNECTIONS_PER_ADDRESS: ['policy-violation', 'too many connections from this address'],
  RTK_LISTENER_ACCESS: ['policy-violation', 'this address may not connect'],
  RTK_SIGN_IN_FAILURES: ['policy-violation', 'too many failed attempts to sign in'],
} as const

export class C2sProtocol implements Protocol {
  readonly name = 'c2s'
  readonly signsIn = true
  readonly #needs: C2sNeeds
  readonly #open: OpenConnections<C2sClient>
  /** One object a listener, shared by all its connections. */
  readonly #limits = new WeakMap<ListenerConfig, StreamLimits>()
  readonly #figures: C2sFigures

  constructor(needs: C2sNeeds) {
    this.#needs = needs
    this.#open = new OpenConnections(needs.clock, (client) => client.drop())
    this.#figures = new C2sFigures(needs.core.metrics)
  }

  accept(accepted: Accepted): TransportHandler {
    const { clock, random, hashing } = this.#needs
    const { listener, transport } = accepted
    const limits = this.#limitsOf(listener)
    const isDirect = listener.tls === 'direct'
    const tls = this.#needs.tls(listener)
    const connection = new Connection(transport, {
      clock,
      framing: clientFraming,
      limits: limits.before,
      fullTurns: this.#figures.fullTurns,
      lateClosings: this.#figures.lateClosings,
      startTls: (socket) => socket.startTlsServer(tls),
    })
    const client = new C2sClient(this.#needs, accepted, connection, this.#figures, (gone) => this.#open.delete(gone))
    const machine = new C2sServer({ effects: connection, driver: client, limits, random, hashing })
    client.run(machine)
    this.#open.add(client)
    if (accepted.early !== undefined && isDirect) transport.unread(accepted.early)
    connection.run(machine, isDirect ? { domain: '' } : undefined)
    const handler = shaped(connection, listener.shaper, accepted.client.host, clock, this.#figures.shaperHolds)
    transport.handler = handler
    if (accepted.early !== undefined && !isDirect) handler.data(accepted.early, 0, accepted.early.length)
    if (accepted.refusal !== undefined) {
      const [condition, text] = refusals[accepted.refusal]
      machine.close(new StreamError(accepted.refusal, condition, text))
    }
    return handler
  }

  /** The server stops: every client is told. */
  stop(): void {
    for (const client of this.#open) client.stop()
  }

  /** Resolves when all connections are gone; those that linger longer are dropped. */
  drained(timeoutMs: number): Promise<void> {
    return this.#open.drained(timeoutMs)
  }

  /**
   * Hosts are served no more: their streams without a session end with `host-gone`; those of sessions are ended with these.
   * Resolves when the connections of both are gone; those that linger for longer than `timeoutMs` after all were `told` are dropped.
   */
  async leave(domains: ReadonlySet<string>, told: Promise<unknown>, timeoutMs: number): Promise<void> {
    const leaving = [...this.#open].filter((client) => client.leave(domains))
    await told
    await this.#open.gone(leaving, timeoutMs)
  }

  #limitsOf(listener: ListenerConfig): StreamLimits {
    const known = this.#limits.get(listener)
    if (known !== undefined) return known
    const made = streamLimits(listener.limits)
    this.#limits.set(listener, made)
    return made
  }
}
