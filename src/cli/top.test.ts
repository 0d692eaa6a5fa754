/** `ratatosk top` on a terminal, in a pipe and as JSON; the figures themselves are tested beside the command. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { topCommand } from '../admin/commands/top.ts'
import { openControl } from '../admin/control/server.ts'
import { CommandError, CommandRegistry, type Json, type Row } from '../core/commands.ts'
import { bench } from '../core/core.testing.ts'
import { createServer } from '../index.ts'
import { createWorld } from '../world/index.ts'
import { run } from './cli.testing.ts'
import { runCli } from './program.ts'
import type { Terminal } from './terminal.ts'
import { linesOf } from './top.ts'

const world = createWorld()
const folder = mkdtempSync(join(tmpdir(), 'rtk-top-'))
after(() => rmSync(folder, { recursive: true }))

const session = {
  jid: 'romeo@localhost/orch\u001b[31mard',
  address: '192.0.2.1',
  in: 1.5,
  out: 12,
  bytes_in: 900,
  bytes_out: 34_567_890,
  waiting: 0,
}

const seen: Row = {
  at: '2026-11-21T20:00:07.123Z',
  seconds: 2,
  online: 3,
  connections: 4,
  in: 10,
  out: 20.5,
  bytes_in: 1_000,
  bytes_out: 40_000,
  routed: 30,
  cpu: 12.3,
  loop: 8,
  delay: 5,
  memory: 123_456_789,
  store_queue: 0,
  sessions: [session],
  hosts: [{ host: 'localhost', sessions: 3, ended: 1, in: 10, out: 20.5, bytes_in: 1_000, bytes_out: 40_000 }],
  modules: [],
}

const shown = `20:00:07 UTC, 2 s: 3 sessions, 4 connections
in 10/s (1000 B/s), out 20.5/s (39 KiB/s), routed 30/s
CPU 12.3 %, loop 8 %, delay at most 5 ms, memory 118 MiB, store queue 0

Session                       In/s  Out/s  Bytes in/s  Bytes out/s  Waiting  Address
romeo@localhost/orch\ufffd[31mard   1.5     12       900 B       33 MiB      0 B  192.0.2.1

Host       In/s  Out/s  Bytes in/s  Bytes out/s  Sessions  Ended
localhost    10   20.5      1000 B       39 KiB         3      1

Module: none was busy`

interface Ran {
  readonly exit: number
  readonly out: string
  readonly err: string
  /** Arguments of each look. */
  readonly asked: readonly Json[]
}

/** Runs it against a server that tells `seen` so many times, and then that it stops. */
async function top(line: string, looks: number, more: Partial<Terminal> = {}): Promise<Ran> {
  const asked: Json[] = []
  const commands = new CommandRegistry()
  commands.add({
    ...topCommand(bench()),
    run: (args) => {
      asked.push(args as Json)
      if (asked.length > looks) throw new CommandError('RTK_CONTROL_CLOSED', 'the server stops')
      return { ...seen, routed: asked.length }
    },
  })
  const path = join(folder, 'control.sock')
  const { clock, log, net } = world
  const version = '0.1.0'
  const control = await openControl({
    net,
    clock,
    log,
    commands,
    path,
    version,
    lineBytesMax: 65_536,
    connectionsMax: 8,
  })
  try {
    const argv = ['--data-dir', folder, 'top', ...line.split(' ').filter((word) => word !== '')]
    return { ...(await run(world, argv, () => more)), asked }
  } finally {
    await control.close()
  }
}

describe('ratatosk top', () => {
  it('shows the whole and the three lists, with no character that a terminal obeys', () => {
    assert.equal(linesOf(seen).join('\n'), shown)
  })

  it('looks once with --once, over the interval that is asked for', async () => {
    const { exit, out, asked } = await top('--once --by bytes --count 3', 5)
    assert.equal(exit, 0)
    assert.equal(out, `${shown.replace('routed 30', 'routed 1')}\n`)
    assert.deepEqual(asked, [{ interval: 2_000, by: 'bytes', count: 3 }])
  })

  it('goes on until the server ends; the first look is short unless its interval is given', async () => {
    const { exit, out, err, asked } = await top('', 3)
    assert.equal(exit, 3)
    assert.match(err, /the server stops.*RTK_CONTROL_CLOSED/)
    assert.deepEqual(
      [...out.matchAll(/routed (\d)/g)].map(([, n]) => n),
      ['1', '2', '3'],
    )
    assert.equal(out.split('\n\n20:00:07').length, 3)
    assert.deepEqual(
      asked.map((args) => (args as { interval: number }).interval),
      [500, 2_000, 2_000, 2_000],
    )
    const given = await top('--interval 5s', 1)
    assert.deepEqual(
      given.asked.map((args) => (args as { interval: number }).interval),
      [5_000, 5_000],
    )
  })

  it('draws in place on a terminal, within its size', async () => {
    const { out, asked } = await top('', 2, { isOutTty: true, size: { columns: 30, rows: 6 } })
    const pictures = out.split('\u001b[J')
    assert.equal(pictures.length, 3)
    assert.ok(pictures[0]?.startsWith('\u001b[2J\u001b[H20:00:07'))
    assert.ok(pictures[1]?.startsWith('\u001b[H20:00:07'))
    for (const picture of pictures.slice(0, 2)) {
      const lines = picture.replaceAll(/\u001b\[(?:2J|H)/g, '').split('\u001b[K\n')
      assert.deepEqual(lines.slice(0, 2), ['20:00:07 UTC, 2 s: 3 sessions,', 'in 10/s (1000 B/s), out 20.5/s'])
      assert.equal(lines.length, 6)
      for (const line of lines) assert.ok(line.length <= 30, line)
    }
    // A list of one line is the least; the person may ask for more.
    assert.equal((asked[0] as { count: number }).count, 1)
    const tall = await top('', 1, { isOutTty: true, size: { columns: 100, rows: 43 } })
    assert.equal((tall.asked[0] as { count: number }).count, 10)
    assert.ok(tall.out.split('\n').length < 43)
    const asks = await top('--count 7', 1, { isOutTty: true, size: { columns: 100, rows: 10 } })
    assert.equal((asks.asked[0] as { count: number }).count, 7)
    const once = await top('--once', 1, { isOutTty: true, size: { columns: 30, rows: 6 } })
    assert.equal(once.out.includes('\u001b'), false)
  })

  it('gives an object a look with --json', async () => {
    const { out } = await top('--json', 2)
    const objects = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Row)
    assert.deepEqual(objects, [
      { ...seen, routed: 1 },
      { ...seen, routed: 2 },
    ])
  })

  it('says what is wrong with its arguments', async () => {
    const { exit, err } = await top('--by smell --once', 1)
    assert.equal(exit, 2)
    assert.match(err, /by: .*smell/)
  })

  it('looks at a real server', async () => {
    const dataDir = join(folder, 'data')
    const server = await createServer({
      config: { listeners: [], store: { engine: 'memory' } },
      dataDir,
      control: true,
    })
    let out = ''
    const terminal = { out: (text: string) => void (out += text), err: (text: string) => assert.fail(text) }
    try {
      const argv = ['--data-dir', dataDir, 'top', '--once', '--json', '--interval', '100ms']
      const around = { terminal: terminal as unknown as Terminal, variables: {}, world, uid: process.getuid?.() }
      assert.equal(await runCli(argv, around), 0)
    } finally {
      await server.close()
    }
    const row = JSON.parse(out) as Readonly<Record<string, number>>
    assert.ok((row['seconds'] ?? 0) >= 0.1 && (row['memory'] ?? 0) > 10_000_000 && (row['online'] ?? 1) === 0, out)
  })
})
