/**
 * The server's machine against a small reference model: random inputs in any state lead where the model says, with the stream error
 * that the RFC names, and the rules of every stream hold after each step.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { StanzaError, StreamError } from '../stanza/error.ts'
import { type Element, parseElement, Scanner, type StreamHeader } from '../xml/index.ts'
import { C2sServer } from './c2s-server.ts'
import {
  auth,
  authenticate,
  bindRequest,
  hashing,
  header,
  makeAccount,
  plain,
  starttls,
  TestDriver,
} from './kit.testing.ts'
import { defaultStreamLimits } from './limits.ts'
import type { OutHeader, StreamEffects } from './machine.types.ts'
import { fakeTls, SeededRandom } from './memory.testing.ts'

const runs = Number(process.env['RATATOSK_MODEL_RUNS'] ?? 2_000)
const account = await makeAccount('r0m30')

/** The states of the model; two of the machine's are told apart by an open question, and by the profile of SASL. */
type State =
  | 'idle'
  | 'tls'
  | 'opening'
  | 'reopening'
  | 'features'
  | 'asking'
  | 'asking2'
  | 'inlining'
  | 'binding'
  | 'bind-asking'
  | 'established'
  | 'closing'
  | 'closed'
  | 'gone'

const stateOf: Record<State, C2sServer['state']> = {
  idle: 'idle',
  tls: 'tls',
  opening: 'opening',
  reopening: 'opening',
  features: 'features',
  asking: 'features',
  asking2: 'features',
  inlining: 'inlining',
  binding: 'binding',
  'bind-asking': 'binding',
  established: 'established',
  closing: 'closing',
  closed: 'closed',
  gone: 'gone',
}

/** Where an input leads: a state, or a stream error and `closed`; nothing changes where a state is not named. */
type Rule = Partial<Record<State, State | { readonly error: string }>>

const streaming = ['features', 'asking', 'asking2', 'inlining', 'binding', 'bind-asking', 'established'] as const
const before = ['idle', 'tls'] as const
const open = ['opening', 'reopening', ...streaming] as const

function all(states: readonly State[], to: State | { readonly error: string }): Rule {
  return Object.fromEntries(states.map((state) => [state, to]))
}

const failed = (condition: string): Rule => ({
  ...all(open, { error: condition }),
  ...all(before, 'closed'),
  closing: 'closed',
})

const duringSignIn = { error: 'policy-violation' }

/** XEP-0388 section 2.4: whatever comes before the outcome but what belongs there. */
const strict: Rule = { asking2: duringSignIn, inlining: duringSignIn }
const inlining: Rule = { inlining: duringSignIn }

function rules(isSecure: boolean): Record<string, Rule> {
  const notAuthorized = { error: 'not-authorized' }
  return {
    startClear: { idle: 'opening' },
    startSecured: { idle: 'opening' },
    startHandshake: { idle: 'tls' },
    secured: { tls: 'opening' },
    header: { ...all(streaming, { error: 'bad-format' }), opening: 'features', reopening: 'binding' },
    headerUnknown: {
      ...all(streaming, { error: 'bad-format' }),
      opening: { error: 'host-unknown' },
      reopening: { error: 'host-unknown' },
    },
    message: { ...all(streaming, notAuthorized), ...inlining },
    iqToSelf: { ...all(streaming, notAuthorized), ...inlining, binding: 'binding' },
    bind: { ...all(streaming, notAuthorized), ...inlining, binding: 'bind-asking' },
    startTls: { ...all(streaming, 'closed'), ...inlining, features: isSecure ? 'closed' : 'tls' },
    auth: {
      ...all(streaming, notAuthorized),
      ...all(['features', 'asking'], isSecure ? 'asking' : 'features'),
      ...strict,
    },
    authUnknown: { ...all(streaming, notAuthorized), ...all(['features', 'asking'], 'features'), ...strict },
    response: { ...all(streaming, notAuthorized), ...all(['features', 'asking'], 'features'), ...strict },
    abort: { ...all(streaming, notAuthorized), ...all(['features', 'asking'], 'features'), ...strict },
    authenticate: {
      ...all(streaming, notAuthorized),
      asking: duringSignIn,
      ...strict,
      features: isSecure ? 'asking2' : 'features',
    },
    response2: { ...all(streaming, notAuthorized), asking: duringSignIn, ...strict, features: 'features' },
    unknown: { ...all(streaming, { error: 'unsupported-stanza-type' }), ...inlining },
    foreignContent: { ...all(streaming, { error: 'invalid-namespace' }), ...inlining },
    peerError: all(streaming, 'closed'),
    closingTag: { ...all(open, 'closed'), closing: 'closed' },
    fault: { ...all(open, { error: 'not-well-formed' }), closing: 'closed' },
    exhausted: failed('policy-violation'),
    peerEnded: { ...all([...before, ...open], 'closed'), closing: 'closed' },
    expiredNegotiation: { ...failed('policy-violation'), established: 'established' },
    expiredClosing: { closing: 'closed' },
    disconnected: all([...before, ...open, 'closing', 'closed'], 'gone'),
    close: { ...all(streaming, 'closing'), ...all(['idle', 'tls', 'opening', 'reopening'], 'closed') },
    closeConflict: failed('conflict'),
    answerRight: { asking: 'reopening', asking2: 'inlining' },
    answerWrong: { asking: 'features', asking2: 'features' },
    answerStale: {},
    inlined: { inlining: 'established' },
    inlinedBare: { inlining: 'binding' },
    bound: { 'bind-asking': 'established' },
    boundRefused: { 'bind-asking': 'binding' },
  }
}

function readHeader(text: string): StreamHeader {
  let found: StreamHeader | undefined
  const scanner = new Scanner('stream', undefined, {
    streamOpen: (read) => {
      found = read
    },
    stanza: () => undefined,
    streamClose: () => undefined,
    fault: () => undefined,
  })
  scanner.write(Buffer.from(text))
  return found ?? assert.fail()
}

function element(text: string): Element {
  const isBare = /^<(iq|message)/.test(text) && !text.startsWith('<message xmlns=')
  return parseElement(isBare ? text.replace(' ', " xmlns='jabber:client' ") : text)
}

const goodHeader = readHeader(header)
const unknownHeader = readHeader(header.replace("to='localhost'", "to='else.example'"))

/** Records what the machine does, and checks the rules that hold for every stream. */
class Effects implements StreamEffects {
  holds = 0
  error: string | undefined = undefined
  isFinished = false
  #hasHeader = false
  #isClosed = false
  readonly deadlines = new Set<string>()

  sendHeader(_header: OutHeader): void {
    this.#mayWrite()
    assert.ok(!this.#hasHeader, 'two headers in one stream')
    this.#hasHeader = true
  }

  send(el: Element): void {
    this.#mayWrite()
    assert.ok(this.#hasHeader, `${el.name} before a header`)
    if (el.name === 'error' && el.ns.includes('streams')) this.error = el.elements[0]?.name
  }

  sendClose(): void {
    this.#mayWrite()
    assert.ok(this.#hasHeader, 'a closing tag before a header')
    this.#isClosed = true
  }

  restart(): void {
    this.#hasHeader = false
  }

  startTls(): void {
    this.#mayWrite()
    this.#hasHeader = false
  }

  hold(): void {
    this.holds++
    assert.equal(this.holds, 1)
  }

  release(): void {
    this.holds--
    assert.equal(this.holds, 0)
  }

  deadline(name: string, ms: number): void {
    assert.ok(!this.isFinished, 'a deadline after the end')
    if (ms === 0) this.deadlines.delete(name)
    else this.deadlines.add(name)
  }

  finish(): void {
    this.isFinished = true
    this.deadlines.clear()
  }

  limit(): void {}
  stanzasTo(): void {}
  deferWrites(): void {}
  flushWrites(): void {}

  #mayWrite(): void {
    assert.ok(!this.#isClosed, 'something after the closing tag')
    assert.ok(!this.isFinished, 'something after the end')
  }
}

class Driver extends TestDriver {
  ticket = 0

  override lookUp(ticket: number): void {
    this.ticket = ticket
  }

  override verify(ticket: number): void {
    this.ticket = ticket
  }

  override bind(ticket: number): void {
    this.ticket = ticket
  }

  override inline(ticket: number): void {
    this.ticket = ticket
  }
}

type Inputs = Record<keyof ReturnType<typeof rules>, (machine: C2sServer, driver: Driver) => void>

const inputs: Inputs = {
  startClear: (machine) => machine.start(undefined),
  startSecured: (machine) => machine.start(fakeTls()),
  startHandshake: (machine) => machine.start('handshake'),
  secured: (machine) => machine.secured(fakeTls()),
  header: (machine) => machine.streamOpened(goodHeader),
  headerUnknown: (machine) => machine.streamOpened(unknownHeader),
  message: (machine) => machine.element(element("<message to='romeo@example.net'/>")),
  iqToSelf: (machine) => machine.element(element("<iq type='get' id='1' to='localhost'/>")),
  bind: (machine) => machine.element(element(bindRequest)),
  startTls: (machine) => machine.element(element(starttls)),
  auth: (machine) => machine.element(element(auth('PLAIN', plain('juliet', 'r0m30')))),
  authUnknown: (machine) => machine.element(element(auth('CRAM-MD5'))),
  response: (machine) => machine.element(element("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")),
  abort: (machine) => machine.element(element("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")),
  authenticate: (machine) => machine.element(element(authenticate('PLAIN', plain('juliet', 'r0m30')))),
  response2: (machine) => machine.element(element("<response xmlns='urn:xmpp:sasl:2'/>")),
  unknown: (machine) => machine.element(element("<hello xmlns='urn:example'/>")),
  foreignContent: (machine) => machine.element(element("<message xmlns='jabber:server'/>")),
  peerError: (machine) => machine.element(element("<error xmlns='http://etherx.jabber.org/streams'/>")),
  closingTag: (machine) => machine.streamClosed(),
  fault: (machine) =>
    machine.fault({ condition: 'not-well-formed', code: 'RTK_XML_BAD_TAG', text: 'bad', position: 0 }),
  exhausted: (machine) => machine.exhausted(),
  peerEnded: (machine) => machine.peerEnded(),
  expiredNegotiation: (machine) => machine.expired('negotiation'),
  expiredClosing: (machine) => machine.expired('closing'),
  disconnected: (machine) => machine.disconnected({ kind: 'peer' }),
  close: (machine) => machine.close(),
  closeConflict: (machine) => machine.close(new StreamError('RTK_TEST', 'conflict')),
  answerRight: (machine, driver) => machine.answer(driver.ticket, { kind: 'verified', result: 'right' }),
  answerWrong: (machine, driver) => machine.answer(driver.ticket, { kind: 'verified', result: 'wrong' }),
  answerStale: (machine) => {
    machine.answer(0, { kind: 'verified', result: 'right' })
    assert.equal(machine.bound(0, new StanzaError('RTK_TEST', 'conflict')), false)
    assert.equal(machine.inlined(0, { bound: undefined, elements: [] }), false)
  },
  inlined: (machine, driver) => {
    const jid = machine.account?.jid.withResource('r')
    if (jid !== undefined) machine.inlined(driver.ticket, { bound: { jid, sink: driver.sink }, elements: [] })
  },
  inlinedBare: (machine, driver) => {
    machine.inlined(driver.ticket, { bound: undefined, elements: [] })
  },
  bound: (machine, driver) => {
    const jid = machine.account?.jid.withResource('r')
    if (jid !== undefined) machine.bound(driver.ticket, { jid, sink: driver.sink })
  },
  boundRefused: (machine, driver) => {
    machine.bound(driver.ticket, new StanzaError('RTK_TEST', 'conflict'))
  },
}

/** Steps that lead on; drawn more often, so that later states are visited too. */
const onward = [
  'header',
  'auth',
  'answerRight',
  'bind',
  'bound',
  'secured',
  'startTls',
  'answerWrong',
  'response',
  'authenticate',
  'inlined',
] as const
const any = Object.keys(inputs)

function play(
  start: 'startClear' | 'startSecured' | 'startHandshake',
  steps: readonly string[],
  visited: Set<string>,
): void {
  const effects = new Effects()
  const driver = new Driver()
  driver.accounts.set('juliet', account)
  const limits = { ...defaultStreamLimits, negotiationElements: 1e9, saslRetries: 1e9, bindRetries: 1e9 }
  const machine = new C2sServer({ effects, driver, limits, random: new SeededRandom(1), hashing })
  let isSecure = start === 'startSecured'
  let state: State = 'idle'
  for (const name of [start, ...steps]) {
    if (state === 'idle' && name.startsWith('start') && name !== 'startTls') isSecure = name === 'startSecured'
    if (state === 'tls' && name === 'secured') isSecure = true
    const to: State | { readonly error: string } = rules(isSecure)[name]?.[state] ?? state
    effects.error = undefined
    inputs[name]?.(machine, driver)
    visited.add(`${state} ${name}`)
    const where: string = `${state} ─${name}─▶`
    assert.equal(effects.error, typeof to === 'string' ? undefined : to.error, where)
    state = typeof to === 'string' ? to : 'closed'
    assert.equal(machine.state, stateOf[state], where)
    const isOver: boolean = state === 'closing' || state === 'closed' || state === 'gone'
    assert.equal(driver.ends.length, isOver ? 1 : 0, `${where} ends`)
    assert.equal(driver.causes.length, state === 'gone' ? 1 : 0, `${where} causes`)
    if (!isOver) assert.equal(effects.holds, askingStates.has(state) ? 1 : 0, `${where} holds`)
    assert.equal(
      effects.isFinished,
      state === 'closed' || (state === 'gone' && effects.isFinished),
      `${where} finished`,
    )
    assert.equal(
      effects.deadlines.has('closing'),
      state === 'closing' || (state === 'gone' && effects.deadlines.has('closing')),
    )
    if (state === 'established' || isOver) assert.ok(!effects.deadlines.has('negotiation') || state === 'gone', where)
  }
}

const askingStates: ReadonlySet<State> = new Set(['asking', 'asking2', 'inlining', 'bind-asking'] as const)

/** How to come to each state. */
const paths: Record<State, readonly string[]> = {
  idle: [],
  tls: ['startHandshake'],
  opening: ['startSecured'],
  reopening: ['startSecured', 'header', 'auth', 'answerRight'],
  features: ['startSecured', 'header'],
  asking: ['startSecured', 'header', 'auth'],
  asking2: ['startSecured', 'header', 'authenticate'],
  inlining: ['startSecured', 'header', 'authenticate', 'answerRight'],
  binding: ['startSecured', 'header', 'auth', 'answerRight', 'header'],
  'bind-asking': ['startSecured', 'header', 'auth', 'answerRight', 'header', 'bind'],
  established: ['startSecured', 'header', 'auth', 'answerRight', 'header', 'bind', 'bound'],
  closing: ['startSecured', 'header', 'close'],
  closed: ['startSecured', 'header', 'closingTag'],
  gone: ['startSecured', 'header', 'disconnected'],
}

test('SES-02: random inputs never lead to a transition that the model does not know', () => {
  const visited = new Set<string>()
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...onward) },
    { weight: 1, arbitrary: fc.constantFrom(...any) },
  )
  const clear: readonly string[] = ['startClear']
  const begin = fc.constantFrom(clear, ...Object.values(paths).filter((path) => path.length > 0))
  fc.assert(
    fc.property(begin, fc.array(step, { maxLength: 24 }), ([start, ...path], steps) =>
      play(start as 'startClear', [...path, ...steps], visited),
    ),
    { numRuns: runs },
  )
  const states = new Set([...visited].map((key) => key.split(' ')[0]))
  assert.deepEqual([...states].sort(), Object.keys(stateOf).sort(), 'a state was never visited')
})

test('SES-02: every input in every state', () => {
  const visited = new Set<string>()
  for (const path of Object.values(paths)) {
    const [start, ...rest] = path
    for (const input of any) {
      if (start === undefined) {
        if (input === 'startClear' || input === 'startSecured' || input === 'startHandshake') play(input, [], visited)
      } else play(start as 'startSecured', [...rest, input], visited)
    }
  }
  for (const state of Object.keys(paths)) {
    if (state === 'idle') continue
    for (const input of any) assert.ok(visited.has(`${state} ${input}`), `${state} ${input}`)
  }
})
