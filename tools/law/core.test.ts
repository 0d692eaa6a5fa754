/** SES-07: "very generic, although implementing only very basic functionality". */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTest } from '../law.ts'
import { files, text } from '../lib/repository.ts'
import { CORE_NAMESPACES, CORE_STANZA, coreFaults, isSessionFile, SESSION_LINES, sessionSize } from './core.ts'

const core = files('src/core/**/*.ts').filter((file) => !isTest(file))
const sources = new Map(core.map((file) => [file, text(file)]))

test('SES-07: the session files of the core have fewer than 1,000 lines together', () => {
  const sessions = core.filter(isSessionFile)
  assert.ok(sessions.includes('src/core/session.ts') && sessions.includes('src/core/session-table.ts'), `${sessions}`)
  assert.deepEqual(sessionSize(sources), [])
  const line = 'x\n'
  const grown = (lines: number) => sessionSize(new Map([['src/core/session-more.ts', line.repeat(lines)]]))
  assert.deepEqual(grown(SESSION_LINES - 1), [])
  assert.equal(grown(SESSION_LINES)[0]?.rule, 'session-size')
})

test('SES-07: no file of the core names a XEP, neither its namespace nor its payload', () => {
  assert.ok(core.length > 40, `${core.length} files`)
  assert.deepEqual(
    [...sources].flatMap(([file, source]) => coreFaults(file, source)),
    [],
  )
})

test('a namespace in a string, a template or an import is seen, one in a comment is not', () => {
  const found = (source: string) =>
    coreFaults('src/core/a.ts', source).map(({ line, rule, text }) => [line, rule, text])
  assert.deepEqual(found("// urn:xmpp:sm:3\nconst ns = 'urn:xmpp:sm:3'"), [[2, 'core-namespace', 'urn:xmpp:sm:3']])
  assert.deepEqual(found('const el = `<c xmlns="http://jabber.org/protocol/caps"/>`'), [
    [1, 'core-namespace', 'http://jabber.org/protocol/caps'],
  ])
  assert.deepEqual(found("const last = 'jabber:iq:last'"), [[1, 'core-namespace', 'jabber:iq:last']])
  assert.deepEqual(found("import { NS_DELAY } from '../stanza/delay.ts'"), [
    [1, 'core-payload', "stanza/delay.ts is a XEP's"],
  ])
  assert.deepEqual(found("import { NS_CLIENT } from '../stanza/ns.ts'\nconst client = 'jabber:client'"), [])
})

test('what the core may name has a reason, and none of it is of a XEP', () => {
  for (const [name, why] of [...Object.entries(CORE_NAMESPACES), ...Object.entries(CORE_STANZA)]) {
    assert.match(why, /^[^\n]{10,}$/, name)
    assert.doesNotMatch(`${name} ${why}`, /XEP-|urn:xmpp:/, name)
  }
  for (const file of Object.keys(CORE_STANZA))
    assert.doesNotMatch(text(`src/stanza/${file}`), /['"](?:urn:xmpp:|http:\/\/jabber\.org\/)/, file)
})
