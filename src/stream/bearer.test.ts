/** OAUTHBEARER (RFC 7628) on the server's stream, in both profiles. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { auth, authenticate, header, makeAccount, rawPair } from './kit.testing.ts'
import { fakeTls } from './memory.testing.ts'

const account = await makeAccount('r0m30')
const base64 = (text: string) => Buffer.from(text).toString('base64')
const first = (token: string, authzid = '') => base64(`n,${authzid},\x01auth=Bearer ${token}\x01\x01`)
const dummy = base64('\x01')

/** The two profiles, as far as they differ. */
const profiles = [
  { name: 'RFC 6120', ns: 'urn:ietf:params:xml:ns:xmpp-sasl', begin: auth },
  { name: 'XEP-0388', ns: 'urn:xmpp:sasl:2', begin: authenticate },
] as const

function pair(isSecure = true) {
  const made = rawPair(account, isSecure ? { tls: fakeTls() } : {})
  made.driver.offered = ['OAUTHBEARER', 'PLAIN']
  made.driver.bearers.set('good', { result: 'right', username: 'juliet' })
  made.driver.bearers.set('late', { result: 'credentials-expired', username: 'juliet' })
  made.driver.bearers.set('disabled', { result: 'account-disabled', username: 'juliet' })
  made.client.ask(header)
  return made
}

for (const { name, ns, begin } of profiles) {
  const response = (data: string) => `<response xmlns='${ns}'>${data}</response>`
  const shown = (heard: string) => Buffer.from(/<challenge [^>]*>([^<]*)</.exec(heard)?.[1] ?? '', 'base64').toString()

  describe(`OAUTHBEARER in the profile of ${name}`, () => {
    it('AUTH-05: a good token signs its account in', () => {
      for (const authzid of ['', 'a=juliet@localhost']) {
        const { client, driver } = pair()
        assert.match(client.ask(begin('OAUTHBEARER', first('good', authzid))), /^<success /)
        assert.equal(driver.signIns[0]?.jid.toString(), 'juliet@localhost')
        assert.equal(driver.signIns[0]?.mechanism, 'OAUTHBEARER')
        assert.deepEqual(driver.failures, [])
      }
    })

    it('section 3.2.3: a bad one is told why, then that it failed, and is counted once', () => {
      for (const [token, condition] of [
        ['bad', 'not-authorized'],
        ['late', 'credentials-expired'],
      ] as const) {
        const { client, driver } = pair()
        const challenge = client.ask(begin('OAUTHBEARER', first(token)))
        assert.deepEqual(JSON.parse(shown(challenge)), {
          status: 'invalid_token',
          scope: 'xmpp',
          'openid-configuration': 'https://id.example/.well-known/openid-configuration',
        })
        // A client that goes away now has failed all the same.
        assert.equal(driver.failures.length, 1)
        assert.equal(driver.failures[0]?.condition, condition)
        assert.match(client.ask(response(dummy)), new RegExp(`^<failure [^>]*><${condition}[ /]`))
        assert.equal(driver.failures.length, 1)
      }
    })

    it('one that aborts instead is told so, and has had its attempt', () => {
      const { client, driver } = pair()
      client.ask(begin('OAUTHBEARER', first('bad')))
      assert.match(client.ask(`<abort xmlns='${ns}'/>`), /^<failure [^>]*><aborted[ /]/)
      assert.deepEqual(
        driver.failures.map(({ code }) => code),
        ['RTK_SASL_BEARER', 'RTK_SASL_ABORTED'],
      )
    })

    it('LST-12: the last attempt is over at once, whatever the client has left out before', () => {
      for (const between of ['', response(dummy), `<abort xmlns='${ns}'/>`]) {
        // SASL2 lets nobody begin anew in the middle (XEP-0388 section 2.4).
        if (between === '' && name === 'XEP-0388') continue
        const { client, driver } = pair()
        for (let n = 0; n < 2; n++) {
          assert.match(client.ask(begin('OAUTHBEARER', first('bad'))), /<challenge /)
          if (between !== '') client.ask(between)
        }
        const last = client.ask(begin('OAUTHBEARER', first('bad')))
        assert.match(last, /^<failure [^>]*><not-authorized[^>]*\/><\/failure><stream:error><policy-violation /)
        assert.equal(driver.failures.filter(({ code }) => code === 'RTK_SASL_BEARER').length, 3)
      }
    })

    it('section 4.3: who has no token is told what it needs, and may try again', () => {
      const { client } = pair()
      for (let n = 0; n < 5; n++) {
        const challenge = client.ask(begin('OAUTHBEARER', base64('n,,\x01auth=\x01\x01')))
        assert.equal(JSON.parse(shown(challenge)).scope, 'xmpp')
        assert.match(client.ask(response(dummy)), /<not-authorized[ /]/)
      }
      assert.match(client.ask(begin('OAUTHBEARER', first('good'))), /^<success /)
    })

    it('a disabled account and a back end that cannot tell are told at once', () => {
      const { client, driver } = pair()
      assert.match(client.ask(begin('OAUTHBEARER', first('disabled'))), /<account-disabled[ /]/)
      driver.isUnavailable = true
      assert.match(client.ask(begin('OAUTHBEARER', first('good'))), /<temporary-auth-failure[ /]/)
    })

    it('AUTH-01: acts for nobody else', () => {
      const { client } = pair()
      assert.match(client.ask(begin('OAUTHBEARER', first('good', 'a=romeo@localhost'))), /<invalid-authzid[ /]/)
    })

    it('section 3: inside of TLS only', () => {
      const { client, driver } = pair(false)
      assert.match(client.ask(begin('OAUTHBEARER', first('good'))), /<encryption-required[ /]/)
      assert.deepEqual(driver.signIns, [])
    })
  })
}
