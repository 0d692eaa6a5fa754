/** Revocation lists (RFC 5280 section 5): read, and asked in handshakes of real TLS. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { connect, TLSSocket } from 'node:tls'
import { WorldError } from './error.ts'
import { makeAuthority, makeHostCertificate } from './local-ca.ts'
import type { Certificate, PeerRevocations, TlsServerContext } from './net.types.ts'
import { revocationList } from './revocation.testing.ts'
import { authoritiesWithout, readRevocationLists } from './revocation.ts'
import { RealTls } from './tls.ts'

const now = new Date()
const day = 86_400_000
const inForce = { thisUpdate: new Date(now.getTime() - day), nextUpdate: new Date(now.getTime() + day) }
const expired = { thisUpdate: new Date(now.getTime() - 2 * day), nextUpdate: new Date(now.getTime() - day) }

const authority = makeAuthority(now)
const other = makeAuthority(now)
const good = makeHostCertificate(authority, ['good.example'], now)
const bad = makeHostCertificate(authority, ['bad.example'], now)
const foreign = makeHostCertificate(other, ['foreign.example'], now)

describe('a file of revocation lists', () => {
  it('is PEM with one or several, or DER; its times and authority are known', () => {
    const { der, pem } = revocationList(authority, [bad.certPem], inForce)
    const [fromDer] = readRevocationLists(der)
    const both = readRevocationLists(Buffer.from(`a comment\n${pem}${revocationList(other, [], expired).pem}`))
    assert.deepEqual(both[0], fromDer)
    assert.equal(fromDer?.pem, pem)
    assert.match(fromDer.issuer, /^Ratatosk local CA [0-9a-f]{6}$/)
    assert.equal(fromDer.nextUpdate?.getTime(), Math.floor(inForce.nextUpdate.getTime() / 1000) * 1000)
    assert.equal(both[1]?.thisUpdate.getTime(), Math.floor(expired.thisUpdate.getTime() / 1000) * 1000)
    const [endless] = readRevocationLists(revocationList(authority, [bad.certPem], { thisUpdate: now }).der)
    assert.equal(endless?.nextUpdate, undefined, 'entries are no time')
    const late = new Date(Date.UTC(2060, 1, 3, 4, 5, 6))
    const [later] = readRevocationLists(revocationList(authority, [], { thisUpdate: now, nextUpdate: late }).der)
    assert.equal(later?.nextUpdate?.getTime(), late.getTime(), 'GeneralizedTime')
  })

  it('that is something else is told to be that', () => {
    const { der } = revocationList(authority, [bad.certPem], inForce)
    const read = (bytes: Uint8Array | string) => () => readRevocationLists(Buffer.from(bytes))
    const isBad = (text: RegExp) => (error: unknown) =>
      error instanceof WorldError && error.code === 'RTK_TLS_BAD_CRL' && text.test(error.message)
    assert.throws(read(''), isBad(/neither PEM nor DER/))
    assert.throws(read(authority.certPem), isBad(/holds a CERTIFICATE/))
    assert.throws(read(authority.keyPem), isBad(/holds a PRIVATE KEY/))
    for (let end = 1; end < der.length; end++) assert.throws(read(der.subarray(0, end)), isBad(/no revocation list/))
    for (let at = 0; at < der.length; at++) {
      const broken = Buffer.from(der)
      broken[at] = 0xff
      try {
        readRevocationLists(broken)
      } catch (error) {
        assert.ok(error instanceof WorldError, `byte ${at}: ${error}`)
      }
    }
  })

  it('leaves an authority out that has none in it', () => {
    const lists = readRevocationLists(revocationList(authority, [], inForce).der)
    assert.deepEqual(authoritiesWithout(lists, authority.certPem), [])
    const [name, ...more] = authoritiesWithout(lists, `${authority.certPem}\n${other.certPem}`)
    assert.match(name ?? '', /^Ratatosk local CA/)
    assert.deepEqual(more, [])
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'
    assert.deepEqual(authoritiesWithout(lists, broken), [])
  })
})

describe('certificates that were revoked, in real handshakes', () => {
  const engine = new RealTls()
  const own = engine.prepare(good)
  const revocations = (id: string, ...lists: readonly { readonly pem: string }[]): PeerRevocations => ({
    id,
    lists: lists.flatMap(({ pem }) => engine.revocations(Buffer.from(pem))),
  })
  const context = (peerRevocations?: PeerRevocations): TlsServerContext => ({
    alpn: [],
    strictAlpn: false,
    requestPeerCertificate: true,
    peerCa: authority.certPem + other.certPem,
    ...(peerRevocations === undefined ? {} : { peerRevocations }),
    certificateFor: () => own,
  })

  /** '' when the server believes the certificate, else why not; and the session, for another handshake. */
  async function shakes(
    server: TlsServerContext,
    shown: Certificate,
    maxVersion: 'TLSv1.2' | 'TLSv1.3',
    session?: Buffer,
  ) {
    const seen = Promise.withResolvers<string>()
    const listening = createServer((socket: Socket) => {
      const side = engine.serverSide(server)
      const secured = new TLSSocket(socket, side.options)
      secured.on('error', seen.reject)
      secured.on('secure', () => {
        seen.resolve(engine.serverInfo(secured, side).peerCertificate?.error ?? 'none')
        secured.write('x')
      })
    })
    listening.listen(0, '127.0.0.1')
    await once(listening, 'listening')
    const { port } = listening.address() as AddressInfo
    const client = connect({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      cert: shown.certPem,
      key: shown.keyPem,
      maxVersion,
      ...(session === undefined ? {} : { session }),
    })
    let ticket: Buffer | undefined
    client.on('session', (one) => {
      ticket = one
    })
    await once(client, 'data')
    const isReused = client.isSessionReused()
    client.destroy()
    listening.close()
    return { why: await seen.promise, ticket, isReused }
  }

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const why = async (server: TlsServerContext, shown: Certificate) => (await shakes(server, shown, version)).why

    it(`${version}: the good one counts, the revoked one does not`, async () => {
      const lists = revocations(
        '1',
        revocationList(other, [], inForce),
        revocationList(authority, [bad.certPem], inForce),
      )
      assert.equal(await why(context(), bad), '')
      assert.equal(await why(context(lists), good), '')
      assert.equal(await why(context(lists), bad), 'CERT_REVOKED')
      assert.equal(await why(context(lists), foreign), '')
    })

    it(`${version}: several lists in one PEM all count, though Node by itself reads the first only`, async () => {
      const pem =
        revocationList(other, [foreign.certPem], inForce).pem + revocationList(authority, [bad.certPem], inForce).pem
      const lists = revocations('2', { pem })
      assert.equal(lists.lists.length, 2)
      assert.equal(await why(context(lists), bad), 'CERT_REVOKED')
      assert.equal(await why(context(lists), foreign), 'CERT_REVOKED')
    })

    it(`${version}: no certificate of an authority counts whose list has expired, or that has none`, async () => {
      const lists = revocations('3', revocationList(authority, [bad.certPem], expired))
      assert.equal(await why(context(lists), good), 'CRL_HAS_EXPIRED')
      assert.equal(await why(context(lists), foreign), 'UNABLE_TO_GET_CRL')
    })

    it(`${version}: a list that another signed in the name of the authority is none`, async () => {
      const forged = revocationList({ certPem: authority.certPem, keyPem: other.keyPem }, [], inForce)
      assert.match(await why(context(revocations('4', forged)), good), /^CRL_SIGNATURE_FAILURE$/)
    })

    it(`${version}: a session of TLS is resumed, but none from before the list under it`, async () => {
      const before = context(
        revocations('5', revocationList(authority, [], inForce), revocationList(other, [], inForce)),
      )
      const first = await shakes(before, bad, version)
      assert.equal(first.why, '')
      assert.ok(first.ticket !== undefined)
      const again = await shakes(before, bad, version, first.ticket)
      assert.deepEqual([again.isReused, again.why], [true, ''])
      const lists = revocations('6', revocationList(authority, [bad.certPem], inForce))
      const second = await shakes(context(lists), bad, version, first.ticket)
      assert.deepEqual([second.isReused, second.why], [false, 'CERT_REVOKED'])
    })
  }
})
