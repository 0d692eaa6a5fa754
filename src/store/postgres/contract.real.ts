// needs: postgresql
/** The contract of every engine, kept by PostgreSQL: the files beside `contract/harness.test.ts`, with a real server. */
import { after } from 'node:test'
import { Place } from '../../../tools/real/foreign.ts'
import { RealPostgres } from '../../../tools/real/postgres.ts'
import { engines } from '../contract/harness.test.ts'
import { PostgresBench } from './bench.testing.ts'

const place = new Place('store')
const server = await RealPostgres.start(place)

after(async () => {
  await server.stop()
  await place[Symbol.asyncDispose]()
})

engines.splice(0, engines.length, {
  name: `PostgreSQL`,
  survives: true,
  make: () => new PostgresBench(server),
})

await import('../contract/operations.test.ts')
await import('../contract/limits.test.ts')
await import('../contract/migrations.test.ts')
await import('../contract/model.test.ts')
await import('../accounts.test.ts')
