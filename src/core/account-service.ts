/**
 * Accounts of all hosts: what administration does with them, and whether one exists. Behind it stand the hosts' back
 * ends; the modules take part through hooks.
 */
import type { Jid } from '../jid/jid.ts'
import { prepPassword } from '../jid/precis.ts'
import { StreamError } from '../stanza/error.ts'
import { BoundedCache } from '../store/cache.ts'
import type { Stores } from '../store/store.types.ts'
import type { Clock } from '../world/clock.types.ts'
import { WorldError } from '../world/error.ts'
import type { AccountDirectory, AccountState } from './accounts.ts'
import type { AccountEntry, AccountKeeper, AuthBackend, ClientToken, TokenKeeper } from './auth.ts'
import { CommandError } from './command-error.ts'
import type { Core } from './core.ts'
import type { Host } from './host.ts'

/** Accounts whose existence is remembered (`account_cache_entries`). */
export const accountCacheMax = 50_000

/** Tokens for quick sign-in (XEP-0484). */
export interface AccountTokens {
  readonly keeper: TokenKeeper
  /** Whether a new password ends the tokens of an account of this host. */
  revokes(host: Host): boolean
}

export class AccountService implements AccountDirectory {
  readonly #backends: (host: Host) => AuthBackend
  readonly #known: BoundedCache<true>
  #core: Core | undefined
  readonly #unfollow: () => void
  readonly #tokens: AccountTokens | undefined

  /** `backends` gives the back end of a host. */
  constructor(
    clock: Pick<Clock, 'monoMs'>,
    stores: Stores,
    backends: (host: Host) => AuthBackend,
    tokens?: AccountTokens,
  ) {
    this.#tokens = tokens
    this.#backends = backends
    this.#known = new BoundedCache(clock, { maxEntries: accountCacheMax, load: (key) => this.#load(key) })
    this.#unfollow = this.#known.follow(stores, 'account', 'account')
  }

  /** The core whose sessions and hooks it uses; given once, because the core needs the directory first. */
  attach(core: Core): void {
    this.#core = core
    const { metrics } = core
    metrics.gauge('ratatosk_account_cache_entries', 'Accounts whose existence is remembered', () => this.#known.size)
    metrics.counted(
      'ratatosk_account_cache_evictions_total',
      'Accounts that made room by the limit `account_cache_entries`',
      () => this.#known.counters.evictions,
    )
  }

  close(): void {
    this.#unfollow()
  }

  exists(host: Host, local: string): boolean | Promise<boolean> {
    const key = keyOf(host, local)
    const known = this.#known.get(key)
    if (known !== undefined) return known !== null
    return this.#known.fetch(key).then((found) => found !== null)
  }

  /** Hosts are gone: should they come back, it may be with other back ends. */
  forget(hosts: readonly Host[]): void {
    const domains = new Set(hosts.map(({ domain }) => domain))
    this.#known.invalidateAll((key) => domains.has(key.slice(0, key.indexOf('\0'))))
  }

  keeps(host: Host): boolean {
    const { keeper } = this.#backends(host)
    return keeper !== undefined && keeper.keepsPasswords !== false
  }

  async #load(key: string): Promise<true | undefined> {
    const [domain = '', local = ''] = key.split('\0')
    const host = this.#running.knownHost(domain)
    // It may come back, with its accounts: that it has none must not be remembered.
    if (host === undefined)
      throw new WorldError('RTK_HOST_REMOVED', `${domain} is no host any more`, { temporary: true })
    return (await this.#backends(host).exists(host, local)) ? true : undefined
  }

  get #running(): Core {
    if (this.#core === undefined) throw new Error('the account service has no core yet')
    return this.#core
  }

  /** Makes an account. Throws `CommandError` RTK_ACCOUNT_EXISTS, RTK_ACCOUNT_PASSWORD, RTK_ACCOUNT_HOST. */
  async add(jid: Jid, password: string, origin = 'admin'): Promise<void> {
    const { host, keeper, local } = this.#target(jid)
    if (!(await keeper.create(host, local, prepared(password), origin))) {
      throw new CommandError('RTK_ACCOUNT_EXISTS', `${jid} exists already`)
    }
    this.made(host, local)
  }

  /** A back end has made an account by itself. */
  made(host: Host, local: string): void {
    this.#known.invalidate(keyOf(host, local))
    this.#hooks(host)?.notice('account:created', { host, local })
  }

  /**
   * Sets a password, and ends the account's tokens where `revoke_tokens` says so. Sessions that are bound go on, but nobody
   * takes one over who may have signed in with the old one, and streams that have proven it and are not bound yet end.
   */
  async setPassword(jid: Jid, password: string): Promise<void> {
    const { host, keeper, local } = this.#target(jid)
    const { accountEndings, sessions, resumption } = this.#running
    const secret = prepared(password)
    // Before, or a hash of the old one would be kept behind the new ones (XEP-0480); and after, for who was let in meanwhile.
    accountEndings.note(host, local)
    if (!(await keeper.setPassword(host, local, secret))) throw missing(jid)
    accountEndings.note(host, local)
    for (const session of sessions.ofAccount(host.domain, local)) {
      resumption.forbid(session, { reason: 'kicked', detail: 'RTK_ACCOUNT_PASSWORD_CHANGED' })
    }
    // Last, because until then the old password was good for another token.
    if (this.#tokens?.revokes(host)) await this.#tokens.keeper.revokeAll(host, local)
  }

  /** Clients of an account that may sign in by a token: a page behind `after` ('') in order of their UUIDs. */
  async tokens(jid: Jid, after: string, limit: number): Promise<readonly ClientToken[]> {
    const host = this.#hostOf(jid)
    return (await this.#tokens?.keeper.list(host, jid.local, after, limit)) ?? []
  }

  /**
   * Ends the tokens of a client of an account, or of all of its clients (''), and the sessions of those clients. Throws
   * RTK_TOKEN_UNKNOWN when there is none.
   */
  async revokeTokens(jid: Jid, agent: string): Promise<void> {
    const host = this.#hostOf(jid)
    const { keeper } = this.#tokens ?? {}
    // Streams that are signing in by one of them get no other in its place: from now on, and those that are let in meanwhile.
    this.#running.accountEndings.note(host, jid.local)
    const isFound =
      agent === ''
        ? ((await keeper?.revokeAll(host, jid.local)) ?? 0) > 0
        : await keeper?.revoke(host, jid.local, agent)
    this.#running.accountEndings.note(host, jid.local)
    const error = new StreamError('RTK_TOKEN_REVOKED', 'not-authorized', 'this client was signed out')
    let ended = 0
    for (const session of this.#running.sessions.ofAccount(host.domain, jid.local)) {
      const { agent: its } = session.info
      if (its === undefined || (agent !== '' && its !== agent)) continue
      ended++
      session.close({ reason: 'kicked', detail: error.code }, error)
    }
    if (isFound !== true && ended === 0) {
      const whose = agent === '' ? `${jid}` : `the client ${agent} of ${jid}`
      throw new CommandError('RTK_TOKEN_UNKNOWN', `${whose} has neither a token nor a session`)
    }
  }

  async setState(jid: Jid, state: AccountState): Promise<void> {
    const { host, keeper, local } = this.#target(jid)
    if (!(await keeper.setState(host, local, state))) throw missing(jid)
    this.#known.invalidate(keyOf(host, local))
    if (state !== 'active') this.#end(host, local, 'RTK_ACCOUNT_STATE', 'the account may not be used')
  }

  /**
   * Removes an account with all that modules keep of it: nobody signs in any more, its sessions end, the modules delete,
   * then the account goes. Throws RTK_ACCOUNT_DELETE when a module failed; trying again goes on where it stood. `left` is
   * called before the sessions end.
   */
  async remove(jid: Jid, left?: () => void): Promise<void> {
    const { host, keeper, local } = this.#target(jid)
    if (!(await keeper.setState(host, local, 'leaving'))) throw missing(jid)
    this.#known.invalidate(keyOf(host, local))
    left?.()
    this.#end(host, local, 'RTK_ACCOUNT_REMOVED', 'the account was removed')
    const failed = (await this.#hooks(host)?.waitingNotice('account:delete', { host, local })) ?? 0
    if (failed > 0) {
      throw new CommandError('RTK_ACCOUNT_DELETE', `${jid}: ${failed} modules could not delete their data; try again`)
    }
    await this.#tokens?.keeper.revokeAll(host, local)
    await keeper.remove(host, local)
    this.#known.invalidate(keyOf(host, local))
  }

  list(host: Host, after: string, limit: number): Promise<readonly AccountEntry[]> {
    return this.#keeper(host).list(host, after, limit)
  }

  count(host: Host): Promise<number> {
    return this.#keeper(host).count(host)
  }

  #end(host: Host, local: string, code: 'RTK_ACCOUNT_REMOVED' | 'RTK_ACCOUNT_STATE', text: string): void {
    // Streams that have signed in and not bound yet are told when they bind.
    this.#running.accountEndings.note(host, local)
    for (const session of this.#running.sessions.ofAccount(host.domain, local)) {
      session.close({ reason: 'kicked', detail: code }, new StreamError(code, 'not-authorized', text))
    }
  }

  #hooks(host: Host) {
    return this.#running.localHost(host.domain)?.type.hooks
  }

  #keeper(host: Host): AccountKeeper {
    const { keeper, name } = this.#backends(host)
    if (keeper === undefined) throw new CommandError('RTK_ACCOUNT_BACKEND', `the back end ${name} keeps no accounts`)
    return keeper
  }

  #target(jid: Jid): { host: Host; keeper: AccountKeeper; local: string } {
    const host = this.#hostOf(jid)
    return { host, keeper: this.#keeper(host), local: jid.local }
  }

  #hostOf(jid: Jid): Host {
    if (jid.local === '') {
      const example = this.#running.hosts()[0]?.domain ?? jid.domain
      throw new CommandError('RTK_ACCOUNT_NAME', `'${jid}' names no account`, `as in juliet@${example}`)
    }
    const host = this.#running.host(jid.domain)
    if (host === undefined) {
      const known = this.#running.hosts().map((other) => other.domain)
      throw new CommandError(
        'RTK_ACCOUNT_HOST',
        `${jid.domain} is no host of this server`,
        `known: ${known.slice(0, 5).join(', ')}`,
      )
    }
    return host
  }
}

function keyOf(host: Host, local: string): string {
  return `${host.domain}\0${local}`
}

function missing(jid: Jid): CommandError {
  return new CommandError('RTK_ACCOUNT_UNKNOWN', `there is no account ${jid}`)
}

/** RFC 8265 section 4: a password that no client could ever send is refused when it is set. */
function prepared(password: string): string {
  const ready = prepPassword(password)
  if (ready === undefined || ready === '') {
    throw new CommandError('RTK_ACCOUNT_PASSWORD', 'the password is empty or holds characters that none may have')
  }
  return ready
}
