/** One client's connection: answers what its stream machine asks, and ties its session to it. */
import type { AccountState } from '../../core/accounts.ts'
import type { ClientStream, TakeOver } from '../../core/client-stream.ts'
import type { Stranger } from '../../core/hooks.ts'
import type { Host } from '../../core/host.ts'
import type { Counter } from '../../core/metrics.ts'
import type { Session } from '../../core/session.ts'
import type { LinkInfo } from '../../core/session-link.ts'
import type { Jid } from '../../jid/jid.ts'
import { makeJid } from '../../jid/jid.ts'
import { StanzaError, StreamError } from '../../stanza/error.ts'
import { iqType, stanzaKind } from '../../stanza/stanza.ts'
import type { C2sServer } from '../../stream/c2s-server.ts'
import type { Account, C2sDriver, Channel, SignInFailure, StreamHost, Ticket } from '../../stream/c2s-server.types.ts'
import { isAttempt } from '../../stream/c2s-sign-in.ts'
import type { Connection } from '../../stream/connection.ts'
import type { StreamEnd } from '../../stream/machine.types.ts'
import type { AccountRefusal, ServerAnswer, ServerLookup } from '../../stream/sasl/index.ts'
import { readScramName } from '../../stream/sasl/index.ts'
import type { Element } from '../../xml/element.types.ts'
import type { Octets } from '../../xml/octets.ts'
import type { Accepted } from '../acceptor.ts'
import { shapeAgain } from '../shaped.ts'
import { limitsFeature } from './limits.ts'
import type { C2sNeeds } from './needs.ts'

const errorStopping = new StreamError('RTK_SERVER_STOPPING', 'system-shutdown')
const tooManyFailures = new StreamError(
  'RTK_SIGN_IN_FAILURES',
  'policy-violation',
  'too many failed attempts to sign in',
)
const accountEnded = new StreamError(
  'RTK_ACCOUNT_ENDED',
  'not-authorized',
  'the account was removed or forbidden after the sign-in',
)
const errorHostGone = new StanzaError('RTK_BIND_HOST', 'item-not-found', { text: 'the host is not served any more' })

export class C2sClient implements C2sDriver, ClientStream {
  readonly #needs: C2sNeeds
  readonly #accepted: Accepted
  readonly #connection: Connection
  readonly #shaperHolds: Counter
  #machine: C2sServer | undefined
  #session: Session | undefined
  /** What the stream is for, by its last header. */
  #host: Host | undefined
  /** Accounts that had ended when the account was last looked up. */
  #endingsSeen = 0
  readonly #gone: (client: C2sClient) => void

  constructor(
    needs: C2sNeeds,
    accepted: Accepted,
    connection: Connection,
    shaperHolds: Counter,
    gone: (client: C2sClient) => void,
  ) {
    this.#needs = needs
    this.#accepted = accepted
    this.#connection = connection
    this.#shaperHolds = shaperHolds
    this.#gone = gone
  }

  run(machine: C2sServer): void {
    this.#machine = machine
  }

  /** The server stops: clients that have no session yet are told too. */
  stop(): void {
    this.#machine?.close(errorStopping)
  }

  /** Its connection does not end by itself. */
  drop(): void {
    this.#accepted.transport.destroy()
  }

  /** A refused client is told at once, without waiting for its header: it must not cost memory for long. */
  readonly refusal = undefined

  get defaultDomain(): string {
    return this.#needs.defaultDomain()
  }

  host(domain: string): StreamHost | undefined {
    const host = this.#needs.core.host(domain)
    if (host === undefined) return undefined
    this.#host = host
    const { listener } = this.#accepted
    const hasCertificate = listener.tls !== 'none' && this.#needs.hasCertificate(listener, domain)
    return { domain: host.domain, tls: hasCertificate ? 'required' : 'none' }
  }

  /** By the host's back end and configuration; -PLUS where the connection can be bound, PLAIN inside of TLS. */
  mechanisms(streamHost: StreamHost, channel: Channel): readonly string[] {
    const host = this.#needs.core.host(streamHost.domain)
    if (host === undefined) return []
    const backend = this.#needs.backend(host)
    return this.#needs.auth(host).mechanisms.filter((name) => {
      if (name === 'PLAIN') return channel.isSecure && backend.checksPasswords
      const scram = readScramName(name)
      if (scram === undefined || !backend.scram.includes(scram.mechanism)) return false
      return !scram.plus || channel.bindings.size > 0
    })
  }

  features(streamHost: StreamHost, stage: 'sasl' | 'bind'): readonly Element[] {
    const local = this.#needs.core.localHost(streamHost.domain)
    if (local === undefined) return []
    const { type, host } = local
    const others =
      stage === 'sasl'
        ? type.hooks.fold('stream:stranger-features', [], this.#stranger(host))
        : type.hooks.fold('stream:features', [], host)
    return [...others, limitsFeature(this.#accepted.listener.limits, stage)]
  }

  #stranger(host: Host): Stranger {
    return { host, address: this.#accepted.client.host, isSecure: this.#machine?.channel.isSecure === true }
  }

  lookUp(ticket: Ticket, streamHost: StreamHost, request: ServerLookup): void {
    const host = this.#needs.core.host(streamHost.domain)
    if (host === undefined) {
      this.#answer(ticket, { kind: 'unavailable' })
      return
    }
    if (this.#needs.admission.isHeldOff(request.username, host.domain)) {
      this.#answer(ticket, { kind: 'held-off' })
      return
    }
    const decoys = this.#needs.decoys(host)
    this.#endingsSeen = this.#needs.core.accountEndings.count
    this.#needs
      .backend(host)
      .signIn(host, request.username, request.mechanism)
      .then(
        (found) => {
          const refusal = this.#refusalOf(host, request.username, found?.state)
          this.#answer(ticket, decoys.answer(request, found?.credential, refusal))
        },
        (error) => this.#unavailable(ticket, error),
      )
  }

  verify(ticket: Ticket, streamHost: StreamHost, username: string, password: string): void {
    const host = this.#needs.core.host(streamHost.domain)
    if (host === undefined) {
      this.#answer(ticket, { kind: 'unavailable' })
      return
    }
    if (this.#needs.admission.isHeldOff(username, host.domain)) {
      this.#answer(ticket, { kind: 'held-off' })
      return
    }
    this.#endingsSeen = this.#needs.core.accountEndings.count
    this.#needs
      .backend(host)
      .verify(host, username, password)
      .then(
        (verdict) => {
          const refusal = verdict === 'right' ? this.#refusalOf(host, username, 'active') : undefined
          this.#answer(ticket, { kind: 'verified', result: refusal ?? verdict })
        },
        (error) => this.#unavailable(ticket, error),
      )
  }

  /** Told only to a client that proves the password. */
  #refusalOf(host: Host, username: string, state: AccountState | undefined): AccountRefusal | undefined {
    if (state !== undefined && state !== 'active') return 'account-disabled'
    const jid = makeJid(username, host.domain)
    const { listener, client } = this.#accepted
    const subject = { host: host.domain, address: client.host, ...(jid === undefined ? {} : { jid }) }
    const isAllowed = listener.access.allows(subject) && this.#needs.auth(host).access.allows(subject)
    return isAllowed ? undefined : 'account-disabled'
  }

  #answer(ticket: Ticket, answer: ServerAnswer): void {
    this.#machine?.answer(ticket, answer)
  }

  #unavailable(ticket: Ticket, error: unknown): void {
    this.#needs.log.warn('an account could not be looked up', { code: 'RTK_SIGN_IN_UNAVAILABLE', error })
    this.#answer(ticket, { kind: 'unavailable' })
  }

  signInFailed(failure: SignInFailure): void {
    const { host: address } = this.#accepted.client
    this.#needs.log.info('a sign-in failed', {
      code: failure.code,
      address,
      host: failure.host.domain,
      username: failure.username,
      mechanism: failure.mechanism,
      condition: failure.condition,
    })
    const isHis = failure.condition !== 'temporary-auth-failure' && isAttempt(failure)
    this.#needs.core.metrics.refusals.count(failure.code)
    if (isHis && failure.username !== '') this.#tellAccountFailure(failure)
    // The machine is in the middle of it: the stream ends after the client has its failure.
    if (isHis && this.#needs.admission.failed(address)) {
      this.#needs.clock.soon((client: C2sClient) => client.#machine?.close(tooManyFailures), this)
    }
  }

  #tellAccountFailure({ username, host }: SignInFailure): void {
    if (!this.#needs.admission.accountFailed(username, host.domain)) return
    this.#needs.log.warn('an account was tried too often: nobody may try it until the window is over', {
      code: 'RTK_SIGN_IN_FAILURES_PER_ACCOUNT',
      host: host.domain,
      username,
    })
  }

  signedIn({ jid, mechanism }: Account): void {
    const { log, clock, core } = this.#needs
    core.metrics.counter('ratatosk_sign_ins_total', signInsHelp).value++
    const { transport, listener, client } = this.#accepted
    const subject = { jid, host: jid.domain, address: client.host }
    shapeAgain(transport, this.#connection, listener.shaper, subject, clock, this.#shaperHolds)
    if (!log.enabled('debug')) return
    log.debug('a sign-in succeeded', { jid: jid.toString(), mechanism, address: client.host })
  }

  bind(ticket: Ticket, streamHost: StreamHost, account: Jid, resource: string): void {
    const host = this.#needs.core.host(streamHost.domain)
    const machine = this.#machine
    if (machine === undefined) return
    if (host === undefined) {
      machine.bound(ticket, errorHostGone)
      return
    }
    if (this.#needs.core.accountEndings.since(this.#endingsSeen, host, account.local)) {
      machine.close(accountEnded)
      return
    }
    const info = this.#info(machine)
    const result = this.#needs.binder.bind({ account, host, resource, link: this.#connection, info })
    if (result instanceof StanzaError) {
      this.#needs.core.metrics.refusals.count(result.code)
      machine.bound(ticket, result)
      return
    }
    this.#session = result
    machine.bound(ticket, { jid: result.jid, sink: result })
  }

  #info(machine: C2sServer): LinkInfo {
    const { listener, client, transport } = this.#accepted
    return {
      address: client.host,
      port: client.port,
      transport: listener.place.kind,
      tls: transport.tls?.protocol ?? '',
      auth: machine.account?.mechanism ?? '',
      listener: listener.name,
    }
  }

  claim(el: Element): boolean {
    const local = this.#needs.core.localHost(this.#host?.domain ?? '')
    const handler = local?.type.streamElements.find(el)
    if (handler === undefined) return this.#machine?.state === 'features' && this.#requested(el)
    handler(el, this)
    return true
  }

  /** A request before sign-in is a module's, or nobody's. */
  #requested(el: Element): boolean {
    const local = this.#needs.core.localHost(this.#host?.domain ?? '')
    if (local === undefined || stanzaKind(el) !== 'iq' || el.attr('id') === undefined) return false
    const [type, to] = [iqType(el), el.attr('to')]
    if ((type !== 'get' && type !== 'set') || (to !== undefined && to !== local.host.domain)) return false
    const send = (answer: Element) => {
      if (this.#machine?.state === 'features') this.#connection.send(answer)
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
    const state = this.#machine?.state
    return state === 'established' ? 'established' : state === 'binding' ? 'bind' : 'features'
  }

  get to(): Host {
    if (this.#host === undefined) throw new Error('no header has come')
    return this.#host
  }

  get account(): Jid | undefined {
    return this.#machine?.account?.jid
  }

  get session(): Session | undefined {
    return this.#session
  }

  send(el: Element): void {
    this.#connection.send(el)
  }

  write(bytes: Octets): void {
    this.#connection.write(bytes)
  }

  close(error: StreamError): void {
    this.#machine?.close(error)
  }

  takeOver(session: Session, answers: TakeOver): void {
    const { core } = this.#needs
    const machine = this.#machine
    const { host, jid } = session
    if (machine?.state !== 'binding') return
    if (core.accountEndings.since(this.#endingsSeen, host, jid.local)) {
      machine.close(accountEnded)
      return
    }
    // Nothing more comes over the old stream, and over this one nothing until it is decided.
    machine.ask()
    core.resumption.take(session, (found) => {
      if (this.#machine === undefined || machine.state !== 'binding') return
      if (found === undefined) this.send(answers.failed())
      else {
        this.#session = found
        machine.establish({ jid, sink: found }, answers.taken(found))
        core.resumption.resume(found, this.#connection, this.#info(machine))
      }
      machine.answered()
    })
  }

  ended(end: StreamEnd): void {
    if (end.kind === 'error') this.#tellError(end.error)
    const session = this.#session
    // One that is cut ends with its connection: what it was sent until then becomes undeliverable in order.
    if (session === undefined || session.isCut) return
    const detail = end.kind === 'error' || end.kind === 'peer-error' ? end.error.code : end.kind
    const reason = end.kind === 'lost' ? 'lost' : end.kind === 'error' ? 'error' : 'closed'
    session.linkEnded({ reason, detail }, this.#connection)
  }

  #tellError(error: StreamError): void {
    const { metrics } = this.#needs.core
    metrics.counter(errorCounter(error), errorHelp).value++
    // A refused connection was counted when it came.
    if (error.code !== this.#accepted.refusal) metrics.refusals.count(error.code)
    if (error.cause === undefined) return
    this.#needs.log.error('a stream ended by a fault of ours', { code: error.code, error: error.cause })
  }

  disconnected(): void {
    if (this.#connection.discardedBytes > 0) {
      // CVE-2011-0411: an attack, or a broken client.
      this.#needs.core.metrics.counter('ratatosk_plaintext_discarded_total', discardedHelp).value++
    }
    this.#machine = undefined
    const session = this.#session
    this.#session = undefined
    session?.linkGone(this.#connection.takeUnsent(), this.#connection)
    this.#accepted.left()
    this.#gone(this)
  }
}

const discardedHelp = 'Connections with plaintext behind STARTTLS, which was thrown away'
const signInsHelp = 'Sign-ins that succeeded'
const errorHelp = 'Streams that the server ended with this error'

/** One counter a condition: there are 25 of them. */
function errorCounter({ condition }: StreamError): string {
  return `ratatosk_stream_errors_${condition.replaceAll('-', '_')}_total`
}
