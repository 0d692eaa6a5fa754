/** profanity (Debian), a client for people: it is typed to, and seen, on a pseudo terminal (plays/real/clients/terminal.py). */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { root } from '../../tools/lib/repository.ts'
import { type Foreign, give, type Place } from '../../tools/real/foreign.ts'
import { program } from '../../tools/real/programs.ts'
import type { How } from './foreign-client.ts'
import type { Started } from './started.ts'

/** No chat states, or each message would be three. */
const preferences = `[ui]
splash=false
[chatstates]
enabled=false
[logging]
chlog=true
[connection]
reconnect=1
`

export class Profanity {
  readonly process: Foreign
  readonly jid: string
  readonly #log: string
  readonly #logs: string

  private constructor(running: Foreign, jid: string, log: string, data: string) {
    this.process = running
    this.jid = jid
    this.#log = log
    this.#logs = `${data}/chatlogs/${jid.split('/')[0]?.replace('@', '_at_')}`
  }

  /** `port`: another than the server's own. */
  static start(place: Place, server: Started, as: string, how: How, ca: string, port = server.ports[how]): Profanity {
    const [bare = '', resource = ''] = as.split('/')
    const name = bare.split('@')[0] ?? ''
    const home = `home-${name}-${resource}`
    const data = `${home}/.local/share/profanity`
    for (const folder of [`${home}/.config/profanity`, data]) makeFolder(place, folder)
    place.write(`${home}/.config/profanity/profrc`, preferences)
    const account = `[${name}]
enabled=true
jid=${bare}
resource=${resource}
server=localhost
port=${port}
password=the password of ${name}
tls.policy=${how === 'direct' ? 'legacy' : 'force'}
`
    place.write(`${data}/accounts`, account)
    const log = place.path(`${home}/log`)
    const command = [program('profanity'), '-l', 'DEBUG', '-f', log, '-a', name]
    const terminal = [`${root}/plays/real/clients/terminal.py`, '200', '40', ...command]
    // OpenSSL reads the roots of a folder as well: an empty one.
    const env = { HOME: place.path(home), SSL_CERT_FILE: ca, SSL_CERT_DIR: place.path(data), LC_ALL: 'C.UTF-8' }
    return new Profanity(place.start(program('pyte'), terminal, env), as, log, place.path(data))
  }

  get bare(): string {
    return this.jid.split('/')[0] ?? ''
  }

  /** Signed in, has its roster, and has sent its first presence. */
  async comesOnline(): Promise<void> {
    await this.shows(`${this.jid} logged in successfully, online (priority 0).`)
  }

  types(line: string): void {
    this.process.send(`${line}\n`)
  }

  says(to: string, body: string): void {
    this.types(`/msg ${to} ${body}`)
  }

  /** It has this from him in the log of their conversation. */
  async hears(from: string, body: string): Promise<void> {
    await until(`heard ${body}`, () => this.heard(from).includes(body))
  }

  /** How often this stood at the beginning of what came from the server. */
  received(start: string): number {
    return readFileSync(this.#log, 'utf8').split(`: RECV: ${start}`).length - 1
  }

  /** A line with this at its end came upon the screen, now or before. */
  async shows(text: string | RegExp): Promise<RegExpExecArray> {
    const pattern = typeof text === 'string' ? text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&') : text.source
    return await this.process.says(new RegExp(`^\\| .*${pattern}( {2,}.*)?$`, 'm'))
  }

  /** Bodies of what the log of its conversation with somebody has from him, or from itself. */
  heard(from: string, by: string = from): readonly string[] {
    const folder = `${this.#logs}/${from.replace('@', '_at_')}`
    if (!existsSync(folder)) return []
    return readdirSync(folder)
      .sort()
      .flatMap((file) => readFileSync(`${folder}/${file}`, 'utf8').split('\n'))
      .map((line) => new RegExp(`^\\S+ - ${by}: (.*)$`).exec(line)?.[1])
      .filter((body) => body !== undefined)
  }

  async leaves(): Promise<number> {
    this.types('/quit')
    return await this.process.ended
  }
}

/** What profanity writes to its files is seen by looking. */
export async function until(what: string, isSo: () => boolean, seconds = 30): Promise<void> {
  const end = performance.now() + seconds * 1000
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`profanity ran ${seconds} s, and not ${what}`)
    await wait(20)
  }
}

/** A folder of the foreign programs' user, its parents too. */
function makeFolder(place: Place, path: string): void {
  const parts = path.split('/')
  for (let n = 1; n <= parts.length; n++) {
    const folder = place.path(parts.slice(0, n).join('/'))
    mkdirSync(folder, { recursive: true })
    give(folder)
  }
}
