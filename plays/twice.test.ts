/** DESIGN.md section 14: two servers in one process run the plays at once, and neither notices the other. */
import { readdirSync } from 'node:fs'
import { it } from 'node:test'
import type { Play } from './language/play.ts'
import { onSockets } from './language/stage.ts'

for (const file of readdirSync(import.meta.dirname).sort()) {
  if (!file.endsWith('.play.ts')) continue
  const { default: plays } = (await import(`./${file}`)) as { default: readonly Play[] }
  const onBoth = plays.filter((play) => play.settings.only !== 'simulated')
  it(`${file.replace('.play.ts', '')}, in two servers at once`, async () => {
    for (const play of onBoth) await Promise.all([onSockets(play), onSockets(play)])
  })
}
