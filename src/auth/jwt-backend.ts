/**
 * The back end `jwt`: an issuer elsewhere knows the passwords, and signs tokens (RFC 7519) that say who somebody is. Accounts stand in
 * the same store as those of `internal`; one that a token names is made when it first signs in, so that there is somebody whom
 * messages can wait for, and whom the operator can list, disable and remove.
 */
import type { AccountState } from '../core/accounts.ts'
import type {
  AccountEntry,
  AccountKeeper,
  AuthBackend,
  BearerJudge,
  BearerVerdict,
  PasswordVerdict,
} from '../core/auth.ts'
import { CommandError } from '../core/command-error.ts'
import type { Host } from '../core/host.ts'
import type { accounts } from '../store/accounts.ts'
import type { Store } from '../store/define.ts'
import type { BearerHelp } from '../stream/sasl/index.ts'
import type { Clock } from '../world/clock.types.ts'
import type { Log } from '../world/log.types.ts'
import type { InternalBackend } from './internal.ts'
import { checkToken, type TokenFault, type TokenRules } from './jwt.ts'

export interface JwtNeeds {
  readonly clock: Pick<Clock, 'wallMs'>
  readonly log: Log
  readonly store: Store<typeof accounts>
  /** Of the same host type. */
  readonly internal: InternalBackend
  /** It is a back end beside this one, and speaks for the accounts itself. */
  readonly isBesideInternal: boolean
  readonly rules: TokenRules
  readonly help: BearerHelp
  /** False: only an account that is there already may sign in. */
  readonly makesAccounts: boolean
  /** Told of an account that was made. */
  made(host: Host, local: string): void
}

export class JwtBackend implements AuthBackend {
  readonly name = 'jwt'
  readonly scram = []
  readonly scramIterations = 0
  /** A token may stand in place of the password (PLAIN), for clients that know nothing else. */
  readonly checksPasswords = true
  readonly keeper: AccountKeeper | undefined
  readonly bearer: BearerJudge
  readonly #needs: JwtNeeds

  constructor(needs: JwtNeeds) {
    this.#needs = needs
    this.keeper = needs.isBesideInternal ? undefined : new Keeper(needs.internal)
    this.bearer = { help: needs.help, judge: (host, token) => this.#judge(host, token) }
  }

  signIn(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  async verify(host: Host, local: string, password: string): Promise<PasswordVerdict> {
    const { clock, rules } = this.#needs
    const found = checkToken(password, rules, host.domain, clock.wallMs())
    // Most passwords are no tokens: of those nothing is told.
    if ('code' in found && found.isOurs) this.#tell(host, found)
    // Whose name is another's is not told what that one's token is worth.
    if (found.local !== local) return 'wrong'
    if (!('code' in found)) return this.#admit(host, local)
    return found.code === 'RTK_JWT_EXPIRED' ? 'credentials-expired' : 'wrong'
  }

  exists(host: Host, local: string): Promise<boolean> {
    const { internal, isBesideInternal } = this.#needs
    return isBesideInternal ? Promise.resolve(false) : internal.exists(host, local)
  }

  state(host: Host, local: string): Promise<AccountState | undefined> {
    const { internal, isBesideInternal } = this.#needs
    return isBesideInternal ? Promise.resolve(undefined) : internal.state(host, local)
  }

  async #judge(host: Host, token: string): Promise<BearerVerdict> {
    const { clock, rules } = this.#needs
    const found = checkToken(token, rules, host.domain, clock.wallMs())
    if (!('code' in found)) {
      const result = await this.#admit(host, found.local)
      return { result, local: result === 'wrong' ? '' : found.local }
    }
    this.#tell(host, found)
    const { code, local = '' } = found
    if (code === 'RTK_JWT_EXPIRED') return { result: 'credentials-expired', local }
    return code === 'RTK_JWT_SCOPE' ? { result: 'insufficient-scope', local } : { result: 'wrong', local: '' }
  }

  async #admit(host: Host, local: string): Promise<PasswordVerdict> {
    const { internal, store, makesAccounts, clock, log } = this.#needs
    const verdict = (state: AccountState) => (state === 'active' ? 'right' : 'account-disabled')
    const known = await internal.state(host, local)
    if (known !== undefined) return verdict(known)
    if (!makesAccounts) {
      this.#tell(host, { code: 'RTK_JWT_ACCOUNT', text: 'there is no such account' })
      return 'wrong'
    }
    const { domain } = host
    const row = { host: domain, name: local, state: 'active', origin: 'jwt', created: clock.wallMs() } as const
    const { outcome } = await store.create(row, [])
    // Somebody else has made it meanwhile.
    if (outcome !== 'kept') return verdict((await internal.state(host, local)) ?? 'leaving')
    log.info('an account was made for a token', { host: domain, username: local })
    this.#needs.made(host, local)
    return 'right'
  }

  /** The client is told that its token is not good; why, is the operator's. */
  #tell(host: Host, { code, text }: Pick<TokenFault, 'code' | 'text'>): void {
    this.#needs.log.info('a token was refused', { code, host: host.domain, why: text })
  }
}

/** Accounts as `internal` has them, without passwords: nobody would ask for those. */
class Keeper implements AccountKeeper {
  readonly keepsPasswords = false
  readonly #internal: InternalBackend

  constructor(internal: InternalBackend) {
    this.#internal = internal
  }

  create(): Promise<boolean> {
    return Promise.reject(noPasswords())
  }

  setPassword(): Promise<boolean> {
    return Promise.reject(noPasswords())
  }

  setState(host: Host, local: string, state: AccountState): Promise<boolean> {
    return this.#internal.setState(host, local, state)
  }

  remove(host: Host, local: string): Promise<boolean> {
    return this.#internal.remove(host, local)
  }

  list(host: Host, after: string, limit: number): Promise<readonly AccountEntry[]> {
    return this.#internal.list(host, after, limit)
  }

  count(host: Host): Promise<number> {
    return this.#internal.count(host)
  }
}

function noPasswords(): CommandError {
  const hint = `put 'internal' among auth.backends for accounts with passwords`
  return new CommandError('RTK_ACCOUNT_BACKEND', 'the back end jwt keeps no passwords', hint)
}
