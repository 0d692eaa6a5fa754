/** The server as its users start it: `bin/ratatosk serve`, a process of an unprivileged user, with a local authority. */
import { readFileSync } from 'node:fs'
import { createWorld } from '../../src/world/index.ts'
import { renewLocalCertificates } from '../../src/world/local-ca.ts'
import { root } from '../../tools/lib/repository.ts'
import { type Foreign, freePort, type Place } from '../../tools/real/foreign.ts'
import { Actor } from '../language/actor.ts'

const command = `${root}/bin/ratatosk`

export class Started {
  readonly ports: Readonly<Record<'starttls' | 'direct', number>>
  readonly #place: Place
  readonly #config: string
  readonly process: Foreign

  private constructor(place: Place, config: string, ports: Started['ports'], running: Foreign) {
    this.#place = place
    this.#config = config
    this.ports = ports
    this.process = running
  }

  static async start(place: Place, accounts: readonly string[], more = ''): Promise<Started> {
    const ports = { starttls: await freePort(), direct: await freePort() }
    const config = place.write(
      'ratatosk.yaml',
      `hosts: { localhost: {} }
data_dir: ${place.path('data')}
log: { level: debug, format: json }
listeners:
  - { protocol: c2s, tls: starttls, address: localhost, port: ${ports.starttls} }
  - { protocol: c2s, tls: direct, address: localhost, port: ${ports.direct} }
${more}
`,
    )
    const running = place.start(command, ['serve', '--config', config])
    await running.says(/"message":"serving"/)
    const started = new Started(place, config, ports, running)
    const adding = place.start(command, ['account', 'add', '--config', config])
    for (const account of accounts) adding.send(`${account}@localhost the password of ${account}\n`)
    adding.child.stdin?.end()
    if ((await adding.ended) !== 0) throw new Error(`accounts were not made: ${adding.output}`)
    return started
  }

  /** The file of the root that clients are told to trust. */
  get ca(): string {
    return this.#place.path('data/tls/ca.pem')
  }

  /** A root that looks the same and did not sign the server's certificate. */
  wrongCa(): string {
    const { authority } = renewLocalCertificates({}, ['localhost'], new Date())
    return this.#place.write('wrong-ca.pem', authority.certPem)
  }

  /** What `ratatosk session list` says of an account's sessions. */
  sessions(account: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return this.command('session', 'list', account)
  }

  /** The rows that a command of `ratatosk` gives. */
  async command(...words: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const asking = this.#place.start(command, [...words, '--json', '--config', this.#config])
    if ((await asking.ended) !== 0) throw new Error(`${words.join(' ')}: ${asking.output}`)
    return asking.output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
  }

  /** A client of our own. */
  actor(name: string, as: string): Actor {
    return new Actor(
      name,
      { as },
      {
        world: createWorld(),
        place: (tls) => ({
          kind: 'tcp',
          host: '127.0.0.1',
          port: this.ports[tls === 'direct' ? 'direct' : 'starttls'],
        }),
        ca: readFileSync(this.ca, 'utf8'),
        patienceMs: 60_000,
        note: () => undefined,
      },
    )
  }
}
