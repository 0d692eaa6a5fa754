/** DESIGN.md section 6: adding or removing one of 10,000 hosts costs under 2 KB, and nothing that stays. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { leftByEach, settledHeap } from '../../tools/lib/heap.ts'
import { least } from '../../tools/lib/least.ts'
import { createServer } from './create.ts'

const hosts = 10_000
const hostBytes = 2_048
/** Bytes of a host that comes and goes, V8's coming and going over 10,000 of them included: the least object is as much. */
const leftBytes = 32

/** Other names each time: what stays of a host must not be taken over by the next. */
const text = (count: number, round: number, more: string) =>
  [
    'store: { engine: memory }',
    'listeners: []',
    more,
    'hosts:',
    '  localhost: default',
    ...Array.from({ length: count }, (_, n) => `  host${n}.in${round}.example.org: default`),
    '',
  ].join('\n')

const isLong = process.env['RATATOSK_LONG'] === '1'
const kinds = [
  ['with certificates of the local authority', ''],
  ['without certificates', 'tls: { local_ca: false }'],
] as const

for (const [name, more] of isLong ? kinds : kinds.slice(0, 1)) {
  it(`of ${hosts.toLocaleString('en')} hosts each takes less than ${hostBytes} bytes of the heap, ${name}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rtk-hosts-'))
    const file = join(folder, 'r.yaml')
    let round = 0
    writeFileSync(file, text(0, round, more))
    const server = await createServer({ config: { file } })
    try {
      const serve = async (count: number) => {
        if (count > 0) round++
        writeFileSync(file, text(count, round, more))
        const { hosts: changed, needsRestart } = await server.reload()
        assert.equal(changed.added.length + changed.removed.length, hosts)
        assert.deepEqual(needsRestart, [])
        assert.equal(server.hosts.length, count + 1)
      }
      const handlers = server.core.hostType('default').hooks.size
      // What it takes when it comes; in the first round V8 compiles.
      const each = await least(hostBytes, async () => {
        const before = await settledHeap()
        await serve(hosts)
        const after = await settledHeap()
        await serve(0)
        return (after - before) / hosts
      })
      assert.ok(each < hostBytes, `${Math.round(each)} bytes a host`)
      // Modules are set up once a host type, however many hosts it has.
      assert.equal(server.core.hostType('default').hooks.size, handlers)
      const left = await leftByEach(1, leftBytes * hosts, async () => {
        await serve(hosts)
        await serve(0)
      })
      assert.ok(left < leftBytes * hosts, `${Math.round(left / hosts)} bytes of each host stay`)
    } finally {
      await server.close()
      rmSync(folder, { recursive: true })
    }
  })
}
