/** Durable sessions in SQLite: kills under load, a stop in good order, and a client that stays away too long. */
import { it } from 'node:test'
import { Place } from '../../tools/real/foreign.ts'
import { Talk } from './talk.ts'

const lives = 5

it(
  `SES-09: kill -9 under load, ${lives} times, and a stop: each numbered message comes exactly once, in order, over the same sessions`,
  { timeout: 300_000 },
  async (t) => {
    await using place = new Place('durable')
    const talk = await Talk.begin(place, t)
    for (let life = 1; life <= lives; life++) await talk.life('kill')
    await talk.life('stop')
    await talk.ends([1, 1])
  },
)

it(
  'SES-09: what is said to a client until its session has ended waits for the next, though the server is killed meanwhile',
  { timeout: 300_000 },
  async (t) => {
    await using place = new Place('durable')
    const talk = await Talk.begin(place, t)
    await talk.life('stop')
    await talk.absence()
    await talk.life('kill')
    await talk.ends([1, 2])
  },
)
