import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkConfig } from '../../src/core/config/index.ts'
import { ratatoskConfiguration } from './ratatosk.ts'

test('the configuration that the driver writes is one the server takes', () => {
  const text = ratatoskConfiguration('bench.local', '/tmp/bench', { plain: 20_001, starttls: 20_002 })
  const checked = checkConfig(text, 'ratatosk.yaml', { modules: new Map(), defaultModules: [] })
  assert.deepEqual(
    checked.mistakes.filter((mistake) => mistake.severity === 'error'),
    [],
  )
  assert.deepEqual(
    checked.config?.listeners.map((listener) => [listener.name, listener.tls]),
    [
      ['plain', 'none'],
      ['starttls', 'starttls'],
    ],
  )
})
