// needs: postgresql
/** Durable sessions in PostgreSQL: kills under load, a stop in good order, and a client that stays away too long. */
import { it } from 'node:test'
import { Place } from '../../tools/real/foreign.ts'
import { RealPostgres } from '../../tools/real/postgres.ts'
import { Talk } from './talk.ts'

it(
  'SES-09: in PostgreSQL: kill -9 under load, a stop and a long absence: each message comes exactly once, in order',
  { timeout: 300_000 },
  async (t) => {
    await using place = new Place('durable')
    const server = await RealPostgres.start(place)
    const url = server.url(await server.database())
    const store = `store: { engine: postgres, url: ${JSON.stringify(url)}, password: ${JSON.stringify(server.password)} }`
    const talk = await Talk.begin(place, t, store)
    for (let life = 1; life <= 3; life++) await talk.life('kill')
    await talk.life('stop')
    await talk.absence()
    await talk.life('kill')
    await talk.ends([1, 2])
    await server.stop()
  },
)
