/** RCV-08: the closing handshake, half-close and reset, from either side, in every order and in every stage of a stream. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StreamError } from '../stanza/error.ts'
import {
  auth,
  bindRequest,
  header,
  makeAccount,
  plain,
  type RawClient,
  rawPair,
  type Server,
  starttls,
} from './kit.testing.ts'
import { fakeTls } from './memory.testing.ts'

const account = await makeAccount('r0m30')
const shutdown = new StreamError('RTK_SERVER_STOPPING', 'system-shutdown')

type Pair = Server & { readonly client: RawClient }

const password = auth('PLAIN', plain('juliet', 'r0m30'))

/** Comes to a stage; `undefined` TLS is the clear. */
const stages: Record<string, (pair: Pair) => void> = {
  opening: () => undefined,
  'half a header': ({ client }) => client.ask(header.slice(0, 40)),
  features: ({ client }) => client.ask(header),
  'sign-in is asked': ({ client, driver }) => {
    driver.later = true
    client.ask(header + password)
  },
  binding: ({ client }) => client.ask(header + password + header),
  'binding is asked': ({ client, driver }) => {
    client.ask(header + password + header)
    driver.later = true
    client.ask(bindRequest)
  },
  established: ({ client }) => client.ask(header + password + header + bindRequest),
  'half a stanza': ({ client }) => client.ask(`${header}${password}${header}${bindRequest}<message to='a`),
}

const events: Record<string, (pair: Pair) => void> = {
  'client closes its stream': ({ client }) => client.send('</stream:stream>'),
  'client shuts its side': ({ client }) => client.transport.close(600_000),
  'client resets': ({ client }) => client.transport.destroy(),
  'client goes on': ({ client }) => client.send('<presence/>'),
  'server closes': ({ machine }) => machine.close(),
  'server fails': ({ machine }) => machine.close(shutdown),
  'driver answers': ({ driver }) => driver.answerAll(),
  'time passes': ({ clock }) => clock.advance(6_000),
}

function check(pair: Pair, what: string, received: string): void {
  const { driver, client, clock, machine } = pair
  client.transport.close(0)
  client.transport.destroy()
  clock.settle()
  driver.answerAll()
  const rest = received + client.read()
  clock.advance(600_000)
  assert.equal(machine.state, 'gone', what)
  assert.equal(driver.ends.length, 1, `${what}: ended`)
  assert.equal(driver.causes.length, 1, `${what}: disconnected`)
  assert.equal(clock.pendingTimers, 0, `${what}: timers`)
  const at = rest.indexOf('</stream:stream>')
  assert.ok(
    at < 0 || at === rest.length - '</stream:stream>'.length,
    `${what}: something after the closing tag: ${rest}`,
  )
}

for (const [stage, reach] of Object.entries(stages)) {
  test(`RCV-08: all ends from ${stage}`, () => {
    const names = Object.keys(events)
    for (const first of names) {
      for (const second of names) {
        for (const third of names) {
          for (const isAtOnce of [true, false]) {
            const pair = rawPair(account, { tls: fakeTls() })
            reach(pair)
            let received = pair.client.read()
            for (const name of [first, second, third]) {
              events[name]?.(pair)
              if (!isAtOnce) received += pair.client.read()
            }
            received += pair.client.read()
            check(pair, `${stage}: ${first}, ${second}, ${third}${isAtOnce ? ' at once' : ''}`, received)
          }
        }
      }
    }
  })
}

test('RCV-08: ends in a TLS handshake', () => {
  for (const first of Object.keys(events)) {
    const pair = rawPair(account)
    pair.client.ask(header)
    pair.client.ask(starttls)
    events[first]?.(pair)
    check(pair, `handshake: ${first}`, pair.client.read())
  }
})

test('RCV-08: the server closes in good order: it waits for the closing tag of the client', () => {
  const pair = rawPair(account, { tls: fakeTls() })
  stages['established']?.(pair)
  pair.machine.close()
  assert.equal(pair.client.read(), '</stream:stream>')
  assert.equal(pair.client.hasEnded, false)
  assert.deepEqual(pair.driver.ends, [{ kind: 'local' }], 'the session is over at once')
  pair.client.ask('<message/></stream:stream>')
  assert.equal(pair.client.hasEnded, true)
  assert.equal(pair.driver.sink.stanzas.length, 0)
})

test('RCV-08: a client that never answers our closing tag is cut after closing_timeout', () => {
  const pair = rawPair(account, { tls: fakeTls() })
  stages['established']?.(pair)
  pair.machine.close()
  pair.clock.advance(4_999)
  assert.equal(pair.client.hasEnded, false)
  pair.clock.advance(1)
  assert.equal(pair.client.hasEnded, true)
})
