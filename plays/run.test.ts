/** Gives every play, in the simulator from several seeds and over real sockets. */
import { readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { Play } from './language/play.ts'
import { onSockets, simulated } from './language/stage.ts'

const seeds = process.env['RATATOSK_LONG'] === '1' ? 100 : 4

for (const file of readdirSync(import.meta.dirname).sort()) {
  if (!file.endsWith('.play.ts')) continue
  const { default: plays } = (await import(`./${file}`)) as { default: readonly Play[] }
  describe(file.replace('.play.ts', ''), () => {
    for (const play of plays) {
      const { only } = play.settings
      if (only !== 'sockets') {
        it(`${play.title} (simulated)`, async () => {
          for (let seed = 1; seed <= seeds; seed++) await simulated(play, seed)
        })
      }
      if (only !== 'simulated') it(`${play.title} (over sockets)`, () => onSockets(play))
    }
  })
}
