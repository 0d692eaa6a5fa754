/** Which client signed in by what, and until when it was there. Nobody waits for it: a sign-in costs no commit but the first in an hour. */
import type { Counter } from '../../core/metrics.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { Session } from '../../core/session.ts'
import type { ClientAgent } from '../../core/sign-in.ts'
import type { Store } from '../../store/define.ts'
import type { accessStore } from './access.store.ts'
import { meansOf } from './means.ts'

/** Clients of one account that are known (`access_clients_per_account`); of more, the one that was not seen for longest is forgotten. */
export const clientsMax = 50

/** Sign-ins that are remembered, so that the next ones are not written (`access_sightings`). */
export const sightingsMax = 10_000

/** What is known of a client is written down no more often than this, unless it is something new. */
const noteMs = 3_600_000

export interface SightingNeeds {
  readonly store: Store<typeof accessStore>
  /** Whether anything is kept of clients, and whether what they call themselves is. */
  readonly keeps: () => boolean
  readonly keepsNames: () => boolean
  readonly evicted: { value: number }
  readonly forgotten: { value: number }
  readonly failures: Counter
}

interface Sighting {
  readonly atMs: number
  readonly software: string
  readonly device: string
  readonly password: boolean
  readonly certificate: boolean
  readonly grant: boolean
}

export interface SeenClient {
  readonly host: string
  readonly local: string
  readonly agent: ClientAgent
  readonly mechanism: string
}

export class Sightings {
  readonly #ctx: Pick<ModuleContext, 'clock' | 'log'>
  readonly #needs: SightingNeeds
  /** By client, the one noted longest ago first. */
  readonly #noted = new Map<string, Sighting>()
  /** One line in the log until the store works again. */
  #isFailing = false

  constructor(ctx: Pick<ModuleContext, 'clock' | 'log'>, needs: SightingNeeds) {
    this.#ctx = ctx
    this.#needs = needs
  }

  /** A client has signed in. */
  signedIn({ host, local, agent, mechanism }: SeenClient): void {
    const { keeps, keepsNames, store, evicted } = this.#needs
    const means = meansOf(mechanism)
    if (agent.id === '' || means === 'none' || !keeps()) return
    const { software, device } = keepsNames() ? agent : { software: '', device: '' }
    const key = keyOf(host, local, agent.id)
    const known = this.#noted.get(key)
    const now = this.#ctx.clock.wallMs()
    const sighting = {
      atMs: now,
      software,
      device,
      password: means === 'password' || known?.password === true,
      certificate: means === 'certificate' || known?.certificate === true,
      grant: means === 'grant' || known?.grant === true,
    }
    if (known !== undefined && isSame(known, sighting)) return
    this.#remember(key, sighting)
    const at = (has: boolean) => (has ? now : 0)
    const shown = {
      password: at(sighting.password),
      certificate: at(sighting.certificate),
      granted: at(sighting.grant),
    }
    const row = { agent: agent.id, software, device, since: now, seen: now, ...shown, max: clientsMax }
    const noted = store.note({ host, local, ...row })
    this.#watch(
      key,
      noted.then(({ rows }) => {
        evicted.value += rows.length
        for (const one of rows) this.#noted.delete(keyOf(host, local, one.agent))
      }),
    )
  }

  /** Its session has ended: until then it was there. */
  left({ jid, info }: Session): void {
    if (info.agent === undefined || !this.#needs.keeps()) return
    const { domain: host, local } = jid
    const key = keyOf(host, local, info.agent)
    const known = this.#noted.get(key)
    const now = this.#ctx.clock.wallMs()
    if (known !== undefined && isRecent(known, now)) return
    if (known !== undefined) this.#remember(key, { ...known, atMs: now })
    this.#watch(key, this.#needs.store.see({ host, local, agent: info.agent, seen: now }))
  }

  /** The next sign-in of a client, or of all of an account, is written down whatever it is. */
  forget(host: string, local: string, agent?: string): void {
    if (agent !== undefined) {
      this.#noted.delete(keyOf(host, local, agent))
      return
    }
    const prefix = keyOf(host, local, '')
    for (const key of [...this.#noted.keys()]) if (key.startsWith(prefix)) this.#noted.delete(key)
  }

  #remember(key: string, sighting: Sighting): void {
    this.#noted.delete(key)
    this.#noted.set(key, sighting)
    if (this.#noted.size <= sightingsMax) return
    for (const oldest of this.#noted.keys()) {
      this.#noted.delete(oldest)
      this.#needs.forgotten.value++
      return
    }
  }

  #watch(key: string, work: Promise<unknown>): void {
    work.then(
      () => {
        this.#isFailing = false
      },
      (error: unknown) => {
        this.#noted.delete(key)
        this.failed(error)
      },
    )
  }

  failed(error: unknown): void {
    this.#needs.failures.value++
    if (this.#isFailing) return
    this.#isFailing = true
    this.#ctx.log.warn('what is known of clients could not be kept', { code: 'RTK_ACCESS_STORE', error })
  }
}

function isSame(known: Sighting, now: Sighting): boolean {
  return (
    isRecent(known, now.atMs) &&
    known.password === now.password &&
    known.certificate === now.certificate &&
    known.grant === now.grant &&
    known.software === now.software &&
    known.device === now.device
  )
}

/** The wall clock may have been set back. */
function isRecent({ atMs }: Sighting, now: number): boolean {
  return now >= atMs && now - atMs < noteMs
}

function keyOf(host: string, local: string, agent: string): string {
  return `${host}\0${local}\0${agent}`
}
