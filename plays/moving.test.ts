/** DESIGN.md section 7: the plays once more, with each session encoded, dropped and decoded between any two stanzas. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { type Moves, moveSessions } from './language/moving.ts'
import type { Play } from './language/play.ts'
import { simulated } from './language/stage.ts'

const seeds = process.env['RATATOSK_LONG'] === '1' ? 50 : 2

describe('with sessions that move between any two stanzas', () => {
  for (const file of readdirSync(import.meta.dirname).sort()) {
    if (!file.endsWith('.play.ts')) continue
    it(file.replace('.play.ts', ''), async () => {
      const { default: plays } = (await import(`./${file}`)) as { default: readonly Play[] }
      const moves: Moves = { moved: 0, busy: 0 }
      for (const play of plays) {
        if (play.settings.only === 'sockets') continue
        for (let seed = 1; seed <= seeds; seed++) await simulated(play, seed, (server) => moveSessions(server, moves))
      }
      assert.ok(moves.moved > moves.busy, `${moves.moved} sessions moved, ${moves.busy} could not`)
    })
  }
})
