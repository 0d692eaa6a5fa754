/** XEP-0480: hashes that an account lacks, made by its client after it has signed in. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authenticate, hashing, header, makeAccount, plain, rawPair, type TestAccount } from './kit.testing.ts'
import { fakeTls } from './memory.testing.ts'
import { deriveScram, HASH_OF, type ScramName, stretch } from './sasl/index.ts'

const whole = await makeAccount('r0m30')
/** As after an import: it has the oldest hash only. */
const old: TestAccount = {
  password: 'r0m30',
  credentials: new Map([...whole.credentials].filter(([name]) => name === 'SCRAM-SHA-1')),
}
const NS = "xmlns='urn:xmpp:sasl:2'"
const upgrade = (name: string) => `<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>${name}</upgrade>`
const both = `${upgrade('UPGR-SCRAM-SHA-256')}${upgrade('UPGR-SCRAM-SHA-512')}`
const right = plain('juliet', 'r0m30')
const next = (name: string) => `<next ${NS} task='${name}'/>`
const hash = (text: string) => `<task-data ${NS}><hash xmlns='urn:xmpp:scram-upgrade:0'>${text}</hash></task-data>`

function pair(account = old) {
  const made = rawPair(account, { tls: fakeTls() })
  made.driver.hosts.set('localhost', { domain: 'localhost', tls: 'required', hasSasl2: true, upgrades: true })
  made.client.ask(header)
  return made
}

/** What our client would make of the salt that it is shown. */
async function hashFor(answer: string, mechanism: ScramName): Promise<string> {
  const [, iterations = '', salt = ''] =
    /^<task-data [^>]*><salt xmlns='urn:xmpp:scram-upgrade:0' iterations='(\d+)'>([^<]+)<\/salt><\/task-data>$/.exec(
      answer,
    ) ?? assert.fail(answer)
  const key = await stretch(hashing, HASH_OF[mechanism], 'r0m30', Buffer.from(salt, 'base64'), Number(iterations))
  return Buffer.from(key ?? []).toString('base64')
}

const continued = (name: string) => `<continue ${NS}><tasks><task>${name}</task></tasks></continue>`

test('section 3: one task after the other, then success; what is kept is what the password makes', async () => {
  const { client, driver } = pair()
  const strong = 'UPGR-SCRAM-SHA-512'
  assert.equal(client.ask(authenticate('PLAIN', right, both)), continued(strong))
  assert.deepEqual(driver.signIns, [], 'not before all is done (XEP-0388 section 2.6.3)')
  const first = await hashFor(client.ask(next(strong)), 'SCRAM-SHA-512')
  assert.equal(client.ask(hash(first)), continued('UPGR-SCRAM-SHA-256'))
  const second = await hashFor(client.ask(next('UPGR-SCRAM-SHA-256')), 'SCRAM-SHA-256')
  assert.match(client.ask(hash(second)), /^<success /)
  for (const mechanism of ['SCRAM-SHA-512', 'SCRAM-SHA-256'] as const) {
    const kept = driver.upgraded.get(mechanism) ?? assert.fail()
    const made = await deriveScram(hashing, HASH_OF[mechanism], 'r0m30', kept.salt, kept.iterations)
    assert.deepEqual(kept, made)
  }
})

test('what the account has, what nobody offers to do, and names that nobody knows are no tasks', () => {
  for (const [account, more] of [
    [whole, both],
    [old, ''],
    [old, upgrade('UPGR-SCRAM-SHA-256-PLUS')],
    [old, upgrade('UPGR-BLOOP2')],
    [old, upgrade('UPGR-SCRAM-SHA-1')],
  ] as const) {
    const { client } = pair(account)
    assert.match(client.ask(authenticate('PLAIN', right, more)), /^<success /)
  }
})

test('a host that takes none asks for none', () => {
  const { client, driver } = pair()
  driver.hosts.set('localhost', { domain: 'localhost', tls: 'required', hasSasl2: true })
  const other = rawPair(old, { tls: fakeTls() })
  other.client.ask(header)
  assert.match(other.client.ask(authenticate('PLAIN', right, both)), /^<success /)
  assert.match(client.ask(authenticate('PLAIN', right, both)), /^<continue /, 'as it was when the stream began')
})

test('XEP-0388 section 2.6.1: data of the mechanism travels with the first <continue/>, and not again', async () => {
  const { client } = pair()
  const nonce = 'abcdefghabcdefgh'
  const bare = `n=juliet,r=${nonce}`
  const challenge = client.ask(authenticate('SCRAM-SHA-1', Buffer.from(`n,,${bare}`).toString('base64'), both))
  const text = Buffer.from(/>([^<]+)</.exec(challenge)?.[1] ?? '', 'base64').toString()
  const [, whole = '', salt = ''] = /^r=([^,]+),s=([^,]+),i=4096/.exec(text) ?? assert.fail(text)
  const salted = (await stretch(hashing, 'sha1', 'r0m30', Buffer.from(salt, 'base64'), 4096)) ?? assert.fail()
  const clientKey = hashing.hmac('sha1', salted, Buffer.from('Client Key'))
  const signed = Buffer.from(`${bare},${text},c=biws,r=${whole}`)
  const signature = hashing.hmac('sha1', hashing.hash('sha1', clientKey), signed)
  const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0))).toString('base64')
  const response = Buffer.from(`c=biws,r=${whole},p=${proof}`).toString('base64')
  const answer = client.ask(`<response ${NS}>${response}</response>`)
  assert.match(answer, /^<continue [^>]*><additional-data>[^<]+<\/additional-data><tasks>/)
  client.ask(next('UPGR-SCRAM-SHA-512'))
  assert.match(client.ask(hash(Buffer.alloc(64).toString('base64'))), /^<continue [^>]*><tasks>/)
})

const wrong: readonly (readonly [string, readonly string[], string])[] = [
  ['another task than the one that was set', [next('UPGR-SCRAM-SHA-1')], 'malformed-request'],
  ['no hash', [next('UPGR-SCRAM-SHA-512'), `<task-data ${NS}/>`], 'malformed-request'],
  ['an empty hash', [next('UPGR-SCRAM-SHA-512'), hash('')], 'malformed-request'],
  ['a hash of another length', [next('UPGR-SCRAM-SHA-512'), hash('AAAA')], 'malformed-request'],
  ['no base64', [next('UPGR-SCRAM-SHA-512'), hash('?')], 'malformed-request'],
  ['<abort/> in place of <next/>', [`<abort ${NS}/>`], 'aborted'],
  ['<abort/> in place of data', [next('UPGR-SCRAM-SHA-512'), `<abort ${NS}/>`], 'aborted'],
]

for (const [title, said, condition] of wrong) {
  test(`${title}: ${condition}, nothing is done; XEP-0388 section 4.8: the client begins again on another stream`, () => {
    const { client, driver, machine } = pair()
    client.ask(authenticate('PLAIN', right, both))
    const answers = said.map((text) => client.ask(text))
    assert.match(answers.at(-1) ?? '', new RegExp(`^<failure ${NS}><${condition} `))
    assert.equal(machine.state, 'features')
    assert.deepEqual([driver.signIns, driver.requests], [[], []])
    assert.equal(driver.failures.at(-1)?.username, 'juliet')
    assert.match(client.ask(authenticate('PLAIN', right)), /<stream:error><not-authorized .*<\/stream:stream>$/)
    assert.deepEqual([driver.signIns, driver.requests], [[], []])
  })
}

test('XEP-0388 section 2.4: anything else ends the stream', () => {
  for (const text of [`<response ${NS}/>`, '<presence/>', authenticate('PLAIN', right), hash('AAAA')]) {
    const { client } = pair()
    client.ask(authenticate('PLAIN', right, both))
    assert.match(client.ask(text), /<stream:error><policy-violation /)
  }
})

test('a stream that is held while the store thinks goes on, and one that ends meanwhile is done', () => {
  const { client, driver } = pair()
  driver.later = true
  assert.equal(client.ask(authenticate('PLAIN', right, both)), '')
  driver.answerAll()
  assert.equal(client.read(), '')
  driver.answerAll()
  assert.equal(client.read(), continued('UPGR-SCRAM-SHA-512'))
  client.ask(next('UPGR-SCRAM-SHA-512'))
  assert.equal(client.ask(hash(Buffer.alloc(64).toString('base64'))), '')
  driver.answerAll()
  assert.equal(client.read(), continued('UPGR-SCRAM-SHA-256'))
})
