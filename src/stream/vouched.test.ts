/** ANONYMOUS (RFC 4505, XEP-0175) and EXTERNAL (XEP-0178 section 2) on the server's stream, in both profiles. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { derIdentifier, derOctets, derSequence, derText, derValue } from '../world/der.ts'
import { auth, authenticate, header, makeAccount, rawPair } from './kit.testing.ts'
import { fakeTls } from './memory.testing.ts'
import { VouchedClient } from './sasl/index.ts'

const account = await makeAccount('r0m30')
const disabled = await makeAccount('r0m30', 'account-disabled')
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const base64 = (text: string) => Buffer.from(text).toString('base64')

function certificateOf(addresses: readonly string[]): Uint8Array {
  const names = addresses.map((address) =>
    derValue(0xa0, derIdentifier('1.3.6.1.5.5.7.8.5'), derValue(0xa0, derText(address))),
  )
  const extension = derSequence(derIdentifier('2.5.29.17'), derOctets(derSequence(...names)))
  return derSequence(derSequence(derText(''), derValue(0xa3, derSequence(extension))))
}

function pair(mechanism: string, addresses?: readonly string[], verified = true, known = account) {
  const peerCertificate =
    addresses === undefined ? undefined : { der: certificateOf(addresses), verified, error: verified ? '' : 'expired' }
  const made = rawPair(known, { tls: fakeTls({ peerCertificate }) })
  made.driver.offered = [mechanism]
  made.client.ask(header)
  return made
}

describe('ANONYMOUS', () => {
  it('XEP-0175 section 4: an empty <auth/> is enough, and the localpart is a UUID, another each time', () => {
    const names = ['', '=', base64('sirhc'), base64('☃'.repeat(255))].map((data) => {
      const { client, machine } = pair('ANONYMOUS')
      assert.match(client.ask(auth('ANONYMOUS', data)), /^<success [^>]*\/>$/)
      return machine.account?.jid.local ?? ''
    })
    for (const name of names) assert.match(name, uuid)
  })

  it('by SASL2 the client is told who it is, and what it said in its trace is not kept', () => {
    for (const first of [undefined, '', base64('juliet')]) {
      const { client, driver } = pair('ANONYMOUS')
      const answer = client.ask(authenticate('ANONYMOUS', first))
      const [, name = ''] = /<authorization-identifier>([^@]*)@localhost</.exec(answer) ?? []
      assert.match(name, uuid)
      assert.equal(driver.signIns[0]?.mechanism, 'ANONYMOUS')
    }
  })

  it('RFC 4505 section 2: a trace is UTF-8 without NUL, of 255 characters at most', () => {
    for (const trace of [Buffer.from([0xff]), Buffer.from('a\0b'), Buffer.from('x'.repeat(256))]) {
      const { client } = pair('ANONYMOUS')
      assert.match(client.ask(auth('ANONYMOUS', trace.toString('base64'))), /<malformed-request\/>/)
    }
  })

  it('is refused where it is not offered', () => {
    const { client, driver } = pair('PLAIN')
    assert.match(client.ask(auth('ANONYMOUS')), /<mechanism-too-weak\/>/)
    assert.equal(driver.failures[0]?.code, 'RTK_SASL_MECHANISM_WEAK')
  })
})

describe('EXTERNAL', () => {
  const one = ['juliet@localhost']
  const two = ['juliet@localhost', 'romeo@localhost']
  const rows: readonly (readonly [string, readonly string[], string, string])[] = [
    ['step 11a: one address and no authzid', one, '=', 'juliet'],
    ['one address, and the client says it', one, base64('juliet@localhost'), 'juliet'],
    ['step 11b: one of several', two, base64('juliet@localhost'), 'juliet'],
    ['one of several on different hosts', ['juliet@else.example', ...one], base64('juliet@localhost'), 'juliet'],
    ['case is mapped', ['JULIET@LocalHost'], base64('Juliet@localhost'), 'juliet'],
    ['step 11b: none of several named', two, '=', 'invalid-authzid'],
    ['several, though only one is of this host', ['juliet@else.example', ...one], '=', 'invalid-authzid'],
    ['somebody else', one, base64('romeo@localhost'), 'invalid-authzid'],
    ['an address of another host', ['juliet@else.example'], base64('juliet@else.example'), 'invalid-authzid'],
    ['no JID', one, base64('@'), 'invalid-authzid'],
    ['no account of that name', ['nobody@localhost'], '=', 'not-authorized'],
    ['step 11c: a certificate without an address', [], '=', 'not-authorized'],
    ['a domain and a full JID are no accounts', ['localhost', 'juliet@localhost/x'], '=', 'not-authorized'],
  ]
  for (const [title, addresses, data, outcome] of rows) {
    it(`${title}: ${outcome}`, () => {
      const { client, machine } = pair('EXTERNAL', addresses)
      const answer = client.ask(auth('EXTERNAL', data))
      if (outcome === 'juliet') {
        assert.match(answer, /^<success [^>]*\/>$/)
        assert.equal(machine.account?.jid.toString(), 'juliet@localhost')
      } else assert.match(answer, new RegExp(`<${outcome}/>`))

      const other = pair('EXTERNAL', addresses)
      const second = other.client.ask(authenticate('EXTERNAL', data === '=' ? '' : data))
      assert.match(second, outcome === 'juliet' ? /^<success / : new RegExp(`<${outcome} `))
    })
  }

  it('without an initial response the client is asked', () => {
    const { client } = pair('EXTERNAL', one)
    assert.match(client.ask(auth('EXTERNAL')), /^<challenge [^>]*>=<\/challenge>$/)
    assert.match(client.ask("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"), /^<success /)
  })

  it('a certificate that did not verify vouches for nobody', () => {
    const { client } = pair('EXTERNAL', one, false)
    assert.match(client.ask(auth('EXTERNAL', '=')), /<not-authorized\/>/)
  })

  it('an account that is disabled stays outside', () => {
    const { client } = pair('EXTERNAL', one, true, disabled)
    assert.match(client.ask(auth('EXTERNAL', '=')), /<account-disabled\/>/)
  })

  it('a store that does not answer is temporary-auth-failure', () => {
    const { client, driver } = pair('EXTERNAL', one)
    driver.isUnavailable = true
    assert.match(client.ask(auth('EXTERNAL', '=')), /<temporary-auth-failure\/>/)
  })

  it('where it is not offered it is no mechanism', () => {
    const { client } = pair('PLAIN', one)
    assert.match(client.ask(auth('EXTERNAL', '=')), /<invalid-mechanism\/>/)
  })

  it('our client speaks it', () => {
    const client = new VouchedClient('EXTERNAL', '')
    assert.deepEqual(client.begin(), { kind: 'response', data: Buffer.alloc(0) })
    assert.equal(client.finish(undefined).kind, 'success')
    assert.equal(client.finish(undefined).kind, 'failure')
  })
})
