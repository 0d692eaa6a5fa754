/**
 * The internal back end: accounts and SCRAM credentials in the store (XEP-0438). Passwords are not kept; each is stretched
 * once for every hash, so that clients with any SCRAM mechanism sign in.
 */
import type { AccountState } from '../core/accounts.ts'
import type {
  AccountEntry,
  AccountKeeper,
  AuthBackend,
  CredentialKeeper,
  PasswordVerdict,
  SignInRecord,
} from '../core/auth.ts'
import type { Host } from '../core/host.ts'
import type { accounts } from '../store/accounts.ts'
import type { Store } from '../store/define.ts'
import {
  type CredentialRow,
  type Decoys,
  deriveScram,
  fromRow,
  HASH_OF,
  SALT_LENGTH,
  type ScramCredential,
  type ScramName,
  toRow,
  verifyPassword,
} from '../stream/sasl/index.ts'
import type { Clock } from '../world/clock.types.ts'
import { WorldError } from '../world/error.ts'
import type { Hashing } from '../world/hashing.types.ts'
import type { Random } from '../world/random.types.ts'
import { PatientHashing } from './patient.ts'

/** The strongest first; the first that an account has is what PLAIN is checked against. */
const mechanisms: readonly [ScramName, ...ScramName[]] = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1']

export interface InternalNeeds {
  readonly store: Store<typeof accounts>
  readonly hashing: Hashing
  readonly random: Random
  readonly clock: Pick<Clock, 'wallMs'>
  /** For PLAIN with a name that does not exist. */
  readonly decoys: Decoys
  /** `auth.scram_iterations`, for passwords set from now on. */
  readonly iterations: number
}

export class InternalBackend implements AuthBackend, AccountKeeper, CredentialKeeper {
  readonly name = 'internal'
  readonly scram = mechanisms
  readonly scramIterations: number
  readonly checksPasswords = true
  readonly #needs: InternalNeeds
  /** For new accounts: there may be thousands of them at once. */
  readonly #patient: Hashing

  constructor(needs: InternalNeeds) {
    this.#needs = needs
    this.#patient = new PatientHashing(needs.hashing)
    this.scramIterations = needs.iterations
  }

  get keeper(): AccountKeeper {
    return this
  }

  get credentials(): CredentialKeeper {
    return this
  }

  async signIn(host: Host, local: string, mechanism: ScramName): Promise<SignInRecord | undefined> {
    const row = await this.#needs.store.forSignIn({ host: host.domain, name: local, mechanism })
    if (row === undefined) return undefined
    const { state, parameters, value } = row
    const credential = parameters === null || value === null ? undefined : fromRow({ mechanism, parameters, value })
    return { state, credential }
  }

  async verify(host: Host, local: string, password: string): Promise<PasswordVerdict> {
    const [mechanism, record] = await this.#record(host, local)
    const known = record?.credential
    const decoy = this.#needs.decoys.for(mechanism, local, host.domain)
    // The same work for a name that does not exist.
    const isRight = await verifyPassword(this.#needs.hashing, password, known ?? decoy, known !== undefined)
    if (!isRight || record === undefined) return 'wrong'
    return record.state === 'active' ? 'right' : 'account-disabled'
  }

  /** Its strongest hash: an account that came from elsewhere may lack some (XEP-0480). */
  async #record(host: Host, local: string): Promise<readonly [ScramName, SignInRecord | undefined]> {
    const [first, ...others] = mechanisms
    const record = await this.signIn(host, local, first)
    if (record === undefined || record.credential !== undefined) return [first, record]
    for (const mechanism of others) {
      const weaker = await this.signIn(host, local, mechanism)
      if (weaker?.credential !== undefined) return [mechanism, weaker]
    }
    return [first, record]
  }

  async exists(host: Host, local: string): Promise<boolean> {
    const row = await this.#needs.store.get({ host: host.domain, name: local })
    // Of one that is being removed modules delete what they keep: nothing more may come for it.
    return row !== undefined && row.state !== 'leaving'
  }

  async lacking(host: Host, local: string, wanted: readonly ScramName[]): Promise<readonly ScramName[]> {
    const rows = await this.#needs.store.credentials({ host: host.domain, name: local })
    return wanted.filter((name) => !rows.some((row) => row.mechanism === name && fromRow(row) !== undefined))
  }

  async keep(host: Host, local: string, mechanism: ScramName, credential: ScramCredential): Promise<void> {
    await this.#needs.store.putCredential({ host: host.domain, name: local, ...toRow(mechanism, credential) })
  }

  async state(host: Host, local: string): Promise<AccountState | undefined> {
    return (await this.#needs.store.get({ host: host.domain, name: local }))?.state
  }

  async create(host: Host, local: string, password: string, origin: string): Promise<boolean> {
    // The store decides in the end. A list that is given once more need not be stretched once more.
    if ((await this.#needs.store.get({ host: host.domain, name: local })) !== undefined) return false
    const credentials = await this.#credentials(password, this.#patient)
    const result = await this.#needs.store.create(
      { host: host.domain, name: local, state: 'active', origin, created: this.#needs.clock.wallMs() },
      credentials,
    )
    return result.outcome === 'kept'
  }

  async setPassword(host: Host, local: string, password: string): Promise<boolean> {
    const credentials = await this.#credentials(password, this.#needs.hashing)
    const result = await this.#needs.store.replaceCredentials({ host: host.domain, name: local }, credentials)
    return result.outcome === 'kept'
  }

  async setState(host: Host, local: string, state: AccountState): Promise<boolean> {
    const result = await this.#needs.store.setState({ host: host.domain, name: local, state })
    return result.outcome === 'kept'
  }

  async remove(host: Host, local: string): Promise<boolean> {
    const result = await this.#needs.store.remove({ host: host.domain, name: local })
    return result.outcome === 'kept'
  }

  async list(host: Host, after: string, limit: number): Promise<readonly AccountEntry[]> {
    const rows = await this.#needs.store.list({ host: host.domain, after, limit })
    return rows.map(({ name, state, origin, created }) => ({ local: name, state, origin, created: new Date(created) }))
  }

  async count(host: Host): Promise<number> {
    return (await this.#needs.store.count({ host: host.domain }))?.accounts ?? 0
  }

  async #credentials(password: string, hashing: Hashing): Promise<readonly CredentialRow[]> {
    const { random, iterations } = this.#needs
    return Promise.all(
      mechanisms.map(async (mechanism) => {
        const salt = random.bytes(SALT_LENGTH)
        const credential = await deriveScram(hashing, HASH_OF[mechanism], password, salt, iterations)
        // The account service has prepared it; without this an account would be left that nobody can sign in to.
        if (credential === undefined)
          throw new WorldError('RTK_ACCOUNT_PASSWORD', 'no such password can be had', { temporary: false })
        return toRow(mechanism, credential)
      }),
    )
  }
}
