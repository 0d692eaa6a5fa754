/** A server of its own process that may be killed and started again on the same data. */
import { readFileSync } from 'node:fs'
import { jid } from '../../src/jid/index.ts'
import { ClientFailure, type ClientOptions, connectClient, type XmppClient } from '../../src/stream/client.ts'
import type { ClientAcks } from '../../src/stream/client-acks.ts'
import { createWorld } from '../../src/world/index.ts'
import { root } from '../../tools/lib/repository.ts'
import { type Foreign, freePort, type Place } from '../../tools/real/foreign.ts'

const command = `${root}/bin/ratatosk`
const world = createWorld()

export class Killable {
  readonly #place: Place
  readonly #config: string
  readonly #port: number
  #running: Foreign | undefined

  private constructor(place: Place, config: string, port: number) {
    this.#place = place
    this.#config = config
    this.#port = port
  }

  /** `more` are further lines of the configuration. */
  static async prepare(place: Place, more: string): Promise<Killable> {
    const port = await freePort()
    const config = place.write(
      'ratatosk.yaml',
      `data_dir: ${place.path('data')}
auth: { scram_iterations: 4096 }
log: { level: warn, format: json }
listeners: [{ protocol: c2s, tls: starttls, address: 127.0.0.1, port: ${port} }]
${more}
`,
    )
    return new Killable(place, config, port)
  }

  get port(): number {
    return this.#port
  }

  get ca(): string {
    return readFileSync(this.#place.path('data/tls/ca.pem'), 'utf8')
  }

  /** Resolves when the control socket answers; rejects when the server ends before, or after half a minute. */
  async start(): Promise<void> {
    const running = this.#place.start(command, ['serve', '--config', this.#config])
    let isOver = false
    void running.ended.then(() => {
      isOver = true
    })
    for (const end = performance.now() + 30_000; ; ) {
      if (isOver || performance.now() > end) throw new Error(`the server does not answer: ${running.output}`)
      if ((await this.cli(['status']).ended) === 0) break
    }
    this.#running = running
  }

  /** A second server on the same data: its exit code and what it says. */
  async startAgain(): Promise<{ readonly code: number; readonly output: string }> {
    const second = this.#place.start(command, ['serve', '--config', this.#config])
    return { code: await second.ended, output: second.output }
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#running?.child.kill('SIGKILL')
    await this.#running?.ended
    this.#running = undefined
  }

  /** SIGTERM; resolves with its exit code when the process is gone. */
  async stop(): Promise<number> {
    this.#running?.child.kill('SIGTERM')
    const code = (await this.#running?.ended) ?? 0
    this.#running = undefined
    return code
  }

  cli(args: readonly string[]): Foreign {
    return this.#place.start(command, ['--config', this.#config, '--json', ...args])
  }

  /** Makes accounts, each with the password `secret`. */
  async accounts(names: readonly string[]): Promise<void> {
    const adding = this.cli(['account', 'add'])
    for (const name of names) adding.send(`${name}@localhost secret\n`)
    adding.child.stdin?.end()
    if ((await adding.ended) !== 0) throw new Error(`accounts were not made: ${adding.output}`)
  }

  async client(name: string, onStanza: ClientOptions['onStanza']): Promise<XmppClient> {
    const client = await this.tries(name, onStanza)
    if (client instanceof ClientFailure) throw new Error(`${name}: ${client}`)
    return client
  }

  /** The same, which may fail; `resume`: what a former client had counted. */
  tries(name: string, onStanza: ClientOptions['onStanza'], resume?: ClientAcks): Promise<XmppClient | ClientFailure> {
    return connectClient(world, {
      jid: jid(`${name}@localhost/kept`),
      password: 'secret',
      place: { kind: 'tcp', host: '127.0.0.1', port: this.#port },
      tls: 'starttls',
      ca: this.ca,
      ...(onStanza === undefined ? {} : { onStanza }),
      ...(resume === undefined ? {} : { resume }),
    })
  }
}
