/**
 * The session table (DESIGN.md section 7): bare JID → resources. In memory, read locally and synchronously. Every
 * change passes here, so that counts are always right in O(1).
 */
import type { Jid } from '../jid/jid.ts'
import type { Host } from './host.ts'
import type { Session } from './session.ts'

/** Sessions of one host by local part; a user with one session costs no array of his own. */
class HostSessions {
  readonly users = new Map<string, Session | Session[]>()
  count = 0
}

const none: readonly Session[] = []

export class SessionTable {
  readonly #hosts = new Map<string, HostSessions>()
  #count = 0

  /** Adds a session. The resource must be free: policies were applied before. */
  add(session: Session): void {
    const { domain, local } = session.jid
    let host = this.#hosts.get(domain)
    if (host === undefined) {
      host = new HostSessions()
      this.#hosts.set(domain, host)
    }
    const known = host.users.get(local)
    if (known === undefined) host.users.set(local, session)
    else if (Array.isArray(known)) known.push(session)
    else host.users.set(local, [known, session])
    host.count++
    this.#count++
  }

  /** False when it was not there. */
  remove(session: Session): boolean {
    const { domain, local } = session.jid
    const host = this.#hosts.get(domain)
    const known = host?.users.get(local)
    if (host === undefined || known === undefined) return false
    if (Array.isArray(known)) {
      const index = known.indexOf(session)
      if (index < 0) return false
      // A new array: whoever walks the old one is not disturbed.
      const rest = known.filter((other) => other !== session)
      host.users.set(local, rest.length === 1 ? (rest[0] as Session) : rest)
    } else {
      if (known !== session) return false
      host.users.delete(local)
    }
    host.count--
    this.#count--
    if (host.count === 0) this.#hosts.delete(domain)
    return true
  }

  /** Puts a session in the place of another with its full JID. False when that one was not there. */
  replace(old: Session, session: Session): boolean {
    const users = this.#hosts.get(old.jid.domain)?.users
    const known = users?.get(old.jid.local)
    if (users === undefined || known === undefined) return false
    if (known === old) users.set(old.jid.local, session)
    else if (Array.isArray(known) && known.includes(old)) {
      const after = known.map((other) => (other === old ? session : other))
      users.set(old.jid.local, after)
    } else return false
    return true
  }

  /** The session with this full JID. */
  find(jid: Jid): Session | undefined {
    const known = this.#hosts.get(jid.domain)?.users.get(jid.local)
    if (known === undefined) return undefined
    if (Array.isArray(known)) {
      for (const session of known) if (session.jid.resource === jid.resource) return session
      return undefined
    }
    return known.jid.resource === jid.resource ? known : undefined
  }

  /** All sessions of an account. A snapshot: it does not change under the reader. */
  ofAccount(domain: string, local: string): readonly Session[] {
    const known = this.#hosts.get(domain)?.users.get(local)
    if (known === undefined) return none
    return Array.isArray(known) ? known.slice() : [known]
  }

  /** True when the account has a session. */
  isOnline(domain: string, local: string): boolean {
    return this.#hosts.get(domain)?.users.has(local) === true
  }

  /** Calls `fn` for each session of a host (undefined: of all), oldest account first. */
  each(domain: string | undefined, fn: (session: Session) => void): void {
    const hosts = domain === undefined ? [...this.#hosts.values()] : [this.#hosts.get(domain)]
    for (const host of hosts) {
      if (host === undefined) continue
      for (const known of [...host.users.values()]) {
        if (Array.isArray(known)) for (const session of known.slice()) fn(session)
        else fn(known)
      }
    }
  }

  /** Sessions of a host, or all: kept, not counted. */
  count(host?: Host): number {
    return host === undefined ? this.#count : (this.#hosts.get(host.domain)?.count ?? 0)
  }
}
