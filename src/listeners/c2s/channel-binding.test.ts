/**
 * AUTH-05: SCRAM-PLUS against a client that shares no code with the server: Node's TLS and hashes, and the formulas of RFC 5802
 * section 3. What it binds to is what its own TLS says (RFC 9266, RFC 5929 section 4).
 */
import assert from 'node:assert/strict'
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import { header } from '../../../plays/language/wire.ts'
import { type Served, serveWith } from '../listeners.testing.ts'

const NS = 'urn:ietf:params:xml:ns:xmpp-sasl'
const hashes = { 'SCRAM-SHA-1-PLUS': 'sha1', 'SCRAM-SHA-256-PLUS': 'sha256', 'SCRAM-SHA-512-PLUS': 'sha512' } as const
type Mechanism = keyof typeof hashes
const bindings = ['tls-exporter', 'tls-server-end-point'] as const

const base64 = (data: string | Buffer) => Buffer.from(data).toString('base64')

describe('AUTH-05: SCRAM-PLUS, seen from outside', () => {
  let served: Served
  before(async () => {
    served = await serveWith({
      listeners: [{ name: 'direct', protocol: 'c2s', tls: 'direct', address: '127.0.0.1', port: 0 }],
    })
  })
  after(() => served[Symbol.asyncDispose]())

  class Client {
    readonly #socket: TLSSocket
    #heard = ''
    /** Bindings that the features name (XEP-0440). */
    offered: readonly string[] = []

    private constructor(socket: TLSSocket) {
      this.#socket = socket
      socket.on('data', (chunk) => {
        this.#heard += chunk
      })
    }

    static async connect(maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<Client> {
      const place = served.place('direct')
      assert.ok(place.kind === 'tcp')
      const { ca } = served
      const to = { host: '127.0.0.1', port: place.port, servername: 'localhost', ca, maxVersion }
      const socket = connect({ ...to, ALPNProtocols: ['xmpp-client'] })
      await once(socket, 'secureConnect')
      assert.equal(socket.getProtocol(), maxVersion)
      const client = new Client(socket)
      const [features] = await client.ask(header('localhost'), /<stream:features.*<\/stream:features>/)
      client.offered = [...features.matchAll(/<channel-binding type='([^']*)'/g)].map(([, type]) => type ?? '')
      return client
    }

    async ask(text: string, answer: RegExp): Promise<RegExpExecArray> {
      this.#heard = ''
      this.#socket.write(text)
      for (;;) {
        const match = answer.exec(this.#heard)
        if (match !== null) return match
        await once(this.#socket, 'data')
      }
    }

    bound(type: (typeof bindings)[number]): Buffer {
      if (type === 'tls-exporter') {
        return this.#socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
      }
      return createHash('sha256').update(this.#socket.getPeerCertificate().raw).digest()
    }

    /** The server's answer to the proof, and what it would be if it knows the password. */
    async signsIn(mechanism: Mechanism, type: string, data: Buffer) {
      const hash = hashes[mechanism]
      const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest()
      const flag = `p=${type},,`
      const bare = 'n=romeo,r=of-the-client'
      const auth = `<auth xmlns='${NS}' mechanism='${mechanism}'>${base64(flag + bare)}</auth>`
      const asked = await this.ask(auth, /<challenge [^>]*>([^<]*)<\/challenge>|<failure .*?<\/failure>/)
      if (asked[1] === undefined) return { answer: asked[0], signed: '' }
      const challenge = Buffer.from(asked[1], 'base64').toString()
      const [, nonce = '', salt = '', count = ''] = /^r=([^,]+),s=([^,]+),i=(\d+),h=[^,]+$/.exec(challenge) ?? []
      const length = createHash(hash).digest().length
      const salted = pbkdf2Sync('secret', Buffer.from(salt, 'base64'), Number(count), length, hash)
      const final = `c=${base64(Buffer.concat([Buffer.from(flag), data]))},r=${nonce}`
      const whole = `${bare},${challenge},${final}`
      const key = hmac(salted, 'Client Key')
      const signature = hmac(createHash(hash).update(key).digest(), whole)
      const proof = Buffer.from(key.map((byte, i) => byte ^ (signature[i] ?? 0)))
      const response = `<response xmlns='${NS}'>${base64(`${final},p=${base64(proof)}`)}</response>`
      const [answer] = await this.ask(response, /<success [^>]*>.*?<\/success>|<failure .*?<\/failure>/)
      return { answer, signed: base64(`v=${base64(hmac(hmac(salted, 'Server Key'), whole))}`) }
    }

    close(): void {
      this.#socket.destroy()
    }
  }

  // RFC 9266 section 4.2: before TLS 1.3 the exporter is bound to one connection only with an extension that Node does not show.
  const kinds = { 'TLSv1.2': ['tls-server-end-point'], 'TLSv1.3': bindings } as const
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const mechanism of Object.keys(hashes) as Mechanism[]) {
      for (const type of bindings) {
        const isOffered = (kinds[version] as readonly string[]).includes(type)
        it(`${mechanism} with ${type} on ${version}${isOffered ? '' : ' is not offered'}`, async () => {
          const client = await Client.connect(version)
          assert.deepEqual([...client.offered].sort(), [...kinds[version]].sort())
          const data = client.bound(type)
          if (isOffered) {
            const other = Buffer.from(data)
            other[0] = (other[0] ?? 0) ^ 1
            const deceived = await client.signsIn(mechanism, type, other)
            assert.match(deceived.answer, /<not-authorized\/>/, 'data of another channel')
          }
          const { answer, signed } = await client.signsIn(mechanism, type, data)
          if (isOffered) assert.equal(answer, `<success xmlns='${NS}'>${signed}</success>`)
          else assert.match(answer, /<not-authorized\/>/)
          client.close()
        })
      }
    }
  }
})
