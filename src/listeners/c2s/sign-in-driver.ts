/** What a client's stream machine asks until somebody has signed in: what is offered, and whether a secret is right. */
import type { AccountState } from '../../core/accounts.ts'
import type { Host } from '../../core/host.ts'
import { type Jid, makeJid } from '../../jid/jid.ts'
import { StreamError } from '../../stanza/error.ts'
import { certificateAddresses } from '../../stream/c2s-sasl.ts'
import type { C2sServer } from '../../stream/c2s-server.ts'
import type { Account, Channel, SignInFailure, StreamHost, Ticket } from '../../stream/c2s-server.types.ts'
import { isAttempt } from '../../stream/c2s-sign-in.ts'
import {
  type AccountRefusal,
  BEARER,
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
import type { Sasl2Offer } from '../../stream/sasl2.ts'
import { upgradeElements } from '../../stream/upgrade.ts'
import type { Accepted } from '../acceptor.ts'
import { sasl2Offer } from './inline.ts'
import type { C2sNeeds } from './needs.ts'

const tooManyFailures = new StreamError(
  'RTK_SIGN_IN_FAILURES',
  'policy-violation',
  'too many failed attempts to sign in',
)

const accountEnded = new StreamError(
  'RTK_ACCOUNT_ENDED',
  'not-authorized',
  'the account was removed, forbidden or given another password after the sign-in',
)

export class SignInDriver {
  protected readonly needs: C2sNeeds
  protected readonly accepted: Accepted
  protected machine: C2sServer | undefined
  /** Accounts that had ended when the account was last looked up. */
  protected endingsSeen = 0

  constructor(needs: C2sNeeds, accepted: Accepted) {
    this.needs = needs
    this.accepted = accepted
  }

  /** By the host's back end and configuration; -PLUS where the connection can be bound, PLAIN and OAUTHBEARER inside of TLS. */
  mechanisms(streamHost: StreamHost, channel: Channel): readonly string[] {
    const host = this.needs.core.host(streamHost.domain)
    if (host === undefined) return []
    const backend = this.needs.backend(host)
    const { mechanisms, anonymous, certificates } = this.needs.auth(host)
    const offered: string[] = mechanisms.filter((name) => {
      if (name === 'PLAIN') return channel.isSecure && backend.checksPasswords
      const scram = readScramName(name)
      if (scram === undefined || !backend.scram.includes(scram.mechanism)) return false
      return !scram.plus || channel.bindings.size > 0
    })
    // RFC 6120 section 6.3.4: only to whoever has shown a certificate that would do.
    const hasAddress = certificates && certificateAddresses(channel).some(({ domain }) => domain === host.domain)
    if (hasAddress) offered.unshift('EXTERNAL')
    if (channel.isSecure && backend.bearer !== undefined) offered.push(BEARER)
    if (anonymous) offered.push('ANONYMOUS')
    return offered
  }

  sasl2(streamHost: StreamHost, channel: Channel): Sasl2Offer {
    const local = this.needs.core.localHost(streamHost.domain)
    if (local === undefined) return { inline: [] }
    const offer = sasl2Offer(local.type, local.host, this.tokenMechanisms(streamHost, channel))
    if (streamHost.upgrades !== true) return offer
    const { credentials, scram } = this.needs.backend(local.host)
    return credentials === undefined ? offer : { ...offer, others: upgradeElements(scram) }
  }

  upgrades(ticket: Ticket, { domain }: StreamHost, { jid }: Account, wanted: readonly ScramName[]): void {
    const host = this.needs.core.host(domain)
    const lacking =
      host === undefined ? undefined : this.needs.backend(host).credentials?.lacking(host, jid.local, wanted)
    const { random } = this.needs
    const iterations = host === undefined ? 0 : this.needs.auth(host).scram_iterations
    Promise.resolve(lacking ?? []).then(
      (list) => {
        const tasks = list.map((mechanism) => ({ mechanism, salt: random.bytes(SALT_LENGTH), iterations }))
        this.machine?.upgrade(ticket, tasks)
      },
      (error) => this.#notUpgraded(ticket, error),
    )
  }

  /** True when the stream is over, or has to be because what was proven at its sign-in counts no more. */
  protected hasEnded(account: Jid, host: Host): boolean {
    const { machine } = this
    if (machine?.account === undefined) return true
    if (!this.needs.core.accountEndings.since(this.endingsSeen, host, account.local)) return false
    machine.close(accountEnded)
    return true
  }

  keepUpgrade(
    ticket: Ticket,
    { domain }: StreamHost,
    { jid }: Account,
    mechanism: ScramName,
    credential: ScramCredential,
  ): void {
    const host = this.needs.core.host(domain)
    // Of a password that is another by now a hash would let in whoever knows the old one.
    if (host !== undefined && this.hasEnded(jid, host)) return
    const kept =
      host === undefined
        ? undefined
        : this.needs.backend(host).credentials?.keep(host, jid.local, mechanism, credential)
    Promise.resolve(kept).then(
      () => this.machine?.upgrade(ticket, []),
      (error) => this.#notUpgraded(ticket, error),
    )
  }

  /** He has signed in; the next time he offers it again. */
  #notUpgraded(ticket: Ticket, error: unknown): void {
    this.needs.log.warn('a hash could not be kept', { code: 'RTK_UPGRADE_UNAVAILABLE', error })
    this.machine?.upgrade(ticket, [])
  }

  /** A token is as good as a password: it travels inside of TLS only. */
  tokenMechanisms({ domain }: StreamHost, channel: Channel): readonly string[] {
    const host = this.needs.core.host(domain)
    if (host === undefined || !channel.isSecure || !this.needs.auth(host).tokens) return []
    return tokenMechanisms(channel.bindings)
  }

  tokens(ticket: Ticket, { domain }: StreamHost, { username, mechanism }: ServerTokens, agent: string): void {
    const host = this.needs.core.host(domain)
    if (host === undefined) {
      this.#answer(ticket, { kind: 'unavailable' })
      return
    }
    this.endingsSeen = this.needs.core.accountEndings.count
    const state = this.needs.backend(host).state(host, username)
    const candidates = this.needs.tokens.candidates({ host, local: username, agent }, mechanism)
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
    const host = this.needs.core.host(streamHost.domain)
    if (host === undefined) {
      this.#answer(ticket, { kind: 'unavailable' })
      return
    }
    if (this.needs.admission.isHeldOff(request.username, host.domain)) {
      this.#answer(ticket, { kind: 'held-off' })
      return
    }
    const decoys = this.needs.decoys(host)
    this.endingsSeen = this.needs.core.accountEndings.count
    this.needs
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
    const host = this.needs.core.host(streamHost.domain)
    if (host === undefined) {
      this.#answer(ticket, { kind: 'unavailable' })
      return
    }
    if (this.needs.admission.isHeldOff(username, host.domain)) {
      this.#answer(ticket, { kind: 'held-off' })
      return
    }
    this.endingsSeen = this.needs.core.accountEndings.count
    this.needs
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

  /** Nobody guesses a token: whoever holds an account off by wrong passwords does not keep out those who have one. */
  bearer(ticket: Ticket, { domain }: StreamHost, token: string): void {
    const host = this.needs.core.host(domain)
    const bearer = host === undefined ? undefined : this.needs.backend(host).bearer
    if (host === undefined || bearer === undefined) {
      this.#answer(ticket, { kind: 'unavailable' })
      return
    }
    const { help } = bearer
    if (token === '') {
      this.#answer(ticket, { kind: 'bearer', result: 'wrong', username: '', help })
      return
    }
    this.endingsSeen = this.needs.core.accountEndings.count
    bearer.judge(host, token).then(
      ({ result, local }) => {
        const refusal = result === 'right' ? this.#refusalOf(host, local, 'active') : undefined
        this.#answer(ticket, { kind: 'bearer', result: refusal ?? result, username: local, help })
      },
      (error) => this.#unavailable(ticket, error),
    )
  }

  vouch(ticket: Ticket, { domain }: StreamHost, username: string, mechanism: string): void {
    const host = this.needs.core.host(domain)
    if (host === undefined) {
      this.#answer(ticket, { kind: 'unavailable' })
      return
    }
    this.endingsSeen = this.needs.core.accountEndings.count
    if (mechanism === 'ANONYMOUS') {
      const refusal = this.#refusalOf(host, username, 'active', true)
      this.#answer(ticket, { kind: 'verified', result: refusal ?? 'right' })
      return
    }
    const backend = this.needs.backend(host)
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
    const { listener, client } = this.accepted
    const subject = { host: host.domain, address: client.host, anonymous, ...(jid === undefined ? {} : { jid }) }
    const isAllowed = listener.access.allows(subject) && this.needs.auth(host).access.allows(subject)
    return isAllowed ? undefined : 'account-disabled'
  }

  #answer(ticket: Ticket, answer: ServerAnswer): void {
    this.machine?.answer(ticket, answer)
  }

  #unavailable(ticket: Ticket, error: unknown): void {
    this.needs.log.warn('an account could not be looked up', { code: 'RTK_SIGN_IN_UNAVAILABLE', error })
    this.#answer(ticket, { kind: 'unavailable' })
  }

  signInFailed(failure: SignInFailure): void {
    const { host: address } = this.accepted.client
    this.needs.log.info('a sign-in failed', {
      code: failure.code,
      address,
      host: failure.host.domain,
      username: failure.username,
      mechanism: failure.mechanism,
      condition: failure.condition,
    })
    const isHis = failure.condition !== 'temporary-auth-failure' && isAttempt(failure)
    this.needs.core.metrics.refusals.count(failure.code)
    if (isHis && failure.username !== '') this.#tellAccountFailure(failure)
    // The machine is in the middle of it: the stream ends after the client has its failure.
    if (isHis && this.needs.admission.failed(address)) {
      this.needs.clock.soon((client: SignInDriver) => client.machine?.close(tooManyFailures), this)
    }
  }

  #tellAccountFailure({ username, host }: SignInFailure): void {
    if (!this.needs.admission.accountFailed(username, host.domain)) return
    this.needs.log.warn('an account was tried too often: nobody may try it until the window is over', {
      code: 'RTK_SIGN_IN_FAILURES_PER_ACCOUNT',
      host: host.domain,
      username,
    })
  }
}
