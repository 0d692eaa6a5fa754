/** XEP-0474: the hash of the offer, and what becomes of a sign-in whose offer was changed on its way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RealHashing } from '../../world/hashing.ts'
import {
  type ClientStep,
  clientMechanism,
  Decoys,
  deriveScram,
  HASH_OF,
  offerHash,
  offerText,
  type ScramName,
  ScramServer,
  stretch,
} from './index.ts'

const hashing = new RealHashing()
const salt = Buffer.from('salt of sixteen!')

test('section 6.3: the example', () => {
  const offer = offerText(['SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS'], ['tls-server-end-point', 'tls-exporter'])
  assert.equal(offer, 'SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point')
  assert.equal(offerHash(hashing, 'sha1', offer), 'G6k/rBLDqgOhRRaCuuatSDFkJ08=')
})

test('section 6.1: sorted by octets, and without the second list where no types were advertised', () => {
  assert.equal(offerText(['b', 'B', 'a-', 'a'], undefined), 'B\x1ea\x1ea-\x1eb')
  assert.equal(offerText(['b', 'a'], []), 'a\x1eb\x1f')
  // U+FF5E comes before U+10000 in octets, and behind it in UTF-16.
  assert.equal(offerText(['\u{10000}', '\uff5e'], undefined), '\uff5e\x1e\u{10000}')
})

const password = 'r0m30'

/** A whole exchange; `seen` is the offer as it arrived. */
async function exchange(mechanism: ScramName, sent: string | undefined, seen: string | undefined): Promise<ClientStep> {
  const server = new ScramServer({
    hashing,
    mechanism,
    plus: false,
    plusOffered: false,
    bindings: new Map(),
    domain: 'localhost',
    nonce: 'SERVERNONCESERVERNONCE',
    offer: sent,
  })
  const client = clientMechanism(
    { mechanism, binding: 'n' },
    {
      hashing,
      username: 'juliet',
      password,
      nonce: 'CLIENTNONCECLIENTNONCE',
      ...(seen === undefined ? {} : { offer: seen }),
    },
  )
  const hash = HASH_OF[mechanism]
  const credential = (await deriveScram(hashing, hash, password, salt, 4096)) ?? assert.fail()
  const first = client.begin()
  assert.ok(first.kind === 'response')
  const lookup = server.step(first.data)
  assert.ok(lookup.kind === 'lookup')
  const decoys = new Decoys(hashing, new Uint8Array(32), 4096)
  const challenge = server.resume(decoys.answer(lookup, credential))
  assert.ok(challenge.kind === 'challenge')
  assert.equal(Buffer.from(challenge.data).toString().includes(',h='), sent !== undefined)
  const wish = client.step(challenge.data)
  if (wish.kind !== 'stretch') return wish
  const key = (await stretch(hashing, wish.hash, password, wish.salt, wish.iterations)) ?? assert.fail()
  const final = client.resume(key)
  assert.ok(final.kind === 'response')
  const success = server.step(final.data)
  assert.ok(success.kind === 'success')
  return client.finish(success.data)
}

const offer = offerText(['SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'PLAIN'], undefined)
const poorer = offerText(['SCRAM-SHA-1'], undefined)

for (const mechanism of Object.keys(HASH_OF) as ScramName[]) {
  test(`section 6.2: ${mechanism} goes on when both have the same offer, and ends when it was changed`, async () => {
    assert.equal((await exchange(mechanism, offer, offer)).kind, 'success')
    const changed = await exchange(mechanism, offer, poorer)
    assert.ok(changed.kind === 'failure')
    assert.equal(changed.code, 'RTK_SASL_OFFER_CHANGED')
  })
}

test('a client that does not compare signs in, and so does one whose server sends no hash', async () => {
  assert.equal((await exchange('SCRAM-SHA-256', offer, undefined)).kind, 'success')
  assert.equal((await exchange('SCRAM-SHA-256', undefined, offer)).kind, 'success')
})
