import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePostgresUrl } from './postgres-url.ts'

test('a URL is host, port, database and user', () => {
  const place = { host: 'db.example.org', port: 5432, database: 'chat', user: 'ratatosk' }
  assert.deepEqual(parsePostgresUrl('postgres://ratatosk@db.example.org/chat'), place)
  assert.deepEqual(parsePostgresUrl('postgresql://ratatosk@db.example.org:6000/chat'), { ...place, port: 6000 })
  assert.deepEqual(parsePostgresUrl('postgres://ratatosk@[::1]:6000/chat'), { ...place, host: '::1', port: 6000 })
  assert.deepEqual(parsePostgresUrl('postgres://ratatosk@%2Frun%2Fpostgresql/chat'), {
    ...place,
    host: '/run/postgresql',
  })
  assert.deepEqual(parsePostgresUrl('postgres://a%40b@db.example.org/c%20d'), {
    ...place,
    user: 'a@b',
    database: 'c d',
  })
})

test('what is wrong with a URL is said, and the URL is not: it may hold a password', () => {
  const wrong = {
    'mysql://u@h/d': /no URL of PostgreSQL/,
    'postgres://u:secret@h/d': /password/,
    'postgres://h/d': /user is missing/,
    'postgres://u@h': /database is missing/,
    'postgres://u@h/d/e': /database is missing/,
    'postgres://u@h/d?sslmode=disable': /not understood/,
    'postgres://u@h:port/d': /no URL/,
    'postgres://u@h1:1,h2:2/d': /one for each server/,
    'postgres://u@h/%zz': /two digits/,
  }
  for (const [url, fault] of Object.entries(wrong)) {
    const said = parsePostgresUrl(url)
    assert.ok(typeof said === 'string', url)
    assert.match(said, fault)
    assert.doesNotMatch(said, /secret/)
  }
})
