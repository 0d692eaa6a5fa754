/**
 * The rows that no relay can answer, against our own server; between them stands a wire that loses, doubles or changes one
 * thing, and each such thing must void its row.
 */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer as createNetServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createServer, type Server as RatatoskServer } from '../../src/index.ts'
import { jid } from '../../src/jid/index.ts'
import { makeCertificate } from '../peers/certificate.ts'
import { contactsOf } from '../peers/contacts.ts'
import type { Accounts } from '../peers/peer.ts'
import { findProgram } from '../peers/process.ts'
import { userName } from '../peers/scram.ts'

const here = import.meta.dirname
const needed = ['gcc', 'openssl'].filter((name) => !findProgram(name))
const skip = needed.length > 0 ? `needs ${needed.join(' and ')} from Debian` : false
const DOMAIN = 'bench.local'
/** Rows with rosters are about all accounts, as the generator knows them. */
const accounts: Accounts = { prefix: 'u', count: 24, password: 'correct horse', contacts: 6 }

type Line = Readonly<Record<string, string | number>>
/** What the server says, changed: bytes as latin-1. */
type Change = (text: string) => string

const honest: Change = (text) => text

/** Changes what matches, the first time that anything does. */
function onceOnly(pattern: RegExp, by: (found: string) => string): Change {
  let done = false
  return (text) =>
    done
      ? text
      : text.replace(pattern, (found) => {
          done = true
          return by(found)
        })
}
const lose = (pattern: RegExp): Change => onceOnly(pattern, () => '')
const double = (pattern: RegExp): Change => onceOnly(pattern, (found) => found + found)

describe('the rows of a whole server', { skip }, () => {
  let server: RatatoskServer
  const ports = new Map<string, number>()
  const directory = mkdtempSync(join(tmpdir(), 'ratatosk-rows-'))
  const certificate = makeCertificate(directory, DOMAIN)

  before(async () => {
    const built = spawnSync(join(here, 'build.sh'), { encoding: 'utf8' })
    assert.equal(built.status, 0, built.stderr)
    server = await createServer({
      config: {
        hosts: [DOMAIN],
        store: { engine: 'memory' },
        auth: { scram_iterations: 4096 },
        tls: { certificates: [{ cert: certificate.cert, key: certificate.key }] },
        listeners: [
          { name: 'plain', protocol: 'c2s', tls: 'none', address: '127.0.0.1', port: 0 },
          { name: 'starttls', protocol: 'c2s', tls: 'starttls', address: '127.0.0.1', port: 0 },
        ],
      },
    })
    for (const { name, place } of server.listening) if (place.kind === 'tcp') ports.set(name, place.port)
    for (let index = 0; index < accounts.count; index++) {
      const local = userName(accounts, index)
      await server.accounts.add(jid(`${local}@${DOMAIN}`), accounts.password)
      await giveRoster(local, contactsOf(accounts, DOMAIN, index))
    }
  })
  after(async () => {
    await server?.close()
    rmSync(directory, { recursive: true })
  })

  async function giveRoster(local: string, contacts: readonly string[]): Promise<void> {
    const found = server.core.localHost(DOMAIN)
    assert.ok(found)
    const item = {
      name: '',
      subscription: 'both',
      pending_out: false,
      pending_in: false,
      listed: true,
      approved: false,
    }
    const rows = contacts.map((contact) => ({ ...item, contact, groups: '[]', request: null }))
    const told = found.type.hooks.waitingNotice('account:import', {
      ...{ host: found.host, local },
      data: [{ store: 'roster', rows }],
    })
    assert.equal(await told, 0)
  }

  /** Runs the generator through a wire; its rows, or what it died of. */
  async function load(args: readonly string[], change: Change = honest): Promise<Line[]> {
    const sockets: Socket[] = []
    const port = ports.get(args.includes('--tls') ? 'starttls' : 'plain') ?? 0
    const wire: Server = createNetServer({ noDelay: true }, (client) => {
      const upstream = connect({ host: '127.0.0.1', port, noDelay: true })
      sockets.push(client, upstream)
      client.on('error', () => upstream.destroy()).pipe(upstream)
      upstream.on('error', () => client.destroy()).on('end', () => client.end())
      upstream.on('data', (bytes) => client.write(Buffer.from(change(bytes.toString('latin1')), 'latin1')))
    })
    wire.listen(0, '127.0.0.1')
    await once(wire, 'listening')
    const address = wire.address()
    assert.ok(address !== null && typeof address === 'object')
    const more = ['--port', String(address.port), '--users', String(accounts.count), '--pid', String(process.pid)]
    const child = spawn(join(here, 'build', 'load'), [...args, ...more], { timeout: 30_000 })
    const text = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (part: string) => {
        text[name] += part
      })
    try {
      const [code] = (await once(child, 'close')) as [number | null]
      if (code !== 0) throw new Error(text.stderr)
    } finally {
      for (const socket of sockets) socket.destroy()
      wire.close()
    }
    const lines = text.stdout.split('\n').filter((line) => line.startsWith('{'))
    return lines.map((line) => JSON.parse(line) as Line)
  }

  function isRight(row: Line | undefined, name: string): asserts row is Line {
    assert.equal(row?.['row'], name)
    assert.equal(row?.['valid'], 1, String(row?.['fault']))
    assert.ok(Number(row?.['units']) > 0 && Number(row?.['cpu_us']) > 0)
  }

  const short = ['--warm', '0.1', '--seconds', '0.4', '--settle', '0', '--drain', '0.5']
  const contacts = ['--contacts', String(accounts.contacts)]

  describe('presence', () => {
    const row = ['presence', ...contacts, '--active', '4', ...short]

    test('counts what every contact and the account itself has of each broadcast', async () => {
      const [seen] = await load(row)
      isRight(seen, 'presence')
      assert.equal(seen['received'], Number(seen['sent']) * (Number(accounts.contacts) + 1))
    })

    const stanza = /<presence [^>]*>(?:(?!<\/presence>).)*<status>p0000[^<]*00000002 (?:(?!<\/presence>).)*<\/presence>/
    const faults: [string, Change, RegExp][] = [
      ['lost', lose(stanza), /lost, doubled, late or changed|never arrived/],
      ['doubled', double(stanza), /lost, doubled, late or changed/],
      ['another state', onceOnly(/<show>away</, () => '<show>dnd<'), /changed/],
      [
        'from another resource',
        onceOnly(/(<presence [^>]*from=.u0000\d@bench.local\/)load(.[^>]*><show)/, (found) =>
          found.replace('/load', '/evil'),
        ),
        /unexpected/,
      ],
    ]
    for (const [what, change, said] of faults) {
      test(`voids the row: ${what}`, async () => {
        const [seen] = await load(row, change)
        assert.equal(seen?.['valid'], 0)
        assert.match(String(seen?.['fault']), said)
      })
    }

    test('is not measured where the rosters are others', async () => {
      await assert.rejects(
        load(['presence', '--contacts', '8', '--active', '4', ...short]),
        /a roster of 6 contacts, not 8/,
      )
    })
  })

  describe('carbons', () => {
    const row = ['chat', ...contacts, '--pairs', '8', '--rows', 'window:4/4', '--resources', '3', '--carbons', ...short]

    test('counts four copies of each message', async () => {
      const [seen] = await load(row)
      isRight(seen, 'window:4/4')
      assert.equal(seen['sent'], seen['received'])
      assert.equal(seen['copies'], 4 * Number(seen['sent']))
    })

    const copy = (kind: string) =>
      new RegExp(`<message (?:(?!</?message).)*<${kind} xmlns.{0,30}carbons(?:(?!</${kind}>).)*</${kind}></message>`)
    const faults: [string, Change, RegExp][] = [
      ['a copy of what was received is lost', lose(copy('received')), /a copy: a gap|copies never arrived/],
      ['a copy of what was sent is lost', lose(copy('sent')), /a copy: a gap|copies never arrived/],
      ['a copy comes twice', double(copy('sent')), /a copy: again/],
      [
        'a copy is from somebody else',
        onceOnly(copy('received'), (found) => found.replace(/from=(.)u000/, 'from=$1u999')),
        /a copy: wrong from/,
      ],
      [
        'a copy says other words',
        onceOnly(copy('received'), (found) => found.replace('meet', 'part')),
        /a copy: wrong payload/,
      ],
    ]
    for (const [what, change, said] of faults) {
      test(`voids the row: ${what}`, async () => {
        const [seen] = await load(row, change)
        assert.equal(seen?.['valid'], 0)
        assert.match(String(seen?.['fault']), said)
      })
    }

    test('is not measured where the server does not say that it has them', async () => {
      const silent: Change = (text) => text.replaceAll(/<feature var=.urn:xmpp:carbons:2.\/>/g, '')
      await assert.rejects(load(row, silent), /does not offer urn:xmpp:carbons:2/)
    })
  })

  describe('offline', () => {
    const row = ['offline', ...contacts, '--count', '12', '--senders', '3', '--messages', '6', '--concurrency', '4']

    test('counts what is kept and what is handed over', async () => {
      const [keep, hand] = await load(row)
      isRight(keep, 'keep')
      isRight(hand, 'hand')
      assert.deepEqual([keep['units'], hand['units'], hand['received']], [72, 72, 72])
      assert.ok(Number(hand['latency_p50_us']) > 0)
    })

    const message = /<message (?:(?!<\/message>).)*<delay (?:(?!<\/message>).)*<\/message>/
    const faults: [string, Change, RegExp][] = [
      ['lost', lose(message), /a gap before|messages arrived/],
      ['doubled', double(message), /again, late or never sent/],
      ['without a delay', onceOnly(/<delay [^>]*>Offline Storage<\/delay>/, () => ''), /kept, but without a delay/],
    ]
    for (const [what, change, said] of faults) {
      test(`voids the row: ${what}`, async () => {
        // What a row that was void left in the store would come first.
        await load(['storm', ...contacts, '--count', '12', '--rounds', '1', '--settle', '0'])
        const rows = await load(row, change)
        const seen = rows.at(-1)
        assert.equal(seen?.['valid'], 0)
        assert.match(String(seen?.['fault']), said)
      })
    }
  })

  describe('the others', () => {
    test('a storm by SASL2 and by tokens, which TLS alone has', async () => {
      const args = ['storm', ...contacts, '--count', '8', '--rounds', '2', '--concurrency', '4', '--settle', '0']
      const secured = ['--tls', 'starttls', '--ca', certificate.ca]
      const rows = await load([...args, ...secured, '--logins', 'classic,sasl2,fast'])
      for (const [i, name] of ['storm', 'storm:sasl2', 'storm:fast'].entries()) isRight(rows[i], name)
      await assert.rejects(load([...args, '--logins', 'sasl2']), /SASL2 is not offered/)
    })

    test('pings are answered while others sign in', async () => {
      const [row] = await load(['delay', ...contacts, '--count', '20', '--rounds', '2', '--settle', '0.05'])
      isRight(row, 'delay')
      assert.ok(Number(row['sent']) > 0 && Number(row['latency_p99_us']) > 0)
    })

    test('idle sessions have seen their contacts and acknowledge', async () => {
      const args = [
        'idle',
        ...contacts,
        '--count',
        String(accounts.count),
        '--seconds',
        '0.2',
        '--settle',
        '0.1',
        '--sm',
      ]
      const [row] = await load(args)
      assert.equal(row?.['valid'], 1, String(row?.['fault']))
    })
  })

  // The last: sessions whose client was stopped wait here for a while, and what they have not acknowledged comes to their account.
  describe('stream management', () => {
    // What a row that was void left behind comes to the account's next session, before this one begins.
    const settled = [...short, '--settle', '0.5']
    const row = ['chat', ...contacts, '--pairs', '8', '--rows', 'window:4/4', '--sm', '--carbons', ...settled]

    test('is asked, answers, and at the end all is acknowledged', async () => {
      const [seen] = await load(row)
      isRight(seen, 'window:4/4')
      assert.equal(seen['sent'], seen['received'])
      assert.ok(Number(seen['asked']) >= Math.floor(Number(seen['sent']) / 5) && Number(seen['acked']) > 0)
      assert.ok(Number(seen['answered']) > 0, 'the server asks, too')
    })

    const faults: [string, Change, RegExp][] = [
      [
        'more is acknowledged than was sent',
        onceOnly(/<a [^>]*h=.\d+/, (found) => found.replace(/\d+$/, '99999')),
        /never sent/,
      ],
      ['the last is never acknowledged', (text) => text.replaceAll(/<a xmlns[^>]*\/>/g, ''), /never acknowledged/],
    ]
    for (const [what, change, said] of faults) {
      test(`voids the row: ${what}`, async () => {
        const [seen] = await load(row, change)
        assert.equal(seen?.['valid'], 0)
        assert.match(String(seen?.['fault']), said)
      })
    }
  })
})
