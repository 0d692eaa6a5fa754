import type { ClientStream, Resumable, TakeOver } from '../../core/client-stream.ts'
import type { Stranger } from '../../core/hooks.ts'
import type { Host } from '../../core/host.ts'
import { hostGone } from '../../core/host-end.ts'
import type { Session } from '../../core/session.ts'
import type { LinkInfo } from '../../core/session-link.ts'
import type { Jid } from '../../jid/jid.ts'
import { StanzaError, StreamError } from '../../stanza/error.ts'
import { iqType, stanzaKind } from '../../stanza/stanza.ts'
import type { C2sServer } from '../../stream/c2s-server.ts'
import type { Account, C2sDriver, StreamHost, Ticket } from '../../stream/c2s-server.types.ts'
import type { Connection } from '../../stream/connection.ts'
import type { StreamEnd } from '../../stream/machine.types.ts'
import type { Authenticate } from '../../stream/sasl2.ts'
import type { Element } from '../../xml/element.types.ts'
import type { Octets } from '../../xml/octets.ts'
import type { Accepted } from '../acceptor.ts'
import { shapeAgain } from '../shaped.ts'
import type { C2sFigures } from './figures.ts'
import { type InlineDone, inline, type Resumption } from './inline.ts'
import { limitsFeature } from './limits.ts'
import type { C2sNeeds } from './needs.ts'
import { SignInDriver } from './sign-in-driver.ts'
import { settleTokens } from './tokens.ts'

const errorStopping = new StreamError('RTK_SERVER_STOPPING', 'system-shutdown')
const errorHostGone = new StanzaError('RTK_BIND_HOST', 'item-not-found', { text: 'the host is not served any more' })

export class C2sClient extends SignInDriver implements C2sDriver, ClientStream {
  readonly #connection: Connection
  readonly #figures: C2sFigures
  #session: Session | undefined
  /** Which installation the client is, by its sign-in; '' where it did not say. */
  #agent = ''
  /** What the stream is for, by its last header. */
  #host: Host | undefined
  readonly #gone: (client: C2sClient) => void

  constructor(
    needs: C2sNeeds,
    accepted: Accepted,
    connection: Connection,
    figures: C2sFigures,
    gone: (client: C2sClient) => void,
  ) {
    super(needs, accepted)
    this.#connection = connection
    this.#figures = figures
    this.#gone = gone
  }

  run(machine: C2sServer): void {
    this.machine = machine
  }

  /** The server stops: clients that have no session yet are told too. */
  stop(): void {
    this.machine?.close(errorStopping)
  }

  /** Whether its stream is to one of these hosts, which are served no more. One without a session is told, and ends. */
  leave(domains: ReadonlySet<string>): boolean {
    if (this.#session !== undefined) return domains.has(this.#session.host.domain)
    const { machine } = this
    // In a TLS handshake there is no stream to tell it on: the next header is answered.
    if (machine === undefined || machine.state === 'tls' || !domains.has(this.#host?.domain ?? '')) return false
    machine.close(hostGone)
    return true
  }

  /** Its connection does not end by itself. */
  drop(): void {
    this.accepted.transport.destroy()
  }

  /** A refused client is told at once, without waiting for its header: it must not cost memory for long. */
  readonly refusal = undefined

  get defaultDomain(): string {
    return this.needs.defaultDomain()
  }

  host(domain: string): StreamHost | undefined {
    const host = this.needs.core.host(domain)
    if (host === undefined) return undefined
    this.#host = host
    const { listener } = this.accepted
    const hasCertificate = listener.tls !== 'none' && this.needs.hasCertificate(listener, domain)
    const auth = this.needs.auth(host)
    return {
      domain: host.domain,
      tls: hasCertificate ? 'required' : 'none',
      hasSasl2: auth.sasl2,
      upgrades: auth.upgrades,
      protectsOffer: auth.downgrade_protection,
    }
  }

  features(streamHost: StreamHost, stage: 'sasl' | 'bind'): readonly Element[] {
    const local = this.needs.core.localHost(streamHost.domain)
    if (local === undefined) return []
    const { type, host } = local
    const others =
      stage === 'sasl'
        ? type.hooks.fold('stream:stranger-features', [], this.#stranger(host))
        : type.hooks.fold('stream:features', [], { host, session: this.#session })
    return [...others, limitsFeature(this.accepted.listener.limits, stage)]
  }

  #stranger(host: Host): Stranger {
    return { host, address: this.accepted.client.host, isSecure: this.machine?.channel.isSecure === true }
  }

  signedIn({ jid, mechanism }: Account): void {
    const { log, clock } = this.needs
    this.#figures.signIns.value++
    const { transport, listener, client } = this.accepted
    const subject = { jid, host: jid.domain, address: client.host, anonymous: mechanism === 'ANONYMOUS' }
    shapeAgain(transport, this.#connection, listener.shaper, subject, clock, this.#figures.shaperHolds)
    if (!log.enabled('debug')) return
    log.debug('a sign-in succeeded', { jid: jid.toString(), mechanism, address: client.host })
  }

  bind(ticket: Ticket, streamHost: StreamHost, account: Jid, resource: string): void {
    const machine = this.machine
    const info = this.#info(machine?.account?.mechanism ?? '')
    const result = this.#bindTo(streamHost, account, resource, info, false)
    if (result === undefined) return
    machine?.bound(ticket, result instanceof StanzaError ? result : { jid: result.jid, sink: result })
  }

  /** Undefined: the stream has ended. */
  #bindTo(
    { domain }: StreamHost,
    account: Jid,
    resource: string,
    info: LinkInfo,
    isInline: boolean,
  ): Session | StanzaError | undefined {
    const host = this.needs.core.host(domain)
    if (host === undefined) return errorHostGone
    if (this.hasEnded(account, host)) return undefined
    const result = this.needs.binder.bind({ account, host, resource, link: this.#connection, info, isInline })
    if (result instanceof StanzaError) this.needs.core.metrics.refusals.count(result.code)
    else this.#session = result
    return result
  }

  #info(mechanism: string): LinkInfo {
    const { listener, client, transport } = this.accepted
    const agent = this.#agent
    return {
      address: client.host,
      port: client.port,
      transport: listener.place.kind,
      tls: transport.tls?.protocol ?? '',
      auth: mechanism,
      listener: listener.name,
      ...(agent === '' ? {} : { agent }),
    }
  }

  inline(ticket: Ticket, streamHost: StreamHost, account: Account, asked: Authenticate): void {
    const local = this.needs.core.localHost(streamHost.domain)
    if (local === undefined) {
      this.machine?.inlined(ticket, { bound: undefined, elements: [] })
      return
    }
    const { agent, bind } = asked
    const { jid, mechanism } = account
    this.#agent = agent?.id ?? ''
    const info = this.#info(mechanism)
    const { channel } = this.machine ?? {}
    // Who has no account (XEP-0175) never comes back for a token.
    const isGuest = mechanism === 'ANONYMOUS'
    const offered = channel === undefined || isGuest ? [] : this.tokenMechanisms(streamHost, channel)
    const done = inline({
      type: local.type,
      request: { host: local.host, account: jid, mechanism, agent, inline: asked.inline },
      bind,
      bindTo: (resource) => this.#bindTo(streamHost, jid, resource, info, true),
      resume: (found) => this.#resume(found, info),
      madeResource: (tag) => this.needs.resources.made(jid, agent?.id ?? '', tag),
      token: () => {
        const { tokens, log, auth } = this.needs
        const owner = { host: local.host, local: jid.local, agent: agent?.id ?? '' }
        const use = account.token
        const hasEnded = () => this.hasEnded(jid, local.host)
        return settleTokens({ tokens, log, auth: auth(local.host), owner, use, asked, offered, hasEnded })
      },
    })
    done.then(
      (result) => this.#inlined(ticket, result),
      (error) => this.machine?.close(new StreamError('RTK_SIGN_IN_INLINE', 'internal-server-error', undefined, error)),
    )
  }

  /** XEP-0198 section 9.2; undefined when the stream has ended. */
  async #resume(found: Resumable | Element | StreamError, info: LinkInfo): Promise<Resumption | undefined> {
    if (found instanceof StreamError) {
      this.machine?.close(found)
      return undefined
    }
    if (!('session' in found)) return { session: undefined, element: found }
    if (this.hasEnded(found.session.jid.bare, found.session.host)) return undefined
    const { promise, resolve } = Promise.withResolvers<Resumption | undefined>()
    this.#take(found, info, (session, element) => resolve(element && { session, element }))
    return promise
  }

  #inlined(ticket: Ticket, done: InlineDone | undefined): void {
    if (done === undefined) return
    const { session, isResumed, elements } = done
    const bound = session === undefined ? undefined : { jid: session.jid, sink: session }
    this.machine?.inlined(ticket, { bound, isResumed, elements })
  }

  claim(el: Element): boolean {
    // While a host leaves, its clients say what they have.
    const local = this.#host === undefined ? undefined : this.needs.core.localOf(this.#host)
    const handler = local?.type.streamElements.find(el)
    if (handler === undefined) return this.machine?.state === 'features' && this.#requested(el)
    handler(el, this)
    return true
  }

  /** A request before sign-in is a module's, or nobody's. */
  #requested(el: Element): boolean {
    const local = this.needs.core.localHost(this.#host?.domain ?? '')
    if (local === undefined || stanzaKind(el) !== 'iq' || el.attr('id') === undefined) return false
    const [type, to] = [iqType(el), el.attr('to')]
    if ((type !== 'get' && type !== 'set') || (to !== undefined && to !== local.host.domain)) return false
    const send = (answer: Element) => {
      if (this.machine?.state === 'features') this.#connection.send(answer)
    }
    return local.type.hooks.fold('stream:stranger-request', false, {
      ...this.#stranger(local.host),
      el,
      stream: this,
      send,
    })
  }

  // What a module may use that an element is for.

  get stage(): ClientStream['stage'] {
    const state = this.machine?.state
    return state === 'established' ? 'established' : state === 'binding' ? 'bind' : 'features'
  }

  get to(): Host {
    if (this.#host === undefined) throw new Error('no header has come')
    return this.#host
  }

  get account(): Jid | undefined {
    return this.machine?.account?.jid
  }

  get session(): Session | undefined {
    return this.#session
  }

  send(el: Element): void {
    if (this.#session !== undefined) this.#session.told++
    this.#connection.send(el)
  }

  write(bytes: Octets): void {
    if (this.#session !== undefined) this.#session.told++
    this.#connection.write(bytes)
  }

  close(error: StreamError): void {
    this.machine?.close(error)
  }

  takeOver(session: Session, answers: TakeOver): void {
    const machine = this.machine
    if (machine?.state !== 'binding' || this.hasEnded(session.jid.bare, session.host)) return
    // Nothing more comes over the old stream, and over this one nothing until it is decided.
    machine.ask()
    const info = this.#info(machine.account?.mechanism ?? '')
    this.#take({ session, answers }, info, (found, answer) => {
      if (answer === undefined) return
      if (found === undefined) this.send(answer)
      else machine.establish({ jid: found.jid, sink: found }, answer)
    })
  }

  /**
   * `decided` is told once the session is this stream's, before it writes anything; without a session when another has it, or
   * it has ended; with nothing when this stream is over.
   */
  #take({ session, answers }: Resumable, info: LinkInfo, decided: (found?: Session, answer?: Element) => void): void {
    const { resumption } = this.needs.core
    const state = this.machine?.state
    resumption.take(session, (found) => {
      const machine = this.machine
      if (machine === undefined || machine.state !== state) decided()
      else if (found instanceof StreamError) {
        machine.close(found)
        decided()
      } else if (found === undefined) decided(undefined, answers.failed())
      else {
        this.#session = found
        decided(found, answers.taken(found))
        resumption.resume(found, this.#connection, info)
      }
      machine?.answered()
    })
  }

  ended(end: StreamEnd): void {
    if (end.kind === 'error') this.#tellError(end.error)
    if (end.kind === 'lost' && end.cause.kind === 'error' && end.cause.code === 'RTK_NET_TIMEOUT') {
      this.#figures.timedOut.value++
    }
    const session = this.#session
    // One that is cut ends with its connection: what it was sent until then becomes undeliverable in order.
    if (session === undefined || session.isCut) return
    const detail = end.kind === 'error' || end.kind === 'peer-error' ? end.error.code : end.kind
    const reason = end.kind === 'lost' ? 'lost' : end.kind === 'error' ? 'error' : 'closed'
    session.linkEnded({ reason, detail }, this.#connection)
  }

  #tellError(error: StreamError): void {
    const { metrics } = this.needs.core
    this.#figures.streamErrors.count(error.condition)
    // A refused connection was counted when it came.
    if (error.code !== this.accepted.refusal) metrics.refusals.count(error.code)
    if (error.cause === undefined) return
    this.needs.log.error('a stream ended by a fault of ours', { code: error.code, error: error.cause })
  }

  disconnected(): void {
    if (this.#connection.discardedBytes > 0) {
      // CVE-2011-0411: an attack, or a broken client.
      this.#figures.discarded.value++
    }
    this.machine = undefined
    const session = this.#session
    this.#session = undefined
    session?.linkGone(this.#connection.takeUnsent(), this.#connection)
    this.accepted.left()
    this.#gone(this)
  }
}
