/** The queue of operations: onto the wire, into batches, and their answers to whoever asked. */
import type { Timer } from '../world/clock.types.ts'
import type { WorldError } from '../world/error.ts'
import type { World } from '../world/world.types.ts'
import type { Value } from './columns.ts'
import type { Change, Operation, Statement, WriteOperation } from './define.ts'
import { type StoreErrorCode, storeError } from './errors.ts'
import type { Link } from './link.types.ts'
import type { StoreChange, StoreLimits, StoreMetrics } from './store.types.ts'
import { Answer, decodeValue, encodeValue, type FieldData, type OperationData, Reply, type WireValue } from './wire.ts'

type Row = Readonly<Record<string, Value>>

/** Batches handed to the engine and not answered: one at work, one waiting so that the engine never idles. */
const PIPELINE = 2

/** What an operation in the queue is estimated to cost beside its parameters, bytes. */
const OVERHEAD_BYTES = 200

/** The time-out is looked at no more often than this, milliseconds. */
const SHORTEST_CHECK_MS = 50

/** So many operations time out in one turn: a full queue that does so at once would hold the loop for half a second. */
const EXPIRED_A_TURN = 1000

/** An open store, as the queue knows it. */
export interface Owner {
  readonly name: string
  /** Its operations asked for and not settled. */
  open: number
  /** It was replaced by another definition: its operations are refused. */
  retired: boolean
}

/** One operation of an open store. */
export interface Callable {
  readonly owner: Owner
  readonly data: OperationData
  readonly statements: readonly Statement[]
  readonly changes: WriteOperation['changes']
  readonly isRead: boolean
  /** It is of the batch of the one before it, however large that is. */
  readonly joins: boolean
  readonly one: boolean
}

export interface QueueEvents {
  changed(change: StoreChange): void
  /** After each answer: the state that the engine is in ('' for good), and whether something was committed. */
  heard(code: string, text: string, committed: boolean): void
  /** The engine has let an operation that it holds time out. */
  stalled(text: string): void
  /** The last operation of a retired store is settled. */
  idle(owner: Owner): void
}

interface Entry {
  readonly call: Callable
  readonly params: Row
  readonly items: readonly Row[] | undefined
  readonly resolve: (value: unknown) => void
  readonly reject: (error: WorldError) => void
  /** Monotonic time, milliseconds. */
  readonly since: number
  readonly bytes: number
  /** Where it begins in the wire of its batch. */
  readonly from: number
  settled: boolean
}

interface Batch {
  entries: Entry[]
  wire: WireValue[]
}

export class BatchQueue {
  readonly metrics: StoreMetrics = {
    queueOperations: 0,
    queueBytes: 0,
    reads: 0,
    writes: 0,
    refused: 0,
    errors: 0,
    rejectedFull: 0,
    diskFull: 0,
    timeouts: 0,
    rejectedStalled: 0,
    batches: 0,
    commits: 0,
    engineMs: 0,
    restarts: 0,
    listenerFaults: 0,
  }
  readonly #world: Pick<World, 'clock' | 'log'>
  readonly #limits: StoreLimits
  readonly #events: QueueEvents
  readonly #sent: Batch[] = []
  readonly #waiting: Batch[] = []
  #link: Link | undefined
  /** Why nothing is taken, when nothing is. */
  #refusal: WorldError | undefined
  /** Why nothing is taken until the engine answers again: it has let an operation time out. */
  #stalled: WorldError | undefined
  #flushing = false
  #now = 0
  #timer: Timer | undefined
  #drained: ((answered: boolean) => void) | undefined
  #answering = false

  constructor(world: Pick<World, 'clock' | 'log'>, limits: StoreLimits, events: QueueEvents) {
    this.#world = world
    this.#limits = limits
    this.#events = events
  }

  callable(owner: Owner, operation: Operation, data: OperationData): Callable {
    const isRead = operation.does === 'read'
    return {
      owner,
      data,
      isRead,
      joins: !isRead && operation.joins,
      one: isRead && operation.one,
      statements: isRead ? [] : operation.statements,
      changes: isRead ? undefined : operation.changes,
    }
  }

  /** The operations of a store that was replaced are refused from now on. */
  retire(owner: Owner): void {
    owner.retired = true
    if (owner.open === 0) this.#events.idle(owner)
  }

  connect(link: Link): void {
    this.#link = link
    this.#refusal = undefined
    this.#stalled = undefined
  }

  submit(call: Callable, params: Row, items: readonly Row[] | undefined): Promise<unknown> {
    const refusal = this.#refuse(call)
    if (refusal !== undefined) return this.#rejected(refusal)
    let batch = this.#waiting.at(-1)
    if (batch === undefined || (batch.entries.length >= this.#limits.batchOperations && !call.joins)) {
      batch = { entries: [], wire: [] }
      this.#waiting.push(batch)
    }
    const from = batch.wire.length
    const encoded = encode(call, params, items, batch.wire)
    if (typeof encoded !== 'number' || this.metrics.queueBytes + encoded > this.#limits.queueBytes) {
      batch.wire.length = from
      if (typeof encoded !== 'number') return this.#rejected(encoded)
      return this.#rejected(this.#full('store.queue_bytes', this.#limits.queueBytes))
    }
    call.owner.open++
    this.metrics.queueOperations++
    this.metrics.queueBytes += encoded
    if (call.isRead) this.metrics.reads++
    else this.metrics.writes++
    if (!this.#flushing) this.#flushSoon()
    return new Promise((resolve, reject) => {
      batch.entries.push({
        call,
        params,
        items,
        resolve,
        reject,
        since: this.#now,
        bytes: encoded,
        from,
        settled: false,
      })
    })
  }

  #refuse(call: Callable): WorldError | undefined {
    if (this.#refusal !== undefined) return this.#refusal
    if (this.#stalled !== undefined) {
      this.metrics.rejectedStalled++
      return this.#stalled
    }
    if (call.owner.retired) {
      return storeError('RTK_STORE_CLOSED', `store ${call.owner.name} was opened again with another definition`)
    }
    if (this.metrics.queueOperations >= this.#limits.queueOperations) {
      return this.#full('store.queue_operations', this.#limits.queueOperations)
    }
    return undefined
  }

  #full(limit: string, value: number): WorldError {
    this.metrics.rejectedFull++
    return storeError('RTK_STORE_QUEUE_FULL', `the store's queue is full (${limit} is ${value})`)
  }

  #rejected(error: WorldError): Promise<never> {
    this.metrics.errors++
    return Promise.reject(error)
  }

  #flushSoon(): void {
    this.#flushing = true
    this.#now = this.#world.clock.monoMs()
    this.#world.clock.soon((queue: BatchQueue) => {
      queue.#flushing = false
      queue.#flush()
    }, this)
    if (this.#timer === undefined) this.#armTimer(this.#limits.operationTimeoutMs)
  }

  #flush(): void {
    while (this.#link !== undefined && this.#sent.length < PIPELINE) {
      const batch = this.#waiting.shift()
      if (batch === undefined) return
      if (batch.entries.length === 0) continue
      this.#sent.push(batch)
      this.#link.submit(batch.wire)
      // The wire is the engine's now; what it refers to need not live until the answer.
      batch.wire = []
    }
  }

  answered(reply: readonly WireValue[]): void {
    const batch = this.#sent.shift()
    if (batch === undefined) {
      this.#world.log.error('store: the engine answered a batch that nobody asked')
      return
    }
    this.#stalled = undefined
    this.#flush()
    this.metrics.batches++
    this.metrics.engineMs += reply[Reply.engineMs] as number
    this.metrics.commits += reply[Reply.commits] as number
    this.#answering = true
    let at: number = Reply.head
    for (let i = 0; i < batch.entries.length; i++) at = this.#settle(batch.entries[i] as Entry, reply, at)
    this.#answering = false
    this.#events.heard(String(reply[Reply.stateCode]), String(reply[Reply.stateText]), reply[Reply.commits] === 1)
    this.#checkDrained()
  }

  /** Hands over one answer. Returns where the next begins. */
  #settle(entry: Entry, reply: readonly WireValue[], at: number): number {
    const { call } = entry
    const kind = reply[at]
    if (kind === Answer.error) {
      this.#reject(
        entry,
        storeError(reply[at + 1] as StoreErrorCode, `store ${call.owner.name}: ${String(reply[at + 2])}`),
      )
      return at + 3
    }
    if (kind === Answer.refused) {
      const statement = reply[at + 1] as number
      this.metrics.refused++
      this.#resolve(entry, { outcome: call.statements[statement]?.otherwise ?? 'conflict', statement })
      return at + 2
    }
    const isKept = kind === Answer.kept
    const rowsAt = isKept ? at + 2 : at + 1
    const { row } = call.data
    const count = reply[rowsAt] as number
    const next = rowsAt + 1 + count * row.length
    // A write that timed out may yet be kept: caches must hear of it though nobody waits.
    if (isKept && call.changes !== undefined) this.#notify(entry)
    if (entry.settled) return next
    if (isKept) {
      this.#resolve(entry, {
        outcome: 'kept',
        changed: reply[at + 1],
        rows: count === 0 ? none : decodeRows(row, reply, rowsAt + 1, count),
      })
    } else if (call.one) this.#resolve(entry, count === 0 ? undefined : decodeRow(row, reply, rowsAt + 1))
    else this.#resolve(entry, count === 0 ? none : decodeRows(row, reply, rowsAt + 1, count))
    return next
  }

  #notify(entry: Entry): void {
    const { call } = entry
    try {
      // The definition tied this function to its own parameters; here they are known only as rows.
      const changes = call.changes as (params: Row, items: readonly Row[]) => Change | readonly Change[]
      const answer = changes(entry.params, entry.items ?? [])
      for (const { table, key } of Array.isArray(answer) ? (answer as readonly Change[]) : [answer as Change]) {
        this.#events.changed({ store: call.owner.name, table, key })
      }
    } catch (error) {
      this.metrics.listenerFaults++
      this.#world.log.error('store: telling changes failed', {
        store: call.owner.name,
        operation: call.data.name,
        error,
      })
    }
  }

  #resolve(entry: Entry, value: unknown): void {
    if (this.#release(entry)) entry.resolve(value)
  }

  #reject(entry: Entry, error: WorldError): void {
    if (!this.#release(entry)) return
    this.metrics.errors++
    if (error.code === 'RTK_STORE_DISK_FULL') this.metrics.diskFull++
    entry.reject(error)
  }

  #release(entry: Entry): boolean {
    if (entry.settled) return false
    entry.settled = true
    this.metrics.queueOperations--
    this.metrics.queueBytes -= entry.bytes
    const { owner } = entry.call
    if (--owner.open === 0 && owner.retired) this.#events.idle(owner)
    return true
  }

  #armTimer(ms: number): void {
    this.#timer = this.#world.clock.after(ms, (queue: BatchQueue) => queue.#checkTimes(), this)
  }

  /** One timer for all: the queue is in the order of asking, so only its head can be due. */
  #checkTimes(): void {
    this.#timer = undefined
    const oldestAllowed = this.#world.clock.monoMs() - this.#limits.operationTimeoutMs
    let left = EXPIRED_A_TURN
    for (const batch of this.#sent) {
      left -= this.#expire(batch, oldestAllowed, left, 'it may have been kept')
      // What the engine has, and nobody waits for any more, it has not answered in time.
      if (batch.entries[0]?.settled === true) this.#stall()
    }
    for (const batch of this.#waiting) {
      const expired = this.#expire(batch, oldestAllowed, left, 'it was never sent')
      left -= expired
      // What nobody waits for any more is not worth sending when the engine wakes.
      if (expired > 0) prune(batch)
    }
    while (this.#waiting[0]?.entries.length === 0) this.#waiting.shift()
    const oldest = this.#oldest()
    if (oldest !== undefined) this.#armTimer(left > 0 ? Math.max(oldest - oldestAllowed, SHORTEST_CHECK_MS) : 0)
    this.#checkDrained()
  }

  /** Whoever asks from now on would wait in vain too, and with him the stanzas behind his. */
  #stall(): void {
    if (this.#stalled !== undefined) return
    const text = `the database has not answered for ${this.#limits.operationTimeoutMs} ms`
    this.#stalled = storeError('RTK_STORE_STALLED', text)
    this.#events.stalled(text)
  }

  /** Rejects what is due, at most so many. Answers how many. */
  #expire(batch: Batch, oldestAllowed: number, most: number, fate: string): number {
    let expired = 0
    for (const entry of batch.entries) {
      if (entry.since > oldestAllowed || expired === most) break
      if (entry.settled) continue
      expired++
      this.metrics.timeouts++
      const { call } = entry
      this.#reject(
        entry,
        storeError(
          'RTK_STORE_TIMEOUT',
          `store ${call.owner.name}, operation ${call.data.name}: no answer in time; ${fate}`,
        ),
      )
    }
    return expired
  }

  #oldest(): number | undefined {
    for (const batch of [...this.#sent, ...this.#waiting]) {
      const entry = batch.entries.find((one) => !one.settled)
      if (entry !== undefined) return entry.since
    }
    return undefined
  }

  /** The engine is gone: everything open is rejected, and everything new until `connect`. */
  disconnect(reason: WorldError): void {
    this.#link = undefined
    this.#refusal ??= reason
    const lost = [...this.#sent.splice(0), ...this.#waiting.splice(0)]
    for (const batch of lost) for (const entry of batch.entries) this.#reject(entry, reason)
    this.#checkDrained()
  }

  /** Takes nothing new and waits for what is open. Resolves with whether the engine has answered everything it was sent. */
  drain(): Promise<boolean> {
    this.#refusal = storeError('RTK_STORE_CLOSED', 'the store is closed')
    this.#flush()
    return new Promise((resolve) => {
      this.#drained = resolve
      this.#checkDrained()
    })
  }

  #checkDrained(): void {
    if (this.#drained === undefined || this.metrics.queueOperations > 0 || this.#answering) return
    this.#timer?.cancel()
    this.#timer = undefined
    this.#drained(this.#sent.length === 0)
    this.#drained = undefined
  }
}

const none: readonly never[] = Object.freeze([])

/** Takes what is settled out of a batch that was not sent. */
function prune(batch: Batch): void {
  const wire: WireValue[] = []
  const entries: Entry[] = []
  batch.entries.forEach((entry, index) => {
    if (entry.settled) return
    const from = wire.length
    const end = batch.entries[index + 1]?.from ?? batch.wire.length
    for (let at = entry.from; at < end; at++) wire.push(batch.wire[at] ?? null)
    entries.push({ ...entry, from })
  })
  batch.wire = wire
  batch.entries = entries
}

/** Puts an operation on the wire. Answers its estimated size in bytes, or what is wrong with a parameter. */
function encode(
  call: Callable,
  params: Row,
  items: readonly Row[] | undefined,
  wire: WireValue[],
): number | WorldError {
  const { data } = call
  wire.push(data.slot)
  let bytes = OVERHEAD_BYTES
  for (let i = 0; i < data.params.length; i++) {
    const field = data.params[i] as FieldData
    const size = encodeValue(wire, field, params[field.name])
    if (size < 0) return badParameter(call, field)
    bytes += size
  }
  if (!data.takesItems) return bytes
  const list = items ?? []
  wire.push(list.length)
  for (const item of list) {
    for (let i = 0; i < data.items.length; i++) {
      const field = data.items[i] as FieldData
      const size = encodeValue(wire, field, item[field.name])
      if (size < 0) return badParameter(call, field)
      bytes += size
    }
  }
  return bytes
}

function badParameter(call: Callable, field: FieldData): WorldError {
  return storeError(
    'RTK_STORE_PARAMETER',
    `store ${call.owner.name}, operation ${call.data.name}: ${field.name} is not ${field.kind}${field.nullable ? ' or null' : ''}`,
  )
}

function decodeRow(row: readonly FieldData[], reply: readonly WireValue[], at: number): Row {
  const out: Record<string, Value> = {}
  for (let i = 0; i < row.length; i++) {
    const field = row[i] as FieldData
    out[field.name] = decodeValue(field, reply[at + i] ?? null)
  }
  return out
}

function decodeRows(row: readonly FieldData[], reply: readonly WireValue[], at: number, count: number): readonly Row[] {
  const rows: Row[] = []
  for (let i = 0; i < count; i++) rows.push(decodeRow(row, reply, at + i * row.length))
  return rows
}
