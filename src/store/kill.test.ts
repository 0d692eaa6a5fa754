/**
 * The *kept* promise against `kill -9`: this file, started as a child, writes under load and tells its parent through a
 * pipe what is kept; the parent kills it in mid-load, opens the database and compares.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { RealClock } from '../world/clock.ts'
import { Turn } from '../world/turn.ts'
import { temporaryFolder, testWorld } from './contract/harness.test.ts'
import { defineStore, each, guarded, integer, one, text } from './define.ts'
import { openSqlite } from './index.ts'

const letters = defineStore({
  name: 'letter',
  migrations: [
    {
      version: 1,
      name: 'first',
      up: [
        'create table letter (id bigint primary key, body text not null)',
        'create table letter_part (letter bigint not null, part bigint not null, primary key (letter, part))',
      ],
    },
  ],
  operations: {
    add: guarded(
      { id: integer, body: text },
      [
        'insert into letter (id, body) values (:id, :body)',
        each('insert into letter_part (letter, part) values (:id, :part)'),
      ],
      { items: { part: integer } },
    ),
    last: one({}, { id: integer }, 'select coalesce(max(id), 0) as id from letter'),
  },
})

const PARTS = [{ part: 1 }, { part: 2 }, { part: 3 }]
/** Operations that are always under way, so that a kill finds some in every phase. */
const LOAD = 200

/** The child: never ends by itself. Each line is the number of a letter that is kept. */
async function child(path: string): Promise<void> {
  const stores = await openSqlite(testWorld(new RealClock(new Turn())), { path })
  const store = await stores.open(letters)
  let id = (await store.last({}))?.id ?? 0
  const write = async (): Promise<void> => {
    for (;;) {
      const mine = ++id
      const answer = await store.add({ id: mine, body: 'x'.repeat(200) }, PARTS)
      if (answer.outcome !== 'kept') throw new Error('a letter was there already')
      process.stdout.write(`${mine}\n`)
    }
  }
  await Promise.all(Array.from({ length: LOAD }, write))
}

/** Lets a child write until `count` letters are acknowledged, kills it, and returns all that it acknowledged. */
function killedAfter(path: string, count: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, [import.meta.filename, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    let heard = ''
    let lines = 0
    process_.stdout.setEncoding('latin1')
    process_.stdout.on('data', (chunk: string) => {
      heard += chunk
      lines += chunk.split('\n').length - 1
      if (lines >= count) process_.kill('SIGKILL')
    })
    process_.on('error', reject)
    process_.on('close', (_code, signal) => {
      if (signal !== 'SIGKILL') reject(new Error('the child ended by itself'))
      // A line cut in the middle was not acknowledged to anybody.
      else
        resolve(
          heard
            .slice(0, heard.lastIndexOf('\n') + 1)
            .trim()
            .split('\n')
            .map(Number),
        )
    })
  })
}

if (import.meta.main && process.argv[2] !== undefined) await child(process.argv[2])
else {
  test('kill -9 in mid-load: nothing acknowledged is missing, nothing is half there', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'kill.db')
    try {
      const acknowledged: number[] = []
      for (const count of [1, 700, 1500, 2500]) {
        acknowledged.push(...(await killedAfter(path, count)))
        const database = new DatabaseSync(path)
        const kept = new Set(
          database
            .prepare('select id from letter')
            .all()
            .map((row) => Number(row['id'])),
        )
        const halves = database
          .prepare(
            `select count(*) as n from (select id from letter except select letter from letter_part
               group by letter having count(*) = ${PARTS.length})`,
          )
          .get()
        const orphans = database
          .prepare('select count(*) as n from letter_part where letter not in (select id from letter)')
          .get()
        database.close()
        assert.deepEqual(
          acknowledged.filter((id) => !kept.has(id)),
          [],
          'acknowledged and missing',
        )
        assert.deepEqual([halves?.['n'], orphans?.['n']], [0, 0], 'half written')
      }
      assert.ok(acknowledged.length >= 4000)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
}
