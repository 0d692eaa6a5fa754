/** Clients of a server with durable sessions that is killed, or stopped in good order, and started again. */
import assert from 'node:assert/strict'
import { jid } from '../../jid/index.ts'
import { SymbolicServer } from '../../listeners/symbolic.testing.ts'
import { listener } from '../../server/limits.testing.ts'
import { Fickle } from '../../server/resumption.testing.ts'
import { x } from '../../xml/index.ts'

const NS = 'jabber:client'
const presence = x('presence', NS)

export interface Scene {
  readonly symbolic: SymbolicServer
  readonly romeo: Fickle
  readonly juliet: Fickle
  /** By SM-ID: how many stanzas the client had acknowledged when its session ended. */
  readonly acknowledged: ReadonlyMap<string, number>
  passes(ms: number): Promise<void>
  /** The process is killed, and started again. */
  crash(): Promise<void>
  /** It is stopped, and started again. */
  restart(): Promise<void>
}

export function play(act: (scene: Scene) => Promise<void>, seed = 1, resume = '10 minutes'): Promise<void> {
  const modules = { offline: { messages_max: 100_000 }, sm: { durable: true, resume_timeout: resume } }
  return SymbolicServer.run(
    { listeners: [listener], modules },
    async (symbolic) => {
      await symbolic.server.accounts.add(jid('juliet@localhost'), 'secret')
      const way = seed % 2 === 0 ? 'inline' : 'bind2'
      const romeo = new Fickle(symbolic, 'romeo@localhost/here', 'romeo', [presence], way)
      const juliet = new Fickle(symbolic, 'juliet@localhost/here', 'juliet', [presence], way)
      const acknowledged = new Map<string, number>()
      const watch = () => {
        symbolic.server.core.hostType('default').hooks.on('session:ended', 'test', ({ session: { ledger } }) => {
          if (ledger !== undefined) acknowledged.set(ledger.id, ledger.sent - ledger.length)
        })
      }
      watch()
      await Promise.all([romeo.comes(false), juliet.comes(false)])
      await act({
        symbolic,
        romeo,
        juliet,
        acknowledged,
        passes: (ms) => symbolic.simulation.advance(ms),
        crash: () => symbolic.crash().then(watch),
        restart: () => symbolic.restart().then(watch),
      })
    },
    seed,
    'database',
  )
}

/** Comes back, however often it takes. */
export async function returns({ passes }: Scene, one: Fickle): Promise<void> {
  for (let tries = 0; tries < 20 && one.client?.acks?.id === undefined; tries++) {
    await one.comes(true)
    await passes(1_000)
  }
  assert.ok(one.client?.acks?.id !== undefined, `${one.name} cannot come`)
}

/** Ids of messages, in all lives. */
export function had(one: Fickle): readonly string[] {
  return one.lives.flatMap(({ received }) => received.map(({ id }) => id)).filter((id) => id !== '')
}

/**
 * The same, but of sessions that are over only what their clients had acknowledged: the rest they may have had, and it came to
 * another place.
 */
export function hadForGood({ acknowledged }: Scene, one: Fickle): readonly string[] {
  return one.lives.flatMap(({ id, received }) => {
    const count = one.life?.id === id ? received.length : (acknowledged.get(id) ?? 0)
    return received
      .slice(0, count)
      .map((came) => came.id)
      .filter((name) => name !== '')
  })
}

export function upTo(count: number): readonly string[] {
  return Array.from({ length: count }, (_, n) => String(n))
}
