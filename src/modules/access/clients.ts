/** Who has access to an account (XEP-0494 §3.1): of what was noted, of tokens, and of the sessions that there are, one list. */
import type { ClientToken } from '../../core/accounts.ts'
import type { Host } from '../../core/host.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { Session } from '../../core/session.ts'
import type { Slot } from '../../core/slots.ts'
import type { Store } from '../../store/define.ts'
import type { accessStore } from './access.store.ts'
import { meansOf } from './means.ts'

export interface KnownClient {
  /** Opaque: neither the UUID, by which a client could pass for another, nor a resource is told. */
  readonly id: string
  /** UUID of the installation; '' for a session whose client did not say which it is. */
  readonly agent: string
  readonly software: string
  readonly device: string
  /** Milliseconds since 1970. */
  readonly sinceMs: number
  readonly seenMs: number
  /** It has shown the password that the account has. */
  readonly password: boolean
  readonly certificate: boolean
  /** An issuer gives it tokens. */
  readonly grant: boolean
  /** It has a token that has not expired. */
  readonly token: boolean
  /** Those that wait for their client, too. */
  readonly sessions: readonly Session[]
}

/** The rows are few: of an account `tokens_per_account` clients have tokens. */
const tokensPage = 1_000

export interface ClientsNeeds {
  readonly store: Store<typeof accessStore>
  /** What was not seen for longer is not told; milliseconds. */
  readonly remembersMs: () => number
  /** The password that the session was opened with is no longer the account's. */
  readonly outdated: Slot<boolean>
}

type ClientsContext = Pick<ModuleContext, 'accountJid' | 'accounts' | 'clock' | 'hashing' | 'sessions'>

/** Rejects with `WorldError`. */
export async function clientsOf(
  ctx: ClientsContext,
  needs: ClientsNeeds,
  host: Host,
  local: string,
): Promise<readonly KnownClient[]> {
  const [rows, tokens] = await Promise.all([
    needs.store.ofAccount({ host: host.domain, local }),
    ctx.accounts.tokens(ctx.accountJid(host, local), '', tokensPage),
  ])
  const now = ctx.clock.wallMs()
  const drafts = new Drafts(ctx, host, local)
  for (const row of rows) {
    if (now - row.seen >= needs.remembersMs()) continue
    const draft = drafts.of(row.agent, row.software, row.device)
    draft.password = row.password > 0
    draft.certificate = row.certificate > 0
    draft.grant = row.granted > 0
    note(draft, row.since, row.seen)
  }
  for (const token of tokens) if (token.expires.getTime() > now) noteToken(drafts, token)
  for (const session of ctx.sessions.ofAccount(host.domain, local)) {
    const { agent = '', auth } = session.info
    const draft = agent === '' ? drafts.ofSession(session) : drafts.of(agent, '', '')
    const means = meansOf(auth)
    if (means === 'password' && session.slots.peek(needs.outdated) !== true) draft.password = true
    if (means === 'certificate') draft.certificate = true
    if (means === 'grant') draft.grant = true
    // What waits for its client was left some time ago.
    note(draft, session.createdMs, session.isActive ? now : session.createdMs)
    draft.sessions.push(session)
  }
  // §5: who cannot sign in any more, and is not here, has no access.
  const has = (one: KnownClient) => one.password || one.certificate || one.grant || one.token || one.sessions.length > 0
  return drafts.all.filter(has).sort((a, b) => b.seenMs - a.seenMs)
}

type Draft = { -readonly [Key in keyof Omit<KnownClient, 'sessions'>]: KnownClient[Key] } & { sessions: Session[] }

class Drafts {
  readonly #ctx: ClientsContext
  readonly #account: string
  readonly #byKey = new Map<string, Draft>()

  constructor(ctx: ClientsContext, host: Host, local: string) {
    this.#ctx = ctx
    this.#account = `${host.domain}\0${local}`
  }

  get all(): readonly Draft[] {
    return [...this.#byKey.values()]
  }

  of(agent: string, software: string, device: string): Draft {
    const draft = this.#draft(`client\0${this.#account}\0${agent}`, agent)
    if (draft.software === '') draft.software = software
    if (draft.device === '') draft.device = device
    return draft
  }

  ofSession(session: Session): Draft {
    return this.#draft(`session\0${this.#account}\0${session.id}`, '')
  }

  #draft(key: string, agent: string): Draft {
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const hash = this.#ctx.hashing.hash('sha256', Buffer.from(key, 'utf8'))
    const draft: Draft = {
      id: Buffer.from(hash).toString('base64url').slice(0, 22),
      agent,
      software: '',
      device: '',
      sinceMs: Number.POSITIVE_INFINITY,
      seenMs: 0,
      password: false,
      certificate: false,
      grant: false,
      token: false,
      sessions: [],
    }
    this.#byKey.set(key, draft)
    return draft
  }
}

function note(draft: Draft, sinceMs: number, seenMs: number): void {
  draft.sinceMs = Math.min(draft.sinceMs, sinceMs)
  draft.seenMs = Math.max(draft.seenMs, seenMs)
}

function noteToken(drafts: Drafts, { agent, software, device, created, used }: ClientToken): void {
  const draft = drafts.of(agent, software, device)
  draft.token = true
  note(draft, created.getTime(), used.getTime())
}
