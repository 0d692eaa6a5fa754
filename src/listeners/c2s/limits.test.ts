import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from '../../index.ts'
import { defaultStreamLimits } from '../../stream/limits.ts'
import { streamLimits } from './limits.ts'

test('streams have by default what the configuration has by default', async () => {
  const server = await createServer({
    config: { hosts: { localhost: {} }, listeners: [], store: { engine: 'memory' } },
  })
  const { limits } = server.config
  await server.close()
  assert.deepEqual(streamLimits(limits), defaultStreamLimits)
})
