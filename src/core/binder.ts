/**
 * Who may bind a resource: the policies on a taken full JID and on the number of sessions of a user (RFC 6120 section
 * 7.7.2.2; requirements SM-03, SM-04).
 */
import { MAX_PART } from '../jid/ascii.ts'
import type { Jid } from '../jid/jid.ts'
import { prepResource } from '../jid/precis.ts'
import { StanzaError, StreamError } from '../stanza/error.ts'
import type { Random } from '../world/random.types.ts'
import type { Host } from './host.ts'
import type { Counter, Metrics } from './metrics.ts'
import type { Session } from './session.ts'
import type { LinkInfo, SessionLink } from './session-link.ts'
import type { SessionTable } from './session-table.ts'

/** What happens when a client asks for a resource that a living session has. */
export type ConflictPolicy =
  /** The old session is closed with the stream error `conflict`. */
  | 'replace'
  /** The new one gets the stanza error `conflict`. */
  | 'refuse'
  /** The new one gets another resource, made from the one it asked for. */
  | 'rename'

/** What happens to a user's session beyond the limit. */
export type CountPolicy = 'refuse' | 'replace-oldest'

export interface BindPolicy {
  readonly conflict: ConflictPolicy
  readonly count: CountPolicy
  /** Sessions this user may have, by access rule. */
  sessionsMax(account: Jid, info: LinkInfo): number
}

export interface BindRequest {
  /** Bare JID of the account that signed in. */
  readonly account: Jid
  readonly host: Host
  /** As the client asked, unprepared; '' for none. */
  readonly resource: string
  readonly link: SessionLink
  readonly info: LinkInfo
  /** By Bind 2 (XEP-0386): a client has one session by it. */
  readonly isInline?: boolean
}

export interface BinderNeeds {
  readonly sessions: SessionTable
  readonly random: Random
  readonly metrics: Metrics
  policy(host: Host): BindPolicy
  create(link: SessionLink, jid: Jid, host: Host, info: LinkInfo): Session
}

const errorResource = new StanzaError('RTK_BIND_RESOURCE', 'bad-request', {
  text: 'the resource is not allowed in a JID',
})
const errorConflict = new StanzaError('RTK_BIND_CONFLICT', 'conflict', { text: 'the resource is in use' })
const errorCount = new StanzaError('RTK_BIND_SESSIONS_MAX', 'resource-constraint', { text: 'too many sessions' })

/** Bytes of a resource that the server makes: short, because it travels in every stanza. */
const madeResourceLength = 11

export class Binder {
  readonly #needs: BinderNeeds
  readonly #conflicts: Counter
  readonly #tooMany: Counter

  constructor(needs: BinderNeeds) {
    this.#needs = needs
    this.#conflicts = needs.metrics.counter(
      'ratatosk_bind_conflicts_total',
      'Sign-ins for a resource that another session had; what becomes of them says session.conflict',
    )
    this.#tooMany = needs.metrics.counter(
      'ratatosk_bind_sessions_max_total',
      'Sign-ins beyond the sessions a user may have; limit session.max_per_user',
    )
  }

  /** Binds at once, so that of two binds in one tick exactly one survives. A refusal is returned, never thrown. */
  bind(request: BindRequest): Session | StanzaError {
    const { account, host, info, link } = request
    const policy = this.#needs.policy(host)
    let resource = this.#madeResource()
    if (request.resource !== '') {
      const prepared = prepResource(request.resource)
      if (prepared === undefined || prepared === '') return errorResource
      resource = prepared
    }
    if (request.isInline === true) this.#endEarlier(account, info)
    const old = this.#needs.sessions.find(account.withResource(resource))
    if (old !== undefined) {
      this.#conflicts.value++
      if (policy.conflict === 'refuse') return errorConflict
      if (policy.conflict === 'rename') resource = renamed(resource, this.#madeResource())
    }
    const isReplacing = old !== undefined && policy.conflict === 'replace'
    const refusal = this.#makeRoom(account, info, policy, isReplacing ? 1 : 0)
    if (refusal !== undefined) return refusal
    if (isReplacing) endReplaced(old, 'RTK_SESSION_REPLACED', 'replaced by a new session')
    return this.#needs.create(link, account.withResource(resource), host, info)
  }

  /** XEP-0386 section 3.2: a client has one session, whatever the policies say of others. */
  #endEarlier(account: Jid, { agent }: LinkInfo): void {
    if (agent === undefined) return
    for (const session of this.#needs.sessions.ofAccount(account.domain, account.local)) {
      if (session.info.agent === agent) endReplaced(session, 'RTK_SESSION_REPLACED', 'replaced by a new session')
    }
  }

  #makeRoom(account: Jid, info: LinkInfo, policy: BindPolicy, leaving: number): StanzaError | undefined {
    const sessions = this.#needs.sessions.ofAccount(account.domain, account.local)
    if (sessions.length === 0) return undefined
    const excess = sessions.length - leaving + 1 - policy.sessionsMax(account, info)
    if (excess <= 0) return undefined
    this.#tooMany.value++
    if (policy.count === 'refuse') return errorCount
    const oldest = [...sessions].sort((a, b) => a.createdMs - b.createdMs).slice(0, excess)
    for (const session of oldest) endReplaced(session, 'RTK_SESSIONS_MAX', 'too many sessions: the oldest was closed')
    return undefined
  }

  #madeResource(): string {
    return this.#needs.random.id().slice(0, madeResourceLength)
  }
}

/** The name and a mark of our own: cut where both would be more than a resource may have (RFC 7622 section 3.4). */
function renamed(resource: string, mark: string): string {
  for (let end = Math.min(resource.length, MAX_PART - mark.length - 1); end > 0; end--) {
    // A cut may part a surrogate pair, or characters that are allowed only side by side: then one less.
    const name = `${resource.slice(0, end)}-${mark}`
    if (prepResource(name) === name) return name
  }
  return mark
}

function endReplaced(session: Session, code: 'RTK_SESSION_REPLACED' | 'RTK_SESSIONS_MAX', text: string): void {
  session.close({ reason: 'replaced', detail: code }, new StreamError(code, 'conflict', text))
}
