import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Disk } from '../../world/disk.types.ts'
import { WorldError } from '../../world/error.ts'
import { makeAuthority } from '../../world/local-ca.ts'
import type { Tls } from '../../world/net.types.ts'
import { revocationList } from '../../world/revocation.testing.ts'
import { authoritiesWithout, readRevocationLists } from '../../world/revocation.ts'
import { ConfigError, finishConfig, formatMistake, loadConfig, openConfig } from './index.ts'
import { opt, type Secret } from './opt.ts'

/** Files by absolute name, with their modes. */
function worldOf(files: Readonly<Record<string, { text: string; mode?: number }>>) {
  const disk = {
    readText: (path: string) => {
      const file = files[path]
      if (file !== undefined) return Promise.resolve(file.text)
      return Promise.reject(new WorldError('RTK_DISK_NOT_FOUND', `no ${path}`, { temporary: false }))
    },
    readBytes: async (path: string) => Buffer.from(await disk.readText(path), 'latin1'),
    resolve: (base: string, path: string) => {
      if (path.startsWith('/')) return path
      if (path === '..') return base.slice(0, base.lastIndexOf('/'))
      return `${base === '' ? '/cwd' : base}/${path}`
    },
  }
  const tls: Tls = {
    prepare: ({ certPem, keyPem }) => {
      if (certPem === keyPem) {
        const names = certPem.split(' ').slice(1)
        const notAfter = new Date(certPem.startsWith('OLD') ? '2026-01-14T12:00:00Z' : '2027-01-01')
        return { fingerprint: '', notAfter, names, isFor: () => names.length === 0 }
      }
      throw new WorldError('RTK_TLS_BAD_CERTIFICATE', 'certificate and key do not fit', { temporary: false })
    },
    revocations: readRevocationLists,
    withoutList: authoritiesWithout,
  }
  return {
    // Only what the loader uses.
    disk: disk as unknown as Disk,
    tls,
    now: () => Date.UTC(2026, 0, 15),
    modeOf: (path: string) => Promise.resolve(files[path]?.mode),
    modules: new Map([['lamp', { key: opt.secret({ description: 'A key.' }) }]]),
    defaultModules: [],
  }
}

test('file names are taken from the folder of the file, the database from the data directory', async () => {
  const text = `
data_dir: var
tls: { certificates: [{ cert: a.pem, key: a.pem }] }
listeners: [{ protocol: c2s, path: r.sock }]
control: { socket: c.sock }
`
  const world = worldOf({ '/etc/r/r.yaml': { text }, '/etc/r/a.pem': { text: 'A', mode: 0o640 } })
  const config = await loadConfig({ file: '/etc/r/r.yaml' }, world)
  assert.equal(config.data_dir, '/etc/r/var')
  assert.equal(config.store.path, '/etc/r/var/ratatosk.db')
  assert.equal(config.control.socket, '/etc/r/c.sock')
  assert.deepEqual(config.tls.certificates, [{ cert: '/etc/r/a.pem', key: '/etc/r/a.pem' }])
  assert.deepEqual(config.listeners[0]?.place, { kind: 'unix', path: '/etc/r/r.sock' })
  const elsewhere = await loadConfig({ file: '/etc/r/r.yaml' }, { ...world, dataDir: 'd' })
  assert.equal(elsewhere.data_dir, '/cwd/d')
  assert.equal(elsewhere.store.path, '/cwd/d/ratatosk.db')
})

test('missing files and unfit certificates are mistakes beside the others', async () => {
  const text = `tls:
  certificates:
    - { cert: no.pem, key: a.pem }
    - { cert: a.pem, key: b.pem }
limits: { depth: 1 }
modules: { lamp: { key: { file: none } } }
`
  const world = worldOf({
    '/e/r.yaml': { text },
    '/e/a.pem': { text: 'A', mode: 0o600 },
    '/e/b.pem': { text: 'B', mode: 0o644 },
  })
  const { config, mistakes } = await finishConfig(await openConfig({ file: '/e/r.yaml' }, world.disk), world)
  assert.equal(config, undefined)
  assert.deepEqual(mistakes.map(formatMistake), [
    '/e/r.yaml:3:15: there is no file /e/no.pem (a relative name is taken from the folder of this file)',
    '/e/r.yaml:4:15: certificate and key do not fit (PEM: the chain with the own certificate first, and its key)',
    '/e/r.yaml:4:27: warning: everybody on this machine can read this private key (chmod o-r /e/b.pem)',
    '/e/r.yaml:5:18: the number 1 is out of range (8 to 1024)',
    '/e/r.yaml:6:33: there is no file /e/none (a relative name is taken from the folder of this file)',
  ])
})

test('a certificate that has expired is warned of, and hosts that have none', async () => {
  const told = async (hosts: string, pem: string) => {
    const text = `hosts: [${hosts}]\ntls:\n  certificates: [{ cert: a.pem, key: a.pem }]\n`
    const world = worldOf({ '/e/r.yaml': { text }, '/e/a.pem': { text: pem, mode: 0o600 } })
    const { config, mistakes } = await finishConfig(await openConfig({ file: '/e/r.yaml' }, world.disk), world)
    assert.notEqual(config, undefined)
    return mistakes.map(formatMistake)
  }
  const all = 'a.example, b.c.example, bücher.example, localhost, 127.0.0.1'
  assert.deepEqual(await told(all, 'NEW a.example *.c.example xn--bcher-kva.example'), [])
  assert.deepEqual(await told(all, 'NEW'), [], 'one without names is asked')
  assert.deepEqual(await told('a.example, c.example', 'NEW a.example *.c.example'), [
    "/e/r.yaml:3:17: warning: no certificate is for c.example (a certificate of the server's own authority takes its place, which clients do not trust)",
  ])
  assert.match((await told('a.b, c.d, e.f, g.h, i.j', 'NEW x.y')).join(), /is for a\.b, c\.d, e\.f and 2 more/)
  assert.deepEqual(await told('a.example', 'OLD a.example'), [
    '/e/r.yaml:3:26: warning: this certificate expired at 2026-01-14T12:00:00.000Z: clients refuse it (fetch a new one, and reload)',
  ])
})

test('a Unix socket whose whole name is too long is a mistake, however short it stands in the file', async () => {
  const folder = `/e/${'x'.repeat(95)}`
  const text =
    'control: { socket: c2345.sock }\nlisteners: [{ protocol: c2s, path: c.sock }, { protocol: c2s, path: c2345.sock }]\n'
  const world = worldOf({ [`${folder}/r.yaml`]: { text } })
  const { mistakes } = await finishConfig(await openConfig({ file: `${folder}/r.yaml` }, world.disk), world)
  const told = `a Unix socket's name has at most 107 bytes, ${folder}/c2345.sock has 109 (choose a shorter one)`
  assert.deepEqual(
    mistakes.map(formatMistake),
    ['1:20', '2:69'].map((at) => `${folder}/r.yaml:${at}: ${told}`),
  )
})

test('a secret is read from its file; one written out in a readable file is warned of', async () => {
  const world = worldOf({
    '/e/r.yaml': { text: 'modules: { lamp: { key: { file: key } } }' },
    '/e/key': { text: 'wherefore\n', mode: 0o600 },
    '/e/open.yaml': { text: 'modules: { lamp: { key: wherefore } }', mode: 0o644 },
  })
  const config = await loadConfig({ file: '/e/r.yaml' }, world)
  const key = config.host_types.get('default')?.modules.get('lamp')?.['key'] as Secret
  assert.equal(key.reveal(), 'wherefore')
  const warned: string[] = []
  await loadConfig({ file: '/e/open.yaml' }, world, (mistake) => warned.push(formatMistake(mistake)))
  assert.deepEqual(warned, [
    '/e/open.yaml:1:25: warning: everybody on this machine can read this secret (chmod o-r /e/open.yaml)',
  ])
})

test('a missing configuration is told as such', async () => {
  const world = worldOf({})
  await assert.rejects(loadConfig({ file: '/e/r.yaml' }, world), (error) => {
    assert(error instanceof ConfigError)
    assert.equal(
      error.message,
      '/e/r.yaml: there is no such file (is the name right? without a file every option has its default)',
    )
    return true
  })
})

test('without a file, all is default and under the working directory', async () => {
  const config = await loadConfig({ value: {} }, worldOf({}))
  assert.equal(config.data_dir, '/cwd/data')
  assert.equal(config.file, '')
})

test('a secret is read from the environment where the command gives it one', async () => {
  const text = 'modules: { lamp: { key: { env: LAMP_KEY } } }'
  const world = worldOf({ '/r.yaml': { text } })
  const keyOf = async (variable?: (name: string) => string | undefined) => {
    const { config, mistakes } = await finishConfig(await openConfig({ file: '/r.yaml' }, world.disk), {
      ...world,
      variable,
    })
    const options = config?.host_types.get('default')?.modules.get('lamp')
    return (options?.['key'] as Secret | undefined)?.reveal() ?? mistakes.map(formatMistake).join()
  }
  assert.equal(await keyOf((name) => (name === 'LAMP_KEY' ? 'light' : undefined)), 'light')
  assert.match(await keyOf(() => undefined), /r\.yaml:1:\d+.*the environment has no variable LAMP_KEY/)
  assert.match(await keyOf(), /an embedded server is not told of any/)
})

test('PostgreSQL: every mistake by its line; what means nothing to the engine is warned of', async () => {
  const told = async (text: string, files: Parameters<typeof worldOf>[0] = {}) => {
    const world = worldOf({ '/etc/r.yaml': { text }, ...files })
    const { mistakes } = await finishConfig(await openConfig({ file: '/etc/r.yaml' }, world.disk), world)
    return mistakes.map(({ severity, line, path, text }) => `${severity} ${line} ${path}: ${text}`)
  }
  assert.deepEqual(await told('store:\n  engine: postgres\n'), [
    "error 2 store.engine: 'url' is missing: the engine postgres needs it",
  ])
  const text = `store:
  engine: postgres
  path: some.db
  url:
    - postgres://u@h/d
    - postgres://u:secret@h/d
  tls: yes
  tls_ca: ca.pem
  password: { file: none }
`
  assert.deepEqual(await told(text, { '/etc/ca.pem': { text: 'no certificate' } }), [
    'error 6 store.url[1]: a password does not belong into the URL: write it under store.password',
    "error 7 store.tls: 'yes' is not one of auto, verify, trust, off",
    'error 8 store.tls_ca: /etc/ca.pem holds no certificate',
    'error 9 store.password.file: there is no file /etc/none',
  ])
  assert.deepEqual(await told('store:\n  url: postgres://u@h/d\n'), [
    'warning 2 store.url: store.url means nothing to the engine sqlite',
  ])
})

test('each mistake with revocation lists is told where it stands', async () => {
  const [one, two] = [makeAuthority(new Date(Date.UTC(2026, 0, 1))), makeAuthority(new Date(Date.UTC(2026, 0, 1)))]
  const january = { thisUpdate: new Date(Date.UTC(2026, 0, 1)), nextUpdate: new Date(Date.UTC(2026, 1, 1)) }
  const past = { thisUpdate: new Date(Date.UTC(2025, 0, 1)), nextUpdate: new Date(Date.UTC(2026, 0, 1)) }
  const future = { thisUpdate: new Date(Date.UTC(2027, 0, 1)), nextUpdate: new Date(Date.UTC(2027, 1, 1)) }
  const pem = (authority: typeof one, times: typeof past) => revocationList(authority, [], times).pem
  const files = {
    '/e/roots.pem': { text: one.certPem + two.certPem },
    '/e/good.crl': { text: `${pem(one, january)}${pem(two, january)}` },
    '/e/one.der': { text: Buffer.from(revocationList(one, [], january).der).toString('latin1') },
    '/e/old.crl': { text: pem(two, past) },
    '/e/early.crl': { text: pem(two, future) },
    '/e/garbage.crl': { text: 'hello' },
    '/e/cut.crl': { text: Buffer.from(revocationList(one, [], january).der.subarray(0, -1)).toString('latin1') },
  }
  const told = async (tls: string) => {
    const world = worldOf({ ...files, '/e/r.yaml': { text: `tls:\n${tls}\n` } })
    const { mistakes } = await finishConfig(await openConfig({ file: '/e/r.yaml' }, world.disk), world)
    return mistakes.map(formatMistake).map((line) => line.replace(/Ratatosk local CA [0-9a-f]+/g, 'CA'))
  }
  const roots = '  client_ca: roots.pem\n  client_crl:'
  const shown = '(PEM or DER, as `openssl crl -in FILE -noout -text` shows it)'
  assert.deepEqual(await told(`${roots} good.crl`), [])
  assert.deepEqual(await told(`${roots} [one.der, good.crl]`), [])
  assert.deepEqual(await told(`${roots} []`), [])
  assert.deepEqual(await told(`${roots} no.crl`), [
    '/e/r.yaml:3:15: there is no file /e/no.crl (a relative name is taken from the folder of this file)',
  ])
  assert.deepEqual(await told(`${roots}\n    - good.crl\n    - garbage.crl\n    - roots.pem\n    - cut.crl`), [
    `/e/r.yaml:5:7: /e/garbage.crl: this is no revocation list: it is neither PEM nor DER ${shown}`,
    `/e/r.yaml:6:7: /e/roots.pem: this is no revocation list: it holds a CERTIFICATE ${shown}`,
    `/e/r.yaml:7:7: /e/cut.crl: this is no revocation list: its form is another ${shown}`,
  ])
  assert.deepEqual(await told(`${roots} [one.der, old.crl]`), [
    '/e/r.yaml:3:25: warning: the list of CA in /e/old.crl expired at 2026-01-01T00:00:00.000Z: none of its certificates counts (fetch the present one, and reload)',
  ])
  assert.deepEqual(await told(`${roots} [one.der, early.crl]`), [
    '/e/r.yaml:3:25: warning: the list of CA in /e/early.crl is for the time from 2027-01-01T00:00:00.000Z on: none of its certificates counts (is the clock right?)',
  ])
  assert.deepEqual(await told(`${roots} one.der`), [
    '/e/r.yaml:3:15: warning: CA in /e/roots.pem has no list here: none of its certificates counts (add its list, empty or not, or take it out of client_ca)',
  ])
  assert.deepEqual(await told('  client_crl: good.crl'), [
    "/e/r.yaml:2:15: there is nobody whose certificates it is for (set 'client_ca' beside it)",
  ])
})
