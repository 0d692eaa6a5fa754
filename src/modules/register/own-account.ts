/** XEP-0077 §3.2 and §3.3: who has signed in removes his account, or changes his password. */
import type { IqAnswer, IqRequest } from '../../core/iq.ts'
import type { Counter } from '../../core/metrics.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'
import { makeJid, parseJid } from '../../jid/jid.ts'
import type { StanzaError } from '../../stanza/error.ts'
import { filledIn, isRemoval, NS_REGISTER, refusalOf, refusals, registered } from './answers.ts'
import type { Quota } from './quota.ts'

export interface OwnAccountOptions {
  readonly password_change: boolean
  readonly password_changes_max: number
  readonly removal: boolean
  /** Milliseconds. */
  readonly window: number
}

export interface OwnAccountCounters {
  readonly changes: Counter
  readonly changesMax: Counter
  readonly removals: Counter
}

export type OwnAccountContext = Pick<ModuleContext, 'accounts' | 'fold' | 'iq' | 'log' | 'sessions'>

export function ownAccount(
  ctx: OwnAccountContext,
  options: OwnAccountOptions,
  quota: Quota,
  counters: OwnAccountCounters,
): void {
  /** A session of an account of this very host; whoever else asks is told nothing of accounts. */
  function asker({ packet, host, account }: IqRequest): Session | StanzaError {
    const { from } = packet
    const isOwn = from.domain === host.domain && from.local !== '' && (account === '' || account === from.local)
    const session = isOwn && packet.origin.kind === 'session' ? ctx.sessions.find(from) : undefined
    return session ?? (account === '' ? refusals.foreign : refusals.hidden)
  }

  function query(request: IqRequest): IqAnswer {
    const session = asker(request)
    return isSession(session) ? registered(session.jid.local) : session
  }

  function set(request: IqRequest): IqAnswer | Promise<IqAnswer> {
    const session = asker(request)
    const isRemoving = isRemoval(request.payload)
    // Table 1: to the host, he who has no account there is told so.
    if (!isSession(session)) return isRemoving && session === refusals.foreign ? refusals.unknown : session
    return isRemoving ? remove(request, session) : change(request, session)
  }

  /** §3.3 */
  async function change({ payload, host }: IqRequest, session: Session): Promise<IqAnswer> {
    if (!options.password_change || !ctx.accounts.keeps(host)) return refusals.notAllowed
    if (session.info.tls === '') return refusals.channel
    const filled = filledIn(payload)
    if (filled === undefined) return refusals.incompleteChange
    const account = session.jid.bare
    if (!isNamed(filled.username, account)) return refusals.others
    const { address } = session.info
    const request = { kind: 'password', host, local: account.local, address, password: filled.password } as const
    const refusal = await ctx.fold('registration:policy', undefined, request)
    if (refusal !== undefined) return refusal
    if (!quota.take(account.toString(), options.password_changes_max, options.window)) {
      counters.changesMax.value++
      return refusals.changes
    }
    try {
      await ctx.accounts.setPassword(account, filled.password)
    } catch (error) {
      return failed(error, account)
    }
    counters.changes.value++
    ctx.log.info('a password was changed by its user', { jid: account.toString(), address })
    return undefined
  }

  /** §3.2: the result, then `not-authorized` to all of the account's streams, this one too. */
  async function remove(request: IqRequest, session: Session): Promise<IqAnswer> {
    const { host, payload } = request
    if (payload.elements.length > 1) return refusals.remove
    if (!options.removal || !ctx.accounts.keeps(host)) return refusals.notAllowed
    const account = session.jid.bare
    const { address } = session.info
    const asked = { kind: 'removal', host, local: account.local, address, password: '' } as const
    const refusal = await ctx.fold('registration:policy', undefined, asked)
    if (refusal !== undefined) return refusal
    try {
      await ctx.accounts.remove(account, () => {
        counters.removals.value++
        ctx.log.info('an account was removed by its user', { jid: account.toString(), address })
        request.answer()
      })
      return undefined
    } catch (error) {
      // Behind the answer it is the operator's: the account is closed, and its rest goes with `account delete`.
      return failed(error, account)
    }
  }

  function failed(error: unknown, account: Jid): StanzaError {
    const refusal = refusalOf(error)
    if (refusal === refusals.failed) {
      ctx.log.warn('an account could not be changed', { code: 'RTK_REGISTER_FAILED', jid: account.toString(), error })
    }
    return refusal
  }

  // Whoever may not see an account gets the same answer whether it exists or not.
  const on = { on: ['host', 'account'], hidesAccounts: true } as const
  ctx.iq.get({ name: 'query', ns: NS_REGISTER }, query, on)
  ctx.iq.set({ name: 'query', ns: NS_REGISTER }, set, on)
}

function isSession(asker: Session | StanzaError): asker is Session {
  return 'jid' in asker
}

/** §3.3, Examples 18 and 24: by the local part, or by the bare JID. */
function isNamed(username: string, account: Jid): boolean {
  const jid = username.includes('@') ? parseJid(username) : makeJid(username, account.domain)
  return jid?.equals(account) === true
}
