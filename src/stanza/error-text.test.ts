import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StanzaError, StreamError } from './error.ts'
import { errorElement } from './reply.ts'
import { streamErrorElement } from './stream-error.ts'

test('the text of an error may hold what XML may not: an end that cannot be told would be none', () => {
  const text = 'a\u0001b\ud83dc\udc3f\uffff \ud83d\udc3f'
  const stream = streamErrorElement(new StreamError('RTK_TEST', 'policy-violation', text))
  assert.equal(stream.elements[1]?.text, 'a\ufffdb\ufffdc\ufffd\ufffd \ud83d\udc3f')
  const stanza = errorElement(new StanzaError('RTK_TEST', 'not-allowed', { text }))
  assert.equal(stanza.elements[1]?.text, 'a\ufffdb\ufffdc\ufffd\ufffd \ud83d\udc3f')
})
