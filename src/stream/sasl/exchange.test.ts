/** Whole exchanges: the vectors of the RFCs, and our client against our server for every mechanism. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RealHashing } from '../../world/hashing.ts'
import type { HashName } from '../../world/hashing.types.ts'
import { toUtf8 } from './encoding.ts'
import {
  type ChannelBindings,
  type ClientMechanism,
  type ClientStep,
  chooseMechanism,
  clientMechanism,
  Decoys,
  deriveScram,
  fromRow,
  HASH_OF,
  MECHANISMS,
  readScramName,
  ScramClient,
  type ScramCredential,
  type ScramName,
  ScramServer,
  type ServerMechanism,
  type ServerStep,
  serverMechanism,
  stretch,
  toRow,
  verifyPassword,
} from './index.ts'

const hashing = new RealHashing()
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('utf8')

interface Vector {
  readonly mechanism: ScramName
  readonly clientNonce: string
  readonly serverNonce: string
  readonly salt: string
  readonly proof: string
  readonly signature: string
}

const VECTORS: readonly Vector[] = [
  {
    // RFC 5802 section 5
    mechanism: 'SCRAM-SHA-1',
    clientNonce: 'fyko+d2lbbFgONRv9qkxdawL',
    serverNonce: '3rfcNHYJY1ZVvWVs7j',
    salt: 'QSXCR+Q6sek8bf92',
    proof: 'v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    signature: 'rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  },
  {
    // RFC 7677 section 3
    mechanism: 'SCRAM-SHA-256',
    clientNonce: 'rOprNGfwEbeRWgbNEkqO',
    serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
    salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
    proof: 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    signature: '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
  {
    // No RFC has one; computed by independent implementations, which agree on it.
    mechanism: 'SCRAM-SHA-512',
    clientNonce: 'rOprNGfwEbeRWgbNEkqO',
    serverNonce: '02431b08-2f89-4bad-a4e6-80c0564ec865',
    salt: 'Yin2FuHTt/M0kJWb0t9OI32n2VmOGi3m+JfjOvuDF88=',
    proof: 'Hc5yec3NmCD7t+kFRw4/3yD6/F3SQHc7AVYschRja+Bc3sbdjlA0eH1OjJc0DD4ghn1tnXN5/Wr6qm9xmaHt4A==',
    signature: 'BQuhnKHqYDwQWS5jAw4sZed+C9KFUALsbrq81bB0mh+bcUUbbMPNNmBIupnS2AmyyDnG5CTBQtkjJ9kyY4kzmw==',
  },
]

test('AUTH-05: published exchanges, byte for byte, in both roles', async () => {
  for (const { mechanism, clientNonce, serverNonce, salt, proof, signature } of VECTORS) {
    const client = new ScramClient({ hashing, mechanism, binding: 'n', username: 'user', nonce: clientNonce })
    const server = new ScramServer({
      hashing,
      mechanism,
      plus: false,
      plusOffered: false,
      bindings: new Map(),
      domain: 'example.org',
      nonce: serverNonce,
    })
    const credential = await deriveScram(hashing, HASH_OF[mechanism], 'pencil', Buffer.from(salt, 'base64'), 4096)
    assert.ok(credential)
    const first = responseOf(client.begin())
    assert.equal(text(first), `n,,n=user,r=${clientNonce}`)
    assert.equal(server.step(first).kind, 'lookup')
    const challenge = challengeOf(server.resume({ kind: 'credential', credential, isKnown: true }))
    assert.equal(text(challenge), `r=${clientNonce}${serverNonce},s=${salt},i=4096`)
    const final = responseOf(client.resume(await keyFor(client.step(challenge), 'pencil')))
    assert.equal(text(final), `c=biws,r=${clientNonce}${serverNonce},p=${proof}`)
    const success = server.step(final)
    assert.ok(success.kind === 'success')
    assert.equal(text(success.data), `v=${signature}`)
    assert.equal(success.username, 'user')
    assert.deepEqual(client.finish(success.data), { kind: 'success' })
  }
})

function responseOf(step: ClientStep): Uint8Array {
  assert.ok(step.kind === 'response', JSON.stringify(step))
  return step.data
}

function challengeOf(step: ServerStep): Uint8Array {
  assert.ok(step.kind === 'challenge', JSON.stringify(step))
  return step.data
}

async function keyFor(step: ClientStep, password: string): Promise<Uint8Array> {
  assert.ok(step.kind === 'stretch', JSON.stringify(step))
  const key = await stretch(hashing, step.hash, password, step.salt, step.iterations)
  assert.ok(key)
  return key
}

const DOMAIN = 'example.org'
const decoys = new Decoys(hashing, toUtf8('a secret of thirty-two bytes ...'), 4096)
const credentials = new Map<HashName, ScramCredential>()
for (const hash of ['sha1', 'sha256', 'sha512'] as const) {
  const credential = await deriveScram(hashing, hash, 'p\u00e4ssword, = 1', toUtf8(`salt of ${hash}.......`), 4096)
  assert.ok(credential)
  credentials.set(hash, credential)
}

/** A driver as the stream machine has one: answers what the server asks, for one account. */
async function answer(server: ServerMechanism, step: ServerStep): Promise<ServerStep> {
  if (step.kind === 'lookup') {
    const found = step.username === 'j\u00fcrgen' ? credentials.get(HASH_OF[step.mechanism]) : undefined
    return server.resume(decoys.answer(step, found))
  }
  if (step.kind !== 'verify') return step
  const credential = credentials.get('sha256')
  assert.ok(credential)
  const isRight = await verifyPassword(hashing, step.password, credential, step.username === 'j\u00fcrgen')
  return server.resume({ kind: 'verified', result: isRight ? 'right' : 'wrong' })
}

async function run(client: ClientMechanism, server: ServerMechanism, password: string, hasInitial = true) {
  if (!hasInitial) assert.equal(challengeOf(server.step(undefined)).length, 0)
  let step = client.begin()
  for (;;) {
    if (step.kind === 'stretch') step = client.resume(await keyFor(step, password))
    if (step.kind !== 'response') return { client: step, server: undefined }
    const reply = await answer(server, server.step(step.data))
    if (reply.kind === 'success') return { client: client.finish(reply.data), server: reply }
    if (reply.kind === 'failure') return { client: step, server: reply }
    step = client.step(challengeOf(reply))
  }
}

const BINDINGS: ChannelBindings = new Map([
  ['tls-exporter', toUtf8('exported key material')],
  ['tls-server-end-point', toUtf8('hash of the certificate')],
])

function pair(mechanism: string, password: string, username = 'J\u00fcrgen', authzid?: string) {
  const needs = { hashing, domain: DOMAIN, offered: MECHANISMS, bindings: BINDINGS, nonce: 'server-nonce-server-nonce' }
  const server = serverMechanism(mechanism, needs)
  assert.ok(server)
  const plus = readScramName(mechanism)?.plus === true
  const binding = plus ? { type: 'tls-exporter', data: toUtf8('exported key material') } : 'n'
  const forClient = { hashing, username, password, nonce: 'client-nonce-client-nonce' }
  const client = clientMechanism({ mechanism, binding }, authzid === undefined ? forClient : { ...forClient, authzid })
  return { client, server }
}

test('AUTH-01, AUTH-05: our client against our server, each mechanism: right and wrong password, unknown name, own and foreign authzid', async () => {
  const right = 'p\u00e4ssword, = 1'
  for (const mechanism of MECHANISMS) {
    for (const hasInitial of [true, false]) {
      const { client, server } = pair(mechanism, right)
      const ended = await run(client, server, right, hasInitial)
      assert.deepEqual(ended.client, { kind: 'success' }, mechanism)
      assert.ok(ended.server?.kind === 'success')
      assert.equal(ended.server.username, 'j\u00fcrgen')
    }
    const wrong = pair(mechanism, 'other')
    const refused = (await run(wrong.client, wrong.server, 'other')).server
    assert.ok(refused?.kind === 'failure')
    assert.deepEqual([refused.condition, refused.code], ['not-authorized', 'RTK_SASL_CREDENTIALS'], mechanism)
    const stranger = pair(mechanism, right, 'stranger')
    assert.deepEqual((await run(stranger.client, stranger.server, right)).server, refused, 'nothing tells them apart')
    const own = pair(mechanism, right, 'J\u00fcrgen', 'j\u00fcrgen@Example.org')
    assert.deepEqual((await run(own.client, own.server, right)).client, { kind: 'success' })
    for (const foreign of [
      'other@example.org',
      'j\u00fcrgen@example.com',
      'j\u00fcrgen@example.org/x',
      'j\u00fcrgen',
      '@,=',
    ]) {
      const other = pair(mechanism, right, 'J\u00fcrgen', foreign)
      const failed = (await run(other.client, other.server, right)).server
      assert.ok(failed?.kind === 'failure')
      assert.equal(failed.condition, 'invalid-authzid', `${mechanism} ${foreign}`)
    }
  }
})

test('names with "," and "=" are escaped on the way', () => {
  const client = new ScramClient({
    hashing,
    mechanism: 'SCRAM-SHA-1',
    binding: 'n',
    username: 'a,b=c',
    nonce: 'n',
    authzid: '=,',
  })
  assert.equal(text(responseOf(client.begin())), 'n,a==3D=2C,n=a=2Cb=3Dc,r=n')
  const { server } = pair('SCRAM-SHA-1', '')
  const step = server.step(toUtf8('n,,n=a=2Cb=3Dc=3D2C,r=n'))
  assert.ok(step.kind === 'lookup')
  assert.equal(step.username, 'a,b=c=2c')
})

test('credentials survive the way to a row and back; damaged rows are refused', () => {
  for (const mechanism of ['SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
    const credential = credentials.get(HASH_OF[mechanism])
    assert.ok(credential)
    const row = toRow(mechanism, credential)
    assert.match(row.parameters, /^v=1,i=4096,s=[A-Za-z0-9+/]+=*$/)
    const back = fromRow(row)
    assert.ok(back)
    for (const key of ['salt', 'storedKey', 'serverKey'] as const) assert.ok(hashing.equal(back[key], credential[key]))
    assert.deepEqual([back.hash, back.iterations], [credential.hash, 4096])
    assert.equal(fromRow({ ...row, mechanism: 'PLAIN' }), undefined)
    assert.equal(fromRow({ ...row, mechanism: 'constructor' }), undefined)
    assert.equal(fromRow({ ...row, parameters: row.parameters.replace('v=1', 'v=2') }), undefined)
    assert.equal(fromRow({ ...row, parameters: '' }), undefined)
    assert.equal(fromRow({ ...row, parameters: row.parameters.replace('i=', 'i=0') }), undefined)
    assert.equal(fromRow({ ...row, value: row.value.subarray(1) }), undefined)
  }
})

test('a password that cannot be one has no credential', async () => {
  for (const password of ['', 'a\tb', '\u0000']) {
    assert.equal(await deriveScram(hashing, 'sha256', password, new Uint8Array(16), 4096), undefined)
  }
})

test('AUTH-05: the choice of a client: strongest first, channel bindings by XEP-0440', () => {
  const none: ChannelBindings = new Map()
  const scram = ['SCRAM-SHA-1', 'SCRAM-SHA-256', 'PLAIN']
  const plus = [...scram, 'SCRAM-SHA-1-PLUS']
  const tls = { allowPlain: true }
  const rows: readonly [
    string,
    readonly string[],
    readonly string[],
    ChannelBindings,
    Parameters<typeof chooseMechanism>[2],
    string,
  ][] = [
    ['rule 2: cannot bind', plus, ['tls-exporter'], none, tls, 'SCRAM-SHA-256 n'],
    ['rule 3: nothing offered', scram, [], BINDINGS, tls, 'SCRAM-SHA-256 y'],
    ['rule 4: no types', plus, [], BINDINGS, tls, 'SCRAM-SHA-1-PLUS tls-server-end-point'],
    ['rule 5: types, no -PLUS', scram, ['tls-exporter'], BINDINGS, tls, 'RTK_SASL_BINDING_STRIPPED'],
    ['rule 6: none in common', plus, ['tls-unique'], BINDINGS, tls, 'RTK_SASL_BINDING_STRIPPED'],
    [
      'rule 6: we lack the one for all',
      plus,
      ['tls-server-end-point'],
      new Map([['tls-exporter', toUtf8('x')]]),
      tls,
      'SCRAM-SHA-256 n',
    ],
    [
      'rule 7: the strongest',
      plus,
      ['tls-server-end-point', 'tls-exporter'],
      BINDINGS,
      tls,
      'SCRAM-SHA-1-PLUS tls-exporter',
    ],
    ['rule 7: the common one', plus, ['tls-server-end-point'], BINDINGS, tls, 'SCRAM-SHA-1-PLUS tls-server-end-point'],
    ['no TLS', ['PLAIN'], [], none, { allowPlain: false }, 'RTK_SASL_NO_MECHANISM'],
    ['PLAIN at last', ['PLAIN', 'DIGEST-MD5'], [], none, tls, 'PLAIN n'],
    ['nothing known', ['EXTERNAL'], [], none, tls, 'RTK_SASL_NO_MECHANISM'],
    ['pinned', scram, [], none, { allowPlain: true, atLeast: 'SCRAM-SHA-512' }, 'RTK_SASL_NO_MECHANISM'],
    ['pinned and there', scram, [], none, { allowPlain: true, atLeast: 'SCRAM-SHA-256' }, 'SCRAM-SHA-256 n'],
  ]
  for (const [why, mechanisms, bindingTypes, ours, limits, expected] of rows) {
    const choice = chooseMechanism({ mechanisms, bindingTypes }, ours, limits)
    const got =
      'code' in choice
        ? choice.code
        : `${choice.mechanism} ${typeof choice.binding === 'string' ? choice.binding : choice.binding.type}`
    assert.equal(got, expected, why)
  }
})
