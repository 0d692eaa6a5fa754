/** What is seen of the options of the back end `jwt` that a reload takes over: one proof each. */
import { tokenOf } from '../auth/jwt.testing.ts'
import { otherIssuer, tokenIssuer } from '../listeners/symbolic.testing.ts'
import { type Look, type Proof, type Sections, shows } from './hot-options.testing.ts'

/** The back end jwt beside `internal`, with these options. */
const byToken = (options: Sections = {}): Sections => ({
  auth: { backends: ['internal', 'jwt'], jwt: { keys: '/tls/tokens.json', ...options } },
})

/** Shows a token with these claims, which lasts so many seconds: who it lets in, or the condition, with the error of RFC 7628 before it. */
const showsToken =
  (claims: Sections = {}, issuer = tokenIssuer, lasts = 600): Look =>
  async (ground) => {
    const exp = ground.symbolic.simulation.world('server').clock.wallMs() / 1_000 + lasts
    const message = `n,,\x01auth=Bearer ${tokenOf(issuer, { sub: 'romeo', exp, ...claims })}\x01\x01`
    const wire = await ground.secured()
    const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
    wire.says(`<auth xmlns='${NS_SASL}' mechanism='OAUTHBEARER'>${btoa(message)}</auth>`)
    const heard = await wire.hears(/<success [^>]*\/>|<\/challenge>|<\/failure>/)
    const challenge = /<challenge [^>]*>([^<]*)</.exec(heard)?.[1]
    if (challenge !== undefined) {
      wire.closes()
      return atob(challenge)
    }
    if (!heard.includes('<success')) {
      wire.closes()
      return /<failure [^>]*><([a-z-]+)/.exec(heard)?.[1] ?? ''
    }
    const name = (await wire.binds()).split('@')[0] ?? ''
    wire.closes()
    return name
  }

const invalidToken = '{"status":"invalid_token"}'

/** By the path of the option. */
export const tokenProofs: Readonly<Record<string, Proof>> = {
  'auth.jwt.keys': shows(byToken(), byToken({ keys: '/tls/others.json' }), showsToken({}, otherIssuer), [
    invalidToken,
    'romeo',
  ]),
  'auth.jwt.algorithms': shows(byToken({ algorithms: ['Ed25519'] }), byToken(), showsToken(), [invalidToken, 'romeo']),
  'auth.jwt.issuer': shows(byToken({ issuer: 'https://id.example' }), byToken(), showsToken(), [invalidToken, 'romeo']),
  'auth.jwt.audience': shows(byToken(), byToken({ audience: 'chat' }), showsToken({ aud: 'chat' }), [
    invalidToken,
    'romeo',
  ]),
  'auth.jwt.claim': shows(byToken(), byToken({ claim: 'name' }), showsToken({ name: 'juliet' }), ['romeo', 'juliet']),
  'auth.jwt.scope': shows(byToken({ scope: 'xmpp' }), byToken(), showsToken(), [
    '{"status":"insufficient_scope","scope":"xmpp"}',
    'romeo',
  ]),
  'auth.jwt.openid_configuration': shows(
    byToken(),
    byToken({ openid_configuration: 'https://id.example/' }),
    showsToken({ sub: '' }),
    [invalidToken, '{"status":"invalid_token","openid-configuration":"https://id.example/"}'],
  ),
  'auth.jwt.leeway': shows(byToken(), byToken({ leeway: '10 minutes' }), showsToken({}, tokenIssuer, -60), [
    invalidToken,
    'romeo',
  ]),
  'auth.jwt.make_accounts': shows(byToken({ make_accounts: false }), byToken(), showsToken({ sub: 'nurse' }), [
    invalidToken,
    'nurse',
  ]),
}
