/**
 * Several back ends in order (requirement AUTH-07): the first that says yes decides. One that cannot tell is never a no: whoever it
 * might have let in is told to come again (`temporary-auth-failure`).
 */
import type { AccountState } from '../core/accounts.ts'
import type { AccountKeeper, AuthBackend, BearerJudge, PasswordVerdict, SignInRecord } from '../core/auth.ts'
import type { Host } from '../core/host.ts'
import type { ScramName } from '../stream/sasl/index.ts'

export class ChainBackend implements AuthBackend {
  readonly name: string
  readonly scram: readonly ScramName[]
  readonly scramIterations: number
  readonly checksPasswords: boolean
  readonly keeper: AccountKeeper | undefined
  readonly bearer: BearerJudge | undefined
  readonly #backends: readonly AuthBackend[]

  /** At least one. */
  constructor(backends: readonly AuthBackend[]) {
    this.#backends = backends
    this.name = backends.map(({ name }) => name).join(', ')
    this.scram = [...new Set(backends.flatMap(({ scram }) => scram))]
    this.scramIterations = backends.find(({ scram }) => scram.length > 0)?.scramIterations ?? 0
    this.checksPasswords = backends.some(({ checksPasswords }) => checksPasswords)
    this.keeper = backends.find(({ keeper }) => keeper !== undefined)?.keeper
    this.bearer = bearerOf(backends)
  }

  /** The first credential in order: SCRAM shows one salt, so there is no second try. */
  signIn(host: Host, local: string, mechanism: ScramName): Promise<SignInRecord | undefined> {
    const able = this.#backends.filter(({ scram }) => scram.includes(mechanism))
    return first(able, async (backend, isUncertain) => {
      const record = await backend.signIn(host, local, mechanism)
      return record !== undefined && isUncertain ? { ...record, isUncertain } : record
    })
  }

  async verify(host: Host, local: string, password: string): Promise<PasswordVerdict> {
    const able = this.#backends.filter(({ checksPasswords }) => checksPasswords)
    const verdict = await first(able, async (backend) => {
      const said = await backend.verify(host, local, password)
      return said === 'wrong' ? undefined : said
    })
    return verdict ?? 'wrong'
  }

  async exists(host: Host, local: string): Promise<boolean> {
    const found = await first(this.#backends, async (backend) =>
      (await backend.exists(host, local)) ? true : undefined,
    )
    return found ?? false
  }

  state(host: Host, local: string): Promise<AccountState | undefined> {
    return first(this.#backends, (backend) => backend.state(host, local))
  }
}

function bearerOf(backends: readonly AuthBackend[]): BearerJudge | undefined {
  const able = backends.flatMap(({ bearer }) => bearer ?? [])
  if (able[0] === undefined) return undefined
  return {
    help: able[0].help,
    async judge(host, token) {
      const verdict = await first(able, async (bearer) => {
        const said = await bearer.judge(host, token)
        return said.result === 'wrong' ? undefined : said
      })
      return verdict ?? { result: 'wrong', local: '' }
    },
  }
}

/** The first answer; undefined when all have said that they know nothing, and a rejection when one could not tell. */
async function first<B, T>(
  backends: readonly B[],
  ask: (backend: B, isUncertain: boolean) => Promise<T | undefined>,
): Promise<T | undefined> {
  let failure: { readonly error: unknown } | undefined
  for (const backend of backends) {
    try {
      const answer = await ask(backend, failure !== undefined)
      if (answer !== undefined) return answer
    } catch (error) {
      failure ??= { error }
    }
  }
  if (failure !== undefined) throw failure.error
  return undefined
}
