/** XEP-0480 through a whole server: an account that came with fewer hashes than mechanisms are offered. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jid } from '../../jid/index.ts'
import { accounts } from '../../store/accounts.ts'
import { ClientFailure, connectClient } from '../../stream/client.ts'
import { stretch } from '../../stream/sasl/index.ts'
import { SymbolicServer } from '../symbolic.testing.ts'

const sections = {
  listeners: [{ name: 'c2s', protocol: 'c2s', address: '0.0.0.0', port: 5222 }],
  auth: { scram_iterations: 4096, upgrades: true },
}
const NS = "xmlns='urn:xmpp:sasl:2'"
const all = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

function authenticate(password: string, inside = ''): string {
  const response = `<initial-response>${btoa(`\0romeo\0${password}`)}</initial-response>`
  return `<authenticate ${NS} mechanism='PLAIN'>${response}${inside}</authenticate>`
}

/** romeo has the hash of SCRAM-SHA-1 alone, as from a server that kept no others. */
async function moved(server: SymbolicServer): Promise<void> {
  const store = await server.server.stores.open(accounts)
  for (const mechanism of all) await store.removeCredential({ host: 'localhost', name: 'romeo', mechanism })
}

async function secured(server: SymbolicServer) {
  const wire = await server.wire('romeo')
  await wire.startsTls({ ca: server.ca })
  return wire
}

describe('an account with the hash of SCRAM-SHA-1 alone', () => {
  it('signs in by PLAIN with its password, and with no other', () =>
    SymbolicServer.run(sections, async (server) => {
      await moved(server)
      const wire = await secured(server)
      wire.says(authenticate('wrong'))
      await wire.hears(/<failure [^>]*><not-authorized /)
      wire.says(authenticate('secret'))
      await wire.hears(/<success /)
    }))

  it('section 3: gets the others from a client that offers to make them, and signs in by them', () =>
    SymbolicServer.run(sections, async (server) => {
      await moved(server)
      const wire = await secured(server)
      const wanted = all.map((name) => `<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-${name}</upgrade>`)
      wire.says(authenticate('secret', wanted.join('')))
      for (let left = all.length; left > 0; left--) {
        const task = await wire.hears(/<continue .*<\/continue>/)
        const name = /<tasks><task>UPGR-(SCRAM-SHA-(256|512))<\/task><\/tasks>/.exec(task) ?? assert.fail(task)
        wire.says(`<next ${NS} task='UPGR-${name[1]}'/>`)
        const data = await wire.hears(/<task-data .*<\/task-data>/)
        const [, iterations, salt] = /<salt [^>]*iterations='(\d+)'>([^<]+)</.exec(data) ?? assert.fail(data)
        const { hashing } = server.simulation.world('romeo')
        const sha = name[2] === '256' ? 'sha256' : 'sha512'
        const salted = await stretch(hashing, sha, 'secret', Buffer.from(salt ?? '', 'base64'), Number(iterations))
        const hash = `<hash xmlns='urn:xmpp:scram-upgrade:0'>${Buffer.from(salted ?? []).toString('base64')}</hash>`
        wire.says(`<task-data ${NS}>${hash}</task-data>`)
      }
      await wire.hears(new RegExp(`<success ${NS}><authorization-identifier>romeo@localhost<`))
      const client = await connectClient(server.simulation.world('romeo'), {
        jid: jid('romeo@localhost'),
        password: 'secret',
        place: { kind: 'tcp', host: 'server', port: 5222 },
        tls: 'starttls',
        ca: server.ca,
      })
      assert.ok(!(client instanceof ClientFailure), String(client))
      assert.match(server.server.core.sessions.find(client.jid)?.info.auth ?? '', /^SCRAM-SHA-512/)
    }))
})
