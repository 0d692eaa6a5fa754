/** LST-01 and LST-02: TLS of client listeners over real sockets; names, ALPN, and what is refused before TLS. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { header, Wire } from '../../../plays/language/wire.ts'
import { readCertificate } from '../../world/certificate.ts'
import { createWorld } from '../../world/index.ts'
import { renewLocalCertificates } from '../../world/local-ca.ts'
import { freshFolder, type Served, serveWith } from '../listeners.testing.ts'

const hosts = ['montague.example', 'capulet.example'] as const

describe('a client listener with TLS', () => {
  const folder = freshFolder()
  const world = createWorld()
  const { authority, ...first } = renewLocalCertificates({}, [hosts[0]], new Date())
  const second = renewLocalCertificates({ authority }, [hosts[1]], new Date())
  const certificates = { [hosts[0]]: first.host, [hosts[1]]: second.host } as const
  const ca = authority.certPem
  let served: Served

  before(async () => {
    const files = hosts.map((host) => {
      const pair = { cert: join(folder, `${host}.pem`), key: join(folder, `${host}.key`) }
      writeFileSync(pair.cert, certificates[host].certPem)
      writeFileSync(pair.key, certificates[host].keyPem, { mode: 0o600 })
      return pair
    })
    served = await serveWith(
      {
        hosts: { localhost: {}, ...Object.fromEntries(hosts.map((host) => [host, {}])) },
        tls: { certificates: files },
        listeners: (['starttls', 'direct'] as const).map((tls) => {
          return { name: tls, protocol: 'c2s', tls, address: '127.0.0.1', port: 0 }
        }),
      },
      folder,
    )
  })
  after(() => served[Symbol.asyncDispose]())

  const open = (tls: 'starttls' | 'direct') => Wire.open(world, served.place(tls), 5_000)

  for (const host of hosts) {
    it(`LST-02: shows the certificate of ${host} to who asks for it, on the one direct port`, async () => {
      const wire = await open('direct')
      await wire.secures({ servername: host, alpn: ['xmpp-client'], ca, verify: true })
      const { tls } = wire.transport
      assert.equal(tls?.alpn, 'xmpp-client')
      const { der } = readCertificate(certificates[host].certPem)
      assert.deepEqual(Buffer.from(tls?.peerCertificate?.der ?? []), Buffer.from(der))
      wire.says(header(host))
      await wire.hears(new RegExp(`<stream:stream from='${host}'`))
      wire.closes()
    })

    it(`LST-01: shows the certificate of ${host} after STARTTLS`, async () => {
      const wire = await open('starttls')
      wire.says(`${header(host)}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
      await wire.hears(/<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required\/><\/starttls><\/stream:features>/)
      await wire.hears(/<proceed [^>]*\/>/)
      await wire.secures({ servername: host, alpn: [], ca, verify: true })
      const { der } = readCertificate(certificates[host].certPem)
      assert.deepEqual(Buffer.from(wire.transport.tls?.peerCertificate?.der ?? []), Buffer.from(der))
      wire.closes()
    })
  }

  it('LST-02: takes a client without ALPN, and closes one that asks for another protocol', async () => {
    const plain = await open('direct')
    await plain.secures({ servername: hosts[0], alpn: [], ca, verify: true })
    assert.equal(plain.transport.tls?.alpn, '')
    plain.closes()
    const other = await open('direct')
    await assert.rejects(other.secures({ servername: hosts[0], alpn: ['h2', 'xmpp-server'], ca, verify: true }))
    assert.ok(other.cause?.kind === 'tls', JSON.stringify(other.cause))
    assert.match(other.cause.code, /ALPN|APPLICATION_PROTOCOL/)
  })

  it('closes a client that speaks XMPP where TLS is expected', async () => {
    const wire = await open('direct')
    wire.says(header(hosts[0]))
    await wire.isClosed()
  })

  it('LST-01, AUTH-01: refuses every stanza and every mechanism before TLS', async () => {
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS']) {
      const wire = await open('starttls')
      wire.says(header(hosts[0]))
      await wire.hears(/<\/stream:features>/)
      wire.says(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='${mechanism}'>bixhPSxuPXgscj15</auth>`)
      await wire.hears(/<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><encryption-required\/>/)
      wire.closes()
    }
    const wire = await open('starttls')
    wire.says(`${header(hosts[0])}<message to='romeo@localhost'><body>?</body></message>`)
    await wire.hears(/<stream:error><not-authorized /)
    await wire.isClosed()
  })

  // CVE-2011-0411: what came in the clear behind <starttls/> is not taken for what was said inside of TLS.
  it('throws away what a third party put behind <starttls/>', async () => {
    const wire = await open('starttls')
    wire.says(`${header(hosts[0])}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>${header('injected.example')}`)
    await wire.hears(/<proceed [^>]*\/>/)
    await wire.secures({ servername: hosts[0], alpn: [], ca, verify: true })
    wire.says(header(hosts[0]))
    await wire.hears(new RegExp(`^<\\?xml[^>]*><stream:stream from='${hosts[0]}'.*</stream:features>`))
    wire.closes()
  })
})
