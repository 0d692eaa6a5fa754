import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auth, bindRequest, header, makeAccount, plain, rawPair, starttls } from './kit.testing.ts'

const account = await makeAccount('r0m30')

test('smoke', () => {
  const { client, machine, driver } = rawPair(account)
  console.log(client.ask(header))
  console.log(client.ask(starttls))
  client.startTls()
  console.log(client.ask(header))
  console.log(client.ask(auth('PLAIN', plain('juliet', 'r0m30'))))
  console.log(client.ask(header))
  console.log(client.ask(bindRequest))
  console.log(machine.state)
  client.send("<message to='a@b'><body>hi</body></message>")
  client.send('</stream:stream>')
  console.log(client.read(), driver.sink.stanzas.length, driver.ends, client.cause, client.hasEnded)
  assert.ok(true)
})
