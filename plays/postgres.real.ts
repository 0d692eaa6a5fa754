// needs: postgresql
/** Gives every play with its data in PostgreSQL, each in a database of its own: all stores of all modules. */
import { readdirSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import { Place } from '../tools/real/foreign.ts'
import { RealPostgres } from '../tools/real/postgres.ts'
import type { Play } from './language/play.ts'
import { onSockets } from './language/stage.ts'

const place = new Place('plays')
const server = await RealPostgres.start(place)

after(async () => {
  await server.stop()
  await place[Symbol.asyncDispose]()
})

for (const file of readdirSync(import.meta.dirname).sort()) {
  if (!file.endsWith('.play.ts')) continue
  const { default: plays } = (await import(`./${file}`)) as { default: readonly Play[] }
  describe(`${file.replace('.play.ts', '')}, in PostgreSQL`, () => {
    for (const play of plays) {
      if (play.settings.only === 'simulated') continue
      it(play.title, async () => {
        const url = server.url(await server.database())
        await onSockets(play, { store: { engine: 'postgres', url, password: server.password } })
      })
    }
  })
}
