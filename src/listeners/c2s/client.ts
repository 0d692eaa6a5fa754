/** One client's connection: answers what its stream machine asks, and ties its session to it. */
import type { AccountState } from '../../core/accounts.ts'
import type { Host } from '../../core/host.ts'
import type { Session } from '../../core/session.ts'
import type { LinkInfo } from '../../core/session-link.ts'
import type { Jid } from '../../jid/jid.ts'
import { makeJid } from '../../jid/jid.ts'
import { StanzaError, StreamError } from '../../stanza/error.ts'
import { certificateAddresses } from '../../stream/c2s-sasl.ts'
import type { C2sServer } from '../../stream/c2s-server.ts'
import type { Account, C2sDriver, Channel, SignInFailure, StreamHost, Ticket } from '../../stream/c2s-server.types.ts'
import { isAttempt } from '../../stream/c2s-sign-in.ts'
import type { Connection } from '../../stream/connection.ts'
import type { StreamEnd } from '../../stream/machine.types.ts'
import {
  type AccountRefusal,
  readScramName,
  SALT_LENGTH,
  type ScramCredential,
  type ScramName,
  type ServerAnswer,
  type ServerLookup,
  type ServerTokens,
  type TokenCandidate,
  tokenMechanisms,
} from '../../stream/sasl/index.ts'
import type { Authenticate, Sasl2Offer } from '../../stream/sasl2.ts'
import { upgradeElements } from '../../stream/upgrade.ts'
import type { Element } from '../../xml/element.types.ts'
import type { Accepted } from '../acceptor.ts'
import { shapeAgain } from '../shaped.ts'
import { type InlineDone, inline, sasl2Offer } from './inline.ts'
import type { C2sNeeds } from './needs.ts'
import { settleTokens } from './tokens.ts'

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

export class C2sClient implements C2sDriver {
  readonly #needs: C2sNeeds
  readonly #accepted: Accepted
  readonly #connection: Connection
  #machine: C2sServer | undefined
  #session: Session | undefined
  /** Accounts that had ended when the account was last looked up. */
  #endingsSeen = 0
  readonly #gone: (client: C2sClient) => void

  constructor(needs: C2sNeeds, accepted: Accepted, connection: Connection, gone: (client: C2sClient) => void) {
    this.#needs = needs
    this.#accepted = accepted
    this.#connection = connection
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
    const { listener } = this.#accepted
    const hasCertificate = listener.tls !== 'none' && this.#needs.hasCertificate(listener, domain)
    const auth = this.#needs.auth(host)
    return {
      domain: host.domain,
      tls: hasCertificate ? 'required' : 'none',
      hasSasl2: auth.sasl2,
      upgrades: auth.upgrades,
      protectsOffer: auth.downgrade_protection,
    }
  }

  /** By the host's back end and configuration; -PLUS where the connection can be bound, PLAIN inside of TLS. */
  mechanisms(streamHost: StreamHost, channel: Channel): readonly string[] {
    const host = this.#needs.core.host(streamHost.domain)
    if (host === undefined) return []
    const backend = this.#needs.backend(host)
    const { mechanisms, anonymous, certificates } = this.#needs.auth(host)
    const offered: string[] = mechanisms.filter((name) => {
      if (name === 'PLAIN') return channel.isSecure && backend.checksPasswords
      const scram = readScramName(name)
      if (scram === undefined || !backend.scram.includes(scram.mechanism)) return false
      return !scram.plus || channel.bindings.size > 0
    })
    // RFC 6120 section 6.3.4: only to whoever has shown a certificate that would do.
    const hasAddress = certificates && certificateAddresses(channel).some(({ domain }) => domain === host.domain)
    if (hasAddress) offered.unshift('EXTERNAL')
    if (anonymous) offered.push('ANONYMOUS')
    return offered
  }

  features(streamHost: StreamHost, stage: 'sasl' | 'bind'): readonly Element[] {
    const local = this.#needs.core.localHost(streamHost.domain)
    if (local === undefined || stage === 'sasl') return []
    return local.type.hooks.fold('stream:features', [], local.host)
  }

  sasl2(streamHost: StreamHost, channel: Channel): Sasl2Offer {
    const local = this.#needs.core.localHost(streamHost.domain)
    if (local === undefined) return { inline: [] }
    const offer = sasl2Offer(local.type, local.host, this.tokenMechanisms(streamHost, channel))
    if (streamHost.upgrades !== true) return offer
    const { credentials, scram } = this.#needs.backend(local.host)
    return credentials === undefined ? offer : { ...offer, others: upgradeElements(scram) }
  }

  upgrades(ticket: Ticket, { domain }: StreamHost, { jid }: Account, wanted: readonly ScramName[]): void {
    const host = this.#needs.core.host(domain)
    const lacking =
      host === undefined ? undefined : this.#needs.backend(host).credentials?.lacking(host, jid.local, wanted)
    const { random } = this.#needs
    const iterations = host === undefined ? 0 : this.#needs.auth(host).scram_iterations
    Promise.resolve(lacking ?? []).then(
      (list) => {
        const tasks = list.map((mechanism) => ({ mechanism, salt: random.bytes(SALT_LENGTH), iterations }))
        this.#machine?.upgrade(ticket, tasks)
      },
      (error) => this.#notUpgraded(ticket, error),
    )
  }

  keepUpgrade(
    ticket: Ticket,
    { domain }: StreamHost,
    { jid }: Account,
    mechanism: ScramName,
    credential: ScramCredential,
  ): void {
    const host = this.#needs.core.host(domain)
    const kept =
      host === undefined
        ? undefined
        : this.#needs.backend(host).credentials?.keep(host, jid.local, mechanism, credential)
    Promise.resolve(kept).then(
      () => this.#machine?.upgrade(ticket, []),
      (error) => this.#notUpgraded(ticket, error),
    )
  }

  /** He has signed in; the next time he offers it again. */
  #notUpgraded(ticket: Ticket, error: unknown): void {
    this.#needs.log.warn('a hash could not be kept', { code: 'RTK_UPGRADE_UNAVAILABLE', error })
    this.#machine?.upgrade(ticket, [])
  }

  /** A token is as good as a password: it travels inside of TLS only. */
  tokenMechanisms({ domain }: StreamHost, channel: Channel): readonly string[] {
    const host = this.#needs.core.host(domain)
    if (host === undefined || !channel.isSecure || !this.#needs.auth(host).tokens) return []
    return tokenMechanisms(channel.bindings)
  }

  tokens(ticket: Ticket, { domain }: StreamHost, { username, mechanism }: ServerTokens, agent: string): void {
    const host = this.#needs.core.host(domain)
    if (host === undefined) {
      this.#answer(ticket, { kind: 'unavailable' })
      return
    }
    this.#endingsSeen = this.#needs.core.accountEndings.count
    const state = this.#needs.backend(host).state(host, username)
    const candidates = this.#needs.tokens.candidates({ host, local: username, agent }, mechanism)
    Promise.all([candidates, state]).then(
      ([found, known]) => {
        const refusal = this.#refusalOf(host, username, known)
        const answer = found.map(({ token, use, refusal: own }): TokenCandidate => {
          const why = refusal ?? own
          return { token, use: known === undefined ? undefined : use, ...(why === undefined ? {} : { refusal: why }) }
        })
        this.#answer(ticket, { kind: 'tokens', candidates: answer })
      },
      (error) => this.#unavailable(ticket, error),
    )
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
          const answer = decoys.answer(request, found?.credential, refusal)
          this.#answer(ticket, found?.isUncertain === true ? { ...answer, isUncertain: true } : answer)
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

  vouch(ticket: Ticket, { domain }: StreamHost, username: string, mechanism: string): void {
    const host = this.#needs.core.host(domain)
    if (host === undefined) {
      this.#answer(ticket, { kind: 'unavailable' })
      return
    }
    this.#endingsSeen = this.#needs.core.accountEndings.count
    if (mechanism === 'ANONYMOUS') {
      const refusal = this.#refusalOf(host, username, 'active', true)
      this.#answer(ticket, { kind: 'verified', result: refusal ?? 'right' })
      return
    }
    const backend = this.#needs.backend(host)
    backend.state(host, username).then(
      (state) => {
        const result = state === undefined ? 'wrong' : (this.#refusalOf(host, username, state) ?? 'right')
        this.#answer(ticket, { kind: 'verified', result })
      },
      (error) => this.#unavailable(ticket, error),
    )
  }

  /** Told only to a client that proves the password. */
  #refusalOf(
    host: Host,
    username: string,
    state: AccountState | undefined,
    anonymous = false,
  ): AccountRefusal | undefined {
    if (state !== undefined && state !== 'active') return 'account-disabled'
    const jid = makeJid(username, host.domain)
    const { listener, client } = this.#accepted
    const subject = { host: host.domain, address: client.host, anonymous, ...(jid === undefined ? {} : { jid }) }
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
    const subject = { jid, host: jid.domain, address: client.host, anonymous: mechanism === 'ANONYMOUS' }
    const holds = core.metrics.counter('ratatosk_shaper_holds_total', shaperHoldsHelp)
    shapeAgain(transport, this.#connection, listener.shaper, subject, clock, holds)
    if (!log.enabled('debug')) return
    log.debug('a sign-in succeeded', { jid: jid.toString(), mechanism, address: client.host })
  }

  bind(ticket: Ticket, streamHost: StreamHost, account: Jid, resource: string): void {
    const machine = this.#machine
    const info = this.#info(machine?.account?.mechanism ?? '', undefined)
    const result = this.#bindTo(streamHost, account, resource, info)
    if (result === undefined) return
    machine?.bound(ticket, result instanceof StanzaError ? result : { jid: result.jid, sink: result })
  }

  /** Undefined: the stream has ended. */
  #bindTo({ domain }: StreamHost, account: Jid, resource: string, info: LinkInfo): Session | StanzaError | undefined {
    const host = this.#needs.core.host(domain)
    if (host === undefined) return errorHostGone
    if (this.#hasEnded(account, host)) return undefined
    const result = this.#needs.binder.bind({ account, host, resource, link: this.#connection, info })
    if (result instanceof StanzaError) this.#needs.core.metrics.refusals.count(result.code)
    else this.#session = result
    return result
  }

  /** True when the stream is over, or has to be because the account was removed after its sign-in. */
  #hasEnded(account: Jid, host: Host): boolean {
    const machine = this.#machine
    if (machine?.account === undefined) return true
    if (!this.#needs.core.accountEndings.since(this.#endingsSeen, host, account.local)) return false
    machine.close(accountEnded)
    return true
  }

  #info(mechanism: string, agent: string | undefined): LinkInfo {
    const { listener, client, transport } = this.#accepted
    return {
      address: client.host,
      port: client.port,
      transport: listener.place.kind,
      tls: transport.tls?.protocol ?? '',
      auth: mechanism,
      listener: listener.name,
      ...(agent === undefined || agent === '' ? {} : { agent }),
    }
  }

  inline(ticket: Ticket, streamHost: StreamHost, account: Account, asked: Authenticate): void {
    const local = this.#needs.core.localHost(streamHost.domain)
    if (local === undefined) {
      this.#machine?.inlined(ticket, { bound: undefined, elements: [] })
      return
    }
    const { agent, bind } = asked
    const { jid, mechanism } = account
    const info = this.#info(mechanism, agent?.id)
    const link = this.#connection
    const { channel } = this.#machine ?? {}
    const offered = channel === undefined ? [] : this.tokenMechanisms(streamHost, channel)
    const done = inline({
      type: local.type,
      request: { host: local.host, account: jid, mechanism, agent, inline: asked.inline, link, info },
      bind,
      bindTo: (resource) => this.#bindTo(streamHost, jid, resource, info),
      take: (session) => this.#take(session, jid, local.host),
      madeResource: (tag) => this.#needs.resources.made(jid, agent?.id ?? '', tag),
      token: () => {
        const { tokens, log, auth } = this.#needs
        const owner = { host: local.host, local: jid.local, agent: agent?.id ?? '' }
        const use = account.token
        return settleTokens({ tokens, log, auth: auth(local.host), owner, use, asked, offered })
      },
    })
    done.then(
      (result) => this.#inlined(ticket, result),
      (error) => this.#machine?.close(new StreamError('RTK_SIGN_IN_INLINE', 'internal-server-error', undefined, error)),
    )
  }

  /** A session goes on over this connection; false when the stream has ended. */
  #take(session: Session, account: Jid, host: Host): boolean {
    const isOver = this.#machine?.account === undefined
    if (isOver) session.linkEnded({ reason: 'lost', detail: '' }, this.#connection)
    else this.#session = session
    return !isOver && !this.#hasEnded(account, host)
  }

  #inlined(ticket: Ticket, done: InlineDone | undefined): void {
    if (done === undefined) return
    const { session, elements } = done
    const bound = session === undefined ? undefined : { jid: session.jid, sink: session }
    this.#machine?.inlined(ticket, { bound, elements })
  }

  claim(): boolean {
    return false
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
export const shaperHoldsHelp = 'Times a shaper held the reading of a client'
const signInsHelp = 'Sign-ins that succeeded'
const errorHelp = 'Streams that the server ended with this error'

/** One counter a condition: there are 25 of them. */
function errorCounter({ condition }: StreamError): string {
  return `ratatosk_stream_errors_${condition.replaceAll('-', '_')}_total`
}
