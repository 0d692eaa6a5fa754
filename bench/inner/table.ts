/**
 * SM-09: what the session table costs to write and to read, at 10,000 and 100,000 sessions. A core is handed a world
 * without network, disk and hashing, so nothing of it can wait or be written down.
 */

import { keepsNone } from '../../src/core/core.testing.ts'
import { Core } from '../../src/core/core.ts'
import { defaultCoreLimits } from '../../src/core/limits.ts'
import type { Session } from '../../src/core/session.ts'
import { SessionTable } from '../../src/core/session-table.ts'
import { type Jid, jid } from '../../src/jid/index.ts'
import { createWorld } from '../../src/world/index.ts'
import type { World } from '../../src/world/world.types.ts'
import { deafInfo, deafLink } from './deaf-link.ts'
import { print } from './figure.ts'

const link = deafLink()

function emptyCore(): Core {
  const { clock, random, log } = createWorld()
  const core = new Core(
    { clock, random, log } as unknown as World,
    { ...keepsNone, exists: () => true },
    defaultCoreLimits,
  )
  core.addHost('bench.local', core.hostType('default'))
  return core
}

/** CPU microseconds of this thread and its helpers that `work` takes, a unit. */
function cost(units: number, work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / units
}

function shuffled<T>(all: readonly T[]): T[] {
  let state = 1
  const copy = [...all]
  for (let i = copy.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    const j = state % (i + 1)
    ;[copy[i], copy[j]] = [copy[j] as T, copy[i] as T]
  }
  return copy
}

function measure(count: number): void {
  const name = `${count.toLocaleString('en')} sessions`
  const core = emptyCore()
  const host = core.host('bench.local')
  if (host === undefined) throw new Error('no host')
  const jids = Array.from({ length: count }, (_, i) => jid(`user${i}@bench.local/phone`))
  const sessions: Session[] = []
  const bind = cost(count, () => {
    for (const full of jids) sessions.push(core.bind(link, full, host, deafInfo))
  })
  const table = new SessionTable()
  const order = shuffled(sessions)
  const open = cost(count, () => {
    for (const session of order) table.add(session)
  })
  // Other objects with equal text, in another order: a look-up with a key that is not hot.
  const asked = shuffled(jids.map((full: Jid) => jid(full.toString())))
  let found = 0
  const look = cost(count * 3, () => {
    for (let round = 0; round < 3; round++) for (const full of asked) if (table.find(full) !== undefined) found++
  })
  const online = cost(count * 3, () => {
    for (let round = 0; round < 3; round++)
      for (const full of asked) if (table.isOnline(full.domain, full.local)) found++
  })
  const close = cost(count, () => {
    for (const session of shuffled(order)) table.remove(session)
  })
  if (found !== count * 6 || table.count() !== 0 || core.sessions.count() !== count)
    throw new Error('the table is wrong')
  const unit = 'µs'
  print(
    { case: name, figure: 'bind: session made and entered', unit, value: bind },
    { case: name, figure: 'write: entered into the table', unit, value: open },
    { case: name, figure: 'write: taken out', unit, value: close },
    { case: name, figure: 'read: session of a full JID', unit, value: look },
    { case: name, figure: 'read: is the account online', unit, value: online },
  )
}

// The first round compiles.
const quiet = process.stdout.write
process.stdout.write = () => true
for (let round = 0; round < 3; round++) measure(10_000)
process.stdout.write = quiet
measure(10_000)
measure(100_000)
