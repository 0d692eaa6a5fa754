/** Foreign clients behind one protocol: orders and events in lines of JSON (plays/real/clients). */
import { root } from '../../tools/lib/repository.ts'
import type { Foreign, Place } from '../../tools/real/foreign.ts'
import { program } from '../../tools/real/programs.ts'
import type { Started } from './started.ts'

export type Kind = 'slixmpp' | 'aioxmpp' | 'xmpp-js'

/** Types of TLS that both can. */
export type How = 'starttls' | 'direct'

export interface Online {
  readonly jid: string
  readonly mechanism: string
  readonly roster: Readonly<Record<string, string>>
}

export class ForeignClient {
  readonly process: Foreign
  jid = ''

  private constructor(running: Foreign) {
    this.process = running
  }

  /**
   * `asks`: what xmpp-js asks for while it binds (XEP-0386): 'copies' (XEP-0280), 'inactive' (XEP-0352); 'resumes': each
   * comes back when its connection is lost (XEP-0198). `port`: another than the server's own.
   */
  static start(
    kind: Kind,
    place: Place,
    server: Started,
    as: string,
    how: How,
    ca: string,
    asks: readonly string[] = [],
    port = server.ports[how],
  ): ForeignClient {
    const account = as.split('@')[0] ?? ''
    const args = [as, `the password of ${account}`, String(port), how]
    const clients = `${root}/plays/real/clients`
    if (kind !== 'xmpp-js') {
      return new ForeignClient(place.start(program(kind), [`${clients}/${kind}_client.py`, ...args, ca, ...asks]))
    }
    // Roots of the system do not count for it, as for the others: only this one.
    const node = ['--no-warnings', `${clients}/xmpp-js-client.mjs`, ...args, ...asks]
    return new ForeignClient(place.start(`${root}/bin/node`, node, { NODE_EXTRA_CA_CERTS: ca }))
  }

  /** Signs in, asks for the roster and sends presence. */
  async comesOnline(): Promise<Online> {
    const [, text] = await this.process.says(/^(\{"event":"online".*\})$/m)
    const { jid, mechanism, roster } = JSON.parse(text ?? '')
    this.jid = jid
    return { jid, mechanism, roster: JSON.parse(roster) }
  }

  /** The same once more on a new connection, with another mechanism than before. */
  async comesBack(mechanism: string): Promise<Online> {
    this.does('again')
    const online = new RegExp(`^(\\{"event":"online".*"mechanism":"${mechanism}".*\\})$`, 'm')
    const [, text] = await this.process.says(online)
    const { jid, roster } = JSON.parse(text ?? '')
    this.jid = jid
    return { jid, mechanism, roster: JSON.parse(roster) }
  }

  /** Why it would not go on. */
  async refuses(): Promise<string> {
    const [, text] = await this.process.says(/^(\{"event":"failed".*\})$/m)
    return JSON.parse(text ?? '').why
  }

  does(deed: string, more: Readonly<Record<string, string>> = {}): void {
    this.process.send(`${JSON.stringify({ do: deed, ...more })}\n`)
  }

  says(to: string, body: string): void {
    this.does('say', { to, body })
  }

  /** It reported exactly this. */
  async hears(event: string, more: Readonly<Record<string, string>>): Promise<void> {
    const line = JSON.stringify({ event, ...more }).replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
    await this.process.says(new RegExp(`^${line}$`, 'm'), 60)
  }

  /** How often it reported this. */
  count(event: string): number {
    return this.process.output.split(`{"event":"${event}"`).length - 1
  }

  /** slixmpp or aioxmpp, started with 'deeds', asks for something; what it was answered, by slixmpp as XML. */
  async asksFor(deed: string, to = ''): Promise<string> {
    const before = this.count(`answered","deed":"${deed}`)
    this.does(deed, { to })
    const answers = `(?:^\\{"event":"answered","deed":"${deed}".*$[^]*?){${before}}`
    const [, text] = await this.process.says(new RegExp(`${answers}^(\\{"event":"answered","deed":"${deed}".*)$`, 'm'))
    return JSON.parse(text ?? '').xml
  }

  /** Bodies of the messages that it reported, in their order. */
  get heard(): readonly string[] {
    return this.process.output
      .split('\n')
      .filter((line) => line.startsWith('{"event":"message"'))
      .map((line) => JSON.parse(line).body)
  }

  async leaves(): Promise<void> {
    this.does('leave')
    await this.process.says(/^\{"event":"offline"\}$/m)
  }
}
