// needs: openssl
/** XEP-0178 section 3 over real TLS: certificates that OpenSSL makes and Node's TLS shows. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect } from 'node:tls'
import { header } from '../../../plays/language/wire.ts'
import { program } from '../../../tools/real/programs.ts'
import { type Served, serveWith } from '../listeners.testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'ratatosk-certificate-'))
const at = (name: string) => join(folder, name)

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync(program('openssl'), args, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** A root, `NAME.pem`, and what it says of a client, `NAME-client.pem`. */
function authority(name: string, address: string): void {
  openssl('req', '-x509', ...newKey, '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`), '-subj', `/CN=${name}`)
  openssl('req', ...newKey, '-keyout', at(`${name}-client.key`), '-out', at('request'), '-subj', '/CN=client')
  const san = `otherName:1.3.6.1.5.5.7.8.5;UTF8:${address}`
  writeFileSync(at('extensions'), `[v]\nextendedKeyUsage=clientAuth\nsubjectAltName=${san}\n`)
  const signer = ['-CA', at(`${name}.pem`), '-CAkey', at(`${name}.key`), '-CAcreateserial', '-days', '1']
  const extensions = ['-extfile', at('extensions'), '-extensions', 'v']
  openssl('x509', '-req', '-in', at('request'), ...signer, ...extensions, '-out', at(`${name}-client.pem`))
}

describe('XEP-0178, a certificate of a client over real TLS', () => {
  let served: Served
  before(async () => {
    authority('known', 'romeo@localhost')
    authority('unknown', 'romeo@localhost')
    served = await serveWith({
      tls: { client_ca: at('known.pem') },
      listeners: [{ name: 'direct', protocol: 'c2s', tls: 'direct', address: '127.0.0.1', port: 0 }],
    })
  })
  after(async () => {
    await served[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  /** The features, and the answer to EXTERNAL by SASL2; `session`: of TLS, to be resumed. */
  async function signsIn(shown: string, maxVersion: 'TLSv1.2' | 'TLSv1.3', session?: Buffer) {
    const place = served.place('direct')
    assert.ok(place.kind === 'tcp')
    const certificate =
      shown === ''
        ? {}
        : { cert: readFileSync(at(`${shown}-client.pem`)), key: readFileSync(at(`${shown}-client.key`)) }
    const to = { host: '127.0.0.1', port: place.port, servername: 'localhost', ca: served.ca, maxVersion }
    const resumed = session === undefined ? {} : { session }
    const socket = connect({ ...to, ALPNProtocols: ['xmpp-client'], ...certificate, ...resumed })
    let ticket: Buffer | undefined
    socket.on('session', (one) => {
      ticket = one
    })
    let heard = ''
    socket.on('data', (chunk) => {
      heard += chunk
    })
    const ask = async (text: string, answer: RegExp) => {
      heard = ''
      socket.write(text)
      while (!answer.test(heard)) await once(socket, 'data')
      return heard
    }
    await once(socket, 'secureConnect')
    const features = await ask(header('localhost'), /<\/stream:features>/)
    const request =
      "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='EXTERNAL'><initial-response/><bind xmlns='urn:xmpp:bind:0'/></authenticate>"
    const answer = await ask(request, /<\/success>|<\/failure>/)
    const isResumed = socket.isSessionReused()
    socket.destroy()
    return { features, answer, ticket, isResumed }
  }

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`of a root that counts signs in, on ${version}`, async () => {
      const { features, answer } = await signsIn('known', version)
      assert.match(features, /<mechanism>EXTERNAL</)
      assert.match(answer, /<authorization-identifier>romeo@localhost\/[^<]+<.*<bound /)
    })

    for (const shown of ['unknown', '']) {
      it(`${shown === '' ? 'that is not shown' : 'of another root'} is no way in, on ${version}`, async () => {
        const { features, answer } = await signsIn(shown, version)
        assert.ok(!features.includes('EXTERNAL'))
        assert.match(answer, /<invalid-mechanism /)
      })
    }
  }

  const base = { listeners: [{ name: 'direct', protocol: 'c2s', tls: 'direct', address: '127.0.0.1', port: 0 }] }
  /** The list of `known`, of which its client's certificate is or is not, in force or not. */
  function list(name: string, revoked: readonly string[], form: 'PEM' | 'DER', ...times: readonly string[]): string {
    writeFileSync(at('index.txt'), '')
    writeFileSync(at('crlnumber'), '01')
    const [database, number] = [at('index.txt'), at('crlnumber')]
    const own = `database=${database}\ncrlnumber=${number}\ndefault_md=sha256\ndefault_crl_days=1\n`
    writeFileSync(at('ca.cnf'), `[ca]\ndefault_ca=own\n[own]\n${own}`)
    const signer = ['ca', '-config', at('ca.cnf'), '-cert', at('known.pem'), '-keyfile', at('known.key')]
    for (const one of revoked) openssl(...signer, '-revoke', at(one))
    openssl(...signer, '-gencrl', ...times, '-out', at(name))
    if (form === 'DER') openssl('crl', '-in', at(name), '-outform', 'DER', '-out', at(name))
    return at(name)
  }

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`in a revocation list of OpenSSL is no way in, from the reload on, on ${version}`, async () => {
      const reload = (...lists: readonly string[]) =>
        served.server.reload({
          hosts: { localhost: {} },
          auth: { scram_iterations: 4096 },
          store: { engine: 'memory' },
          tls: { client_ca: at('known.pem'), client_crl: lists },
          ...base,
        })
      const isOffered = async (session?: Buffer) => {
        const { features, answer, ticket, isResumed } = await signsIn('known', version, session)
        assert.equal(features.includes('<mechanism>EXTERNAL<'), answer.includes('</success>'))
        return { isIn: answer.includes('</success>'), ticket, isResumed }
      }
      await reload(list('good.crl', [], 'PEM'))
      const first = await isOffered()
      assert.equal(first.isIn, true)
      assert.ok(first.ticket !== undefined)
      const again = await isOffered(first.ticket)
      assert.deepEqual([again.isIn, again.isResumed], [true, true], 'a session of TLS goes on')
      for (const form of ['PEM', 'DER'] as const) {
        await reload(list('bad.crl', ['known-client.pem'], form))
        assert.equal((await isOffered()).isIn, false)
        const old = await isOffered(first.ticket)
        assert.deepEqual([old.isIn, old.isResumed], [false, false], 'nor does one of before')
      }
      await reload(
        list('old.crl', [], 'PEM', '-crl_lastupdate', '20200101000000Z', '-crl_nextupdate', '20200201000000Z'),
      )
      assert.equal((await isOffered()).isIn, false, 'it has expired')
      await reload(at('good.crl'))
      assert.equal((await isOffered()).isIn, true)
      await assert.rejects(reload(at('known.pem')), /known\.pem: this is no revocation list: it holds a CERTIFICATE/)
      await reload()
    })
  }
})
