/**
 * Attacks a server from a process of its own, so that the innocent's figures are not the attacker's. Usage:
 * `attacker.ts MODE '{"port":…}'`; speaks JSON lines on standard output: `{"ready":…}`, at the end `{"done":…}`.
 */
import { connect, type Socket } from 'node:net'
import { jid } from '../../src/jid/index.ts'
import type { ClientEnd } from '../../src/stream/c2s-client.types.ts'
import { ClientFailure, connectClient, type XmppClient } from '../../src/stream/client.ts'
import { createWorld } from '../../src/world/index.ts'
import { type Element, encode, x } from '../../src/xml/index.ts'

interface Task {
  readonly host: string
  readonly port: number
  readonly ca: string
  readonly user: string
  readonly password: string
  readonly count: number
  readonly perAddress: number
  readonly holdMs: number
  /** How many sessions are left in the end. */
  readonly stay: number
  /** Contacts in one request. */
  readonly perSet: number
  /** Whether those who are dumb can be sent anything. */
  readonly isAvailable?: boolean
  /** Whether those who are dumb go on asking the server whether it is there. */
  readonly asks?: boolean
  /** Whom a flood is for. */
  readonly to?: string
}

const [mode = '', given = '{}'] = process.argv.slice(2)
const task = JSON.parse(given) as Task
const world = createWorld()
const NS = 'jabber:client'

/** Sign-ins under way at one time. */
const atOnce = 8
/** They ask so often: sooner than their kernel would acknowledge an answer by itself (RFC 1122 section 4.2.3.2). */
const askEveryMs = 25
/** Requests without an answer at one time. */
const setsOpen = 32

function say(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

/** The condition of a stream error, or how else a stream ended. */
function endOf(end: ClientEnd): string {
  return end.kind === 'error' || end.kind === 'peer-error' ? end.error.condition : end.kind
}

async function signIn(
  onStanza: (el: Element) => void,
  onEnd: (end: ClientEnd) => void,
  { resource = 'attack', acknowledges = true } = {},
): Promise<XmppClient> {
  const client = await connectClient(world, {
    jid: jid(`${task.user}@localhost/${resource}`),
    acknowledges,
    password: task.password,
    place: { kind: 'tcp', host: task.host, port: task.port },
    tls: 'starttls',
    ca: task.ca,
    onStanza,
    onEnd,
  })
  if (client instanceof ClientFailure) throw new Error(String(client))
  return client
}

/** Opens connections and says nothing on them. Reports how each ended. */
async function silent(): Promise<void> {
  const ends: Record<string, number> = {}
  let open = 0
  let left = task.count
  const all = Promise.withResolvers<void>()
  const ready = Promise.withResolvers<void>()
  let connected = 0
  const dial = (address: string): Socket => {
    const socket = connect({ port: task.port, host: task.host, localAddress: address })
    let text = ''
    socket.on('connect', () => {
      open++
      if (++connected === task.count) ready.resolve()
    })
    socket.on('data', (data) => {
      text += data.toString('latin1')
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      text += `<${error.code}`
    })
    socket.on('close', () => {
      const condition = /<(policy-violation|connection-timeout|resource-constraint|E[A-Z]+)/.exec(text)?.[1] ?? 'closed'
      ends[condition] = (ends[condition] ?? 0) + 1
      open--
      if (--left === 0) all.resolve()
    })
    return socket
  }
  const batch = 200
  for (let i = 0; i < task.count; i += batch) {
    const until = Math.min(task.count, i + batch)
    const opened = []
    for (let k = i; k < until; k++) {
      const host = Math.floor(k / task.perAddress)
      const socket = dial(`127.0.${1 + Math.floor(host / 250)}.${1 + (host % 250)}`)
      opened.push(new Promise((resolve) => socket.once('connect', resolve).once('close', resolve)))
    }
    await Promise.all(opened)
  }
  say({ ready: open })
  await all.promise
  say({ done: ends })
}

/** Signs in, becomes available, and does not read for a while. */
async function slow(): Promise<void> {
  const ended = Promise.withResolvers<ClientEnd>()
  const client = await signIn(() => undefined, ended.resolve)
  client.send(x('presence', NS))
  await client.request(x('iq', NS, { type: 'get' }, x('ping', 'urn:xmpp:ping')))
  say({ ready: client.jid.toString() })
  // The whole process stands still: the kernel's buffers fill, then the server's queue.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, task.holdMs)
  say({ done: endOf(await ended.promise) })
}

/** Sends as fast as the server reads. */
async function flood(): Promise<void> {
  let errors = 0
  const ended = Promise.withResolvers<ClientEnd>()
  const client = await signIn(() => errors++, ended.resolve)
  say({ ready: client.jid.toString() })
  const stanza = encode(`<message to='${task.to ?? 'nobody@localhost'}'><body>${'flood '.repeat(30)}</body></message>`)
  const end = world.clock.monoMs() + task.holdMs
  let sent = 0
  const more = (): void => {
    if (world.clock.monoMs() > end) {
      client.destroy()
      return
    }
    if (client.transport.queuedBytes < 1_000_000) {
      for (let i = 0; i < 500; i++) client.sendBytes(stanza)
      sent += 500
    }
    world.clock.soon(more, undefined)
  }
  more()
  await ended.promise
  say({ done: { sent, errors } })
}

/** One stanza without an end. */
async function endless(): Promise<void> {
  const ended = Promise.withResolvers<ClientEnd>()
  const client = await signIn(() => undefined, ended.resolve)
  say({ ready: client.jid.toString() })
  let isOver = false
  ended.promise.then(
    () => {
      isOver = true
    },
    () => undefined,
  )
  client.sendBytes(encode(`<message to='nobody@localhost'><body>`))
  const piece = encode('endless '.repeat(1000))
  let sent = 0
  const more = (): void => {
    if (isOver) return
    if (client.transport.queuedBytes < 1_000_000) {
      client.sendBytes(piece)
      sent += piece.length
    }
    world.clock.soon(more, undefined)
  }
  more()
  say({ done: { end: endOf(await ended.promise), sent } })
}

/** Stanzas on which a module's handler throws. */
async function poison(): Promise<void> {
  const answers: Record<string, number> = {}
  let left = task.count
  const all = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<ClientEnd>()
  const client = await signIn((el) => {
    const condition = el.child('error', NS)?.elements[0]?.name ?? 'none'
    answers[condition] = (answers[condition] ?? 0) + 1
    if (--left === 0) all.resolve()
  }, ended.resolve)
  say({ ready: client.jid.toString() })
  for (let i = 0; i < task.count; i++) {
    client.send(x('message', NS, { to: 'nobody@localhost', id: String(i) }, x('poison', 'urn:example:poison')))
  }
  await all.promise
  say({ done: answers })
}

/** Signs in again and again, each time as another resource, and stays. Reports how they ended, and who is left. */
async function resources(): Promise<void> {
  const ends: Record<string, number> = {}
  const open = new Set<number>()
  const allEnded = Promise.withResolvers<void>()
  let left = task.count - task.stay
  const ended = (n: number, end: ClientEnd) => {
    const condition = endOf(end)
    ends[condition] = (ends[condition] ?? 0) + 1
    open.delete(n)
    if (--left === 0) allEnded.resolve()
  }
  say({ ready: true })
  for (let at = 0; at < task.count; at += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, task.count - at) }, async (_, k) => {
      open.add(at + k)
      await signIn(
        () => undefined,
        (end) => ended(at + k, end),
        { resource: `r${at + k}` },
      )
    })
    await Promise.all(some)
  }
  await allEnded.promise
  say({ done: { ends, open: open.size, oldest: Math.min(...open) } })
}

/** Signs in `count` times, and says nothing more, or nothing new. */
async function dumb(): Promise<void> {
  const clients: XmppClient[] = []
  for (let at = 0; at < task.count; at += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, task.count - at) }, async (_, k) => {
      const ignore = () => undefined
      const client = await signIn(ignore, ignore, { resource: `r${at + k}` })
      if (task.isAvailable === true) client.send(x('presence', NS))
      await client.request(x('iq', NS, { type: 'get' }, x('ping', 'urn:xmpp:ping')))
      clients.push(client)
    })
    await Promise.all(some)
  }
  const ask = () => {
    for (const client of clients) client.send(x('iq', NS, { type: 'get', id: 'again' }, x('ping', 'urn:xmpp:ping')))
    world.clock.after(askEveryMs, ask, undefined)
  }
  if (task.asks === true) ask()
  say({ ready: task.count })
  await new Promise(() => undefined)
}

/** Puts `count` contacts into the roster, `perSet` in a request. Reports the answers. */
async function roster(): Promise<void> {
  const answers: Record<string, number> = {}
  let open = 0
  let sent = 0
  const all = Promise.withResolvers<void>()
  const client = await signIn(
    (el) => {
      if (el.attr('id')?.startsWith('set') !== true) return
      const answer = el.child('error', NS)?.elements[0]?.name ?? el.attr('type') ?? ''
      answers[answer] = (answers[answer] ?? 0) + 1
      open--
      more()
    },
    (end) => all.reject(new Error(endOf(end))),
  )
  say({ ready: client.jid.toString() })
  const more = (): void => {
    while (open < setsOpen && sent < task.count) {
      let items = ''
      for (let k = 0; k < task.perSet && sent < task.count; k++) items += `<item jid='${sent++}@a.b'/>`
      client.sendBytes(encode(`<iq type='set' id='set${sent}'><query xmlns='jabber:iq:roster'>${items}</query></iq>`))
      open++
    }
    if (open === 0) all.resolve()
  }
  more()
  await all.promise
  say({ done: answers })
}

/** Has the server count (XEP-0198), reads all, and never says that it has anything. */
async function deaf(): Promise<void> {
  const ended = Promise.withResolvers<ClientEnd>()
  let heard = 0
  const client = await signIn(() => heard++, ended.resolve, { acknowledges: false })
  client.send(x('presence', NS))
  await client.enable()
  say({ ready: client.jid.toString() })
  const end = endOf(await ended.promise)
  say({ done: { end, heard } })
}

/** Sends `count` messages, and hears which came back until it is told that nobody else has them: how many, after how long a silence. */
async function numbered(): Promise<void> {
  let errors = 0
  const client = await signIn(
    () => errors++,
    () => undefined,
  )
  say({ ready: true })
  for (let n = 0; n < task.count; n++) {
    client.send(x('message', NS, { to: task.to ?? '', id: String(n) }, x('body', NS, 'hear '.repeat(20))))
    if (n % 500 === 499) await client.request(x('iq', NS, { type: 'get' }, x('ping', 'urn:xmpp:ping')))
  }
  for (let before = -1; before !== errors; ) {
    before = errors
    const pause = Promise.withResolvers<void>()
    world.clock.after(3_000, pause.resolve, undefined)
    await pause.promise
  }
  say({ done: { errors } })
}

/** Signs in, is available, and takes what waited. */
async function fetch(): Promise<void> {
  let heard = 0
  const came = Promise.withResolvers<void>()
  const client = await signIn(
    (el) => {
      if (el.name === 'message' && ++heard === task.count) came.resolve()
    },
    () => came.resolve(),
  )
  say({ ready: true })
  client.send(x('presence', NS))
  await came.promise
  await client.request(x('iq', NS, { type: 'get' }, x('ping', 'urn:xmpp:ping')))
  await client.close()
  say({ done: { heard } })
}

const modes: Readonly<Record<string, () => Promise<void>>> = {
  silent,
  slow,
  flood,
  endless,
  poison,
  resources,
  dumb,
  roster,
  deaf,
  numbered,
  fetch,
}
const run = modes[mode]
if (run === undefined) throw new Error(`no attack ${mode}`)
await run()
process.exit(0)
