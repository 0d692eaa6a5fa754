/** Certificates by name, those of the local authority for any number of hosts, and their exchange while the server runs. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { connect, type PeerCertificate } from 'node:tls'
import fc from 'fast-check'
import { jid } from '../jid/jid.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { ClientFailure, connectClient } from '../stream/client.ts'
import { createWorld } from '../world/index.ts'
import { makeAuthority, makeHostCertificate } from '../world/local-ca.ts'
import { type Element, parseElement } from '../xml/index.ts'
import { CertificateIndex } from './certificate-index.ts'
import { createServer } from './create.ts'
import { address } from './embed.testing.ts'
import { hostsInCertificate } from './local-certificates.ts'
import type { Server } from './server.ts'

const listeners = [
  { name: 'direct', protocol: 'c2s', tls: 'direct', address, port: 0 },
  { name: 'starttls', protocol: 'c2s', address, port: 0 },
]
const base = { store: { engine: 'memory' }, auth: { scram_iterations: 4_096 }, listeners }

const portOf = (server: Server, name: string) => {
  const place = server.listening.find((listener) => listener.name === name)?.place
  assert.ok(place?.kind === 'tcp')
  return place.port
}

/** What Node's own TLS client is shown; rejects when it does not trust it. */
async function shown(server: Server, servername: string, ca: string): Promise<PeerCertificate> {
  const to = { host: address, port: portOf(server, 'direct'), servername, ca, ALPNProtocols: ['xmpp-client'] }
  const socket = connect(to)
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerCertificate()
  } finally {
    socket.destroy()
  }
}

describe('an index of certificates', () => {
  const labels = ['a', 'b', 'c', '*']
  const name = fc.array(fc.constantFrom(...labels), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'))

  it('finds what trying one after the other finds', () => {
    const isFor = (names: readonly string[], asked: string) =>
      names.some(
        (held) => held === asked || (held.startsWith('*.') && held.slice(1) === asked.slice(asked.indexOf('.'))),
      )
    fc.assert(
      fc.property(fc.array(fc.array(name, { maxLength: 3 }), { maxLength: 6 }), name, (all, asked) => {
        const certificates = all.map((names, n) => ({
          fingerprint: String(n),
          notAfter: new Date(0),
          names,
          isFor: (one: string) => one.includes('.') && isFor(names, one),
        }))
        const tried = certificates.find((certificate) => certificate.isFor(asked))
        assert.equal(new CertificateIndex(certificates).find(asked)?.fingerprint, tried?.fingerprint)
      }),
    )
  })

  it('knows the names of real certificates, wildcards and addresses too', () => {
    const { tls } = createWorld().net
    const now = new Date()
    const authority = makeAuthority(now)
    const made = (...names: string[]) => tls.prepare(makeHostCertificate(authority, names, now))
    const [first, second, third] = [
      made('bücher.example', 'a.example'),
      made('*.a.example', '192.0.2.1'),
      made('b.a.example'),
    ]
    const index = new CertificateIndex([first, second, third])
    for (const [asked, found] of [
      ['xn--bcher-kva.example', first],
      ['a.example', first],
      ['b.a.example', second],
      ['c.b.a.example', undefined],
      ['example', undefined],
      ['localhost', first],
    ] as const)
      assert.equal(index.find(asked), found, asked)
    assert.deepEqual(first.names, ['xn--bcher-kva.example', 'a.example', 'localhost'])
  })
})

describe('the local authority', () => {
  const many = Array.from({ length: 2 * hostsInCertificate + 10 }, (_, n) => `host${n}.example`)

  it('has a certificate that a client takes for each of many hosts, and none for one that is gone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rtk-certificates-'))
    const server = await createServer({ config: { ...base, hosts: many }, dataDir: folder })
    try {
      const ca = server.authority?.certPem ?? ''
      const asked = [0, 1, hostsInCertificate - 1, hostsInCertificate, many.length - 1].map((n) => many[n] as string)
      const seen = new Map<string, string>()
      for (const domain of [...asked, 'localhost']) {
        const { raw, fingerprint256 } = await shown(server, domain, ca)
        assert.ok(raw.length < 3_000, `${raw.length} bytes`)
        seen.set(domain, fingerprint256)
      }
      assert.equal(new Set(seen.values()).size, 3)
      // The one in the file is the one that is shown.
      const file = () => new X509Certificate(readFileSync(join(folder, 'tls', 'host.pem'), 'utf8'))
      assert.equal(file().fingerprint256, seen.get('localhost'))
      const [gone, ...rest] = many
      await server.reload({ ...base, hosts: rest })
      await assert.rejects(shown(server, gone as string, ca), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
      assert.equal(file().checkHost(gone as string), undefined)
      for (const domain of asked.slice(1)) await shown(server, domain, ca)
      await server.reload({ ...base, hosts: many })
      await shown(server, gone as string, ca)
      // One more at the end: the others have what they had, also those that are in no file.
      const of = async (domain: string) => (await shown(server, domain, ca)).fingerprint256
      const before = await Promise.all(asked.slice(0, 4).map(of))
      await server.reload({ ...base, hosts: [...many, 'late.example'] })
      assert.deepEqual(await Promise.all(asked.slice(0, 4).map(of)), before)
      await shown(server, 'late.example', ca)
    } finally {
      await server.close()
      rmSync(folder, { recursive: true })
    }
  })
})

it('a reload goes on with the authority and the certificate that it has, where they are in no file', async () => {
  const server = await createServer({ config: { ...base, hosts: ['localhost'] } })
  try {
    const ca = server.authority?.certPem ?? ''
    const { fingerprint256 } = await shown(server, 'localhost', ca)
    await server.reload({ ...base, hosts: ['localhost'], limits: { connections: 1_000 } })
    assert.equal((await shown(server, 'localhost', ca)).fingerprint256, fingerprint256)
    await server.reload({ ...base, hosts: ['localhost', 'second.example'] })
    assert.notEqual((await shown(server, 'second.example', ca)).fingerprint256, fingerprint256)
    assert.equal(server.authority?.certPem, ca)
  } finally {
    await server.close()
  }
})

describe('certificates that are exchanged while the server runs', () => {
  async function talker(server: Server, tls: 'direct' | 'starttls', ca: string) {
    let heard: (el: Element) => void = () => undefined
    const client = await connectClient(createWorld(), {
      jid: jid('juliet@localhost'),
      password: 'secret',
      place: { kind: 'tcp', host: address, port: portOf(server, tls) },
      tls,
      ca,
      onStanza: (el) => heard(el),
    })
    if (client instanceof ClientFailure) throw new Error(String(client))
    return {
      async talk(text: string) {
        const said = new Promise<string>((resolve) => {
          heard = (el) => resolve(el.child('body', NS_CLIENT)?.text ?? '')
        })
        const xml = `<s xmlns='${NS_CLIENT}'><message to='${client.jid}' type='chat'><body>${text}</body></message></s>`
        client.send(parseElement(xml).elements[0] as Element)
        assert.equal(await said, text)
      },
    }
  }

  it('are new to new connections; old sessions live on, in the middle of their talk', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rtk-certificates-'))
    const [cert, key] = [join(folder, 'c.pem'), join(folder, 'k.pem')]
    const write = () => {
      const authority = makeAuthority(new Date())
      const host = makeHostCertificate(authority, ['localhost'], new Date())
      writeFileSync(cert, host.certPem, { mode: 0o600 })
      writeFileSync(key, host.keyPem, { mode: 0o600 })
      return { ca: authority.certPem, fingerprint: new X509Certificate(host.certPem).fingerprint256 }
    }
    let { ca, fingerprint } = write()
    const config = { ...base, hosts: ['localhost'], tls: { certificates: [{ cert, key }] } }
    const server = await createServer({ config })
    try {
      await server.accounts.add(jid('juliet@localhost'), 'secret')
      const all = []
      for (let round = 0; round < 3; round++) {
        const before = { ca, fingerprint }
        assert.equal((await shown(server, 'localhost', ca)).fingerprint256, fingerprint)
        all.push(await talker(server, 'direct', ca), await talker(server, 'starttls', ca))
        ;({ ca, fingerprint } = write())
        // The files alone change nothing until the reload.
        assert.equal((await shown(server, 'localhost', before.ca)).fingerprint256, before.fingerprint)
        const talks = all.map(({ talk }, n) => talk(`${n} during the reload ${round}`))
        const reloaded = server.reload()
        await Promise.all([reloaded, ...talks])
        assert.deepEqual((await reloaded).certificates, [cert])
        assert.deepEqual((await server.reload()).certificates, [], 'it is in use')
        assert.equal((await shown(server, 'localhost', ca)).fingerprint256, fingerprint)
        await assert.rejects(shown(server, 'localhost', before.ca))
        await assert.rejects(talker(server, 'starttls', before.ca))
        for (const [n, { talk }] of all.entries()) await talk(`${n} after the reload ${round}`)
      }
      assert.equal(server.core.sessions.count(), all.length)
      // A key that does not fit, half a file: all stays as it was.
      writeFileSync(key, makeHostCertificate(makeAuthority(new Date()), ['localhost'], new Date()).keyPem)
      await assert.rejects(server.reload(), { code: 'RTK_CONFIG' })
      writeFileSync(cert, readFileSync(cert, 'utf8').slice(0, 200))
      await assert.rejects(server.reload(), { code: 'RTK_CONFIG' })
      assert.equal((await shown(server, 'localhost', ca)).fingerprint256, fingerprint)
      for (const { talk } of all) await talk('still')
    } finally {
      await server.close()
      rmSync(folder, { recursive: true })
    }
  })
})
