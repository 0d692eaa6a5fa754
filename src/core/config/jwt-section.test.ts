/** Mistakes in `auth.jwt`, and in the files that it names: each with its line. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { issuerOf, jwks } from '../../auth/jwt.testing.ts'
import type { Disk } from '../../world/disk.types.ts'
import { WorldError } from '../../world/error.ts'
import { finishConfig, formatMistake, openConfig } from './index.ts'

const secret = JSON.stringify({ kty: 'oct', k: Buffer.from('a secret of thirty-two bytes ...').toString('base64url') })
const ed = issuerOf('EdDSA')
const files: Readonly<Record<string, { readonly text: string; readonly mode?: number }>> = {
  '/etc/r/keys.json': { text: jwks(ed), mode: 0o644 },
  '/etc/r/keys.pem': { text: ed.pem },
  '/etc/r/secret.json': { text: secret, mode: 0o644 },
  '/etc/r/own.json': { text: secret, mode: 0o640 },
  '/etc/r/broken.json': { text: '{' },
  '/etc/r/short.json': { text: jwks(issuerOf('RS256', 'short', 1024)) },
}

async function finish(yaml: string) {
  const all: typeof files = { ...files, '/etc/r/r.yaml': { text: yaml } }
  const disk = {
    readText: (path: string) => {
      const file = all[path]
      if (file !== undefined) return Promise.resolve(file.text)
      return Promise.reject(new WorldError('RTK_DISK_NOT_FOUND', `no ${path}`, { temporary: false }))
    },
    resolve: (base: string, path: string) => {
      if (path.startsWith('/')) return path
      return path === '..' ? base.slice(0, base.lastIndexOf('/')) : `${base}/${path}`
    },
  }
  const modeOf = (path: string) => Promise.resolve(all[path]?.mode)
  const doors = { disk: disk as unknown as Disk, modeOf, modules: new Map(), defaultModules: [] }
  const { config, mistakes } = await finishConfig(await openConfig({ file: '/etc/r/r.yaml' }, doors.disk), doors)
  return { config, told: mistakes.map((mistake) => formatMistake(mistake).replace('/etc/r/r.yaml:', '')) }
}

describe('auth.jwt', () => {
  it('names a file beside the configuration, of JWKS or PEM, for all host types and for each', async () => {
    const { config, told } = await finish(`
auth: { backends: [internal, jwt], jwt: { keys: keys.json, audience: chat } }
host_types:
  other: { auth: { jwt: { keys: /etc/r/keys.pem } } }
`)
    assert.deepEqual(told, [])
    const [one, other] = ['default', 'other'].map((type) => config?.host_types.get(type)?.auth)
    assert.equal(one?.jwt?.keys, '/etc/r/keys.json')
    assert.deepEqual(one?.jwt?.audience, ['chat'])
    assert.equal(one?.jwt?.claim, 'sub')
    assert.ok(!one?.jwt?.algorithms.some((name) => name.startsWith('HS') || name === ('none' as string)))
    // A section is given as a whole.
    assert.deepEqual([other?.jwt?.keys, other?.jwt?.audience], ['/etc/r/keys.pem', []])
    assert.deepEqual(other?.backends, ['internal', 'jwt'])
  })

  it('tells every mistake with its line', async () => {
    const rows: readonly (readonly [yaml: string, told: readonly string[]])[] = [
      [
        'auth:\n  backends: [jwt]\n',
        [
          "2:13: 'jwt' is missing: the back end jwt needs it (for example 'jwt: { keys: keys.json }', the keys of whoever signs the tokens)",
        ],
      ],
      [
        'host_types:\n  a:\n    auth:\n      backends: jwt\n',
        [
          "4:17: 'jwt' is missing: the back end jwt needs it (for example 'jwt: { keys: keys.json }', the keys of whoever signs the tokens)",
        ],
      ],
      ['auth:\n  jwt:\n    claim: sub\n', ["3:5: 'keys' is missing (it is the name of a file)"]],
      [
        'auth:\n  jwt:\n    keys: missing.json\n',
        ['3:11: there is no file /etc/r/missing.json (a relative name is taken from the folder of this file)'],
      ],
      [
        'auth:\n  jwt:\n    keys: broken.json\n',
        ['3:11: /etc/r/broken.json: it is neither PEM nor JSON (a JWKS (RFC 7517), or public keys in PEM)'],
      ],
      [
        'auth: { jwt: { keys: short.json } }',
        [
          '1:22: /etc/r/short.json: no key in it can be used: key short: RSA, 1024 bits is of no use (a JWKS (RFC 7517), or public keys in PEM)',
        ],
      ],
      [
        'auth: { jwt: { keys: own.json } }',
        [
          "1:22: no key in /etc/r/own.json is for one of the algorithms that count (found: a secret of 256 bits) (as in 'algorithms: [HS256]')",
        ],
      ],
      [
        'auth:\n  jwt:\n    keys: keys.json\n    algorithms: [RS256]\n',
        [
          "4:17: no key in /etc/r/keys.json is for one of the algorithms that count (found: Ed25519) (as in 'algorithms: [EdDSA]')",
        ],
      ],
      [
        'auth: { jwt: { keys: secret.json, algorithms: HS256 } }',
        ['1:22: warning: everybody on this machine can read this shared secret (chmod o-r /etc/r/secret.json)'],
      ],
      ['auth: { jwt: { keys: own.json, algorithms: HS256 } }', []],
      ['auth: { jwt: { keys: keys.json, scope: a b } }', ['1:40: one scope, without blanks, is expected']],
      [
        'auth: { jwt: { keys: keys.json, openid_configuration: "http://id.example" } }',
        ['1:55: a URL with https:// is expected'],
      ],
      ['auth: { jwt: { keys: keys.json, leeway: 1 hour } }', ["1:41: '1 hour' is out of range (at most 10 minutes)"]],
      [
        'auth: { jwt: { key: keys.json } }',
        [
          "1:14: 'keys' is missing (it is the name of a file)",
          "1:16: there is no option 'key' in auth.jwt (did you mean 'keys'?)",
        ],
      ],
    ]
    for (const [yaml, expected] of rows) {
      const { config, told } = await finish(yaml)
      assert.deepEqual(told, expected, yaml)
      assert.equal(
        config === undefined,
        expected.some((text) => !text.includes('warning')),
        yaml,
      )
    }
    const { told } = await finish('auth: { jwt: { keys: keys.json, algorithms: [none] } }')
    assert.match(told[0] ?? '', /^1:46: 'none' is not one of RS256, /)
  })
})
