/**
 * The registered handlers of one host type, in resolved order: by phase (early, normal, late), then by `before` and
 * `after` of other modules, then by registration. Order is by name, never by number; a cycle is a start-up error.
 */
import type { StanzaKind } from '../stanza/stanza.ts'
import type { ChildName, Element } from '../xml/element.types.ts'
import type { HandlerMeter } from './handler-meter.ts'
import { orderByName } from './hook-order.ts'
import type {
  AtOf,
  EventOf,
  FilterName,
  FoldName,
  Handler,
  Hooks,
  NoticeName,
  ValueOf,
  WaitingFilterName,
  WaitingFoldName,
  WaitingNoticeName,
} from './hooks.ts'
import type { Packet, Verdict } from './packet.ts'

export type Phase = 'early' | 'normal' | 'late'

export interface HookOptions {
  readonly phase?: Phase
  /** Modules whose handlers of this hook come after, or before, this one. Absent modules do not matter. */
  readonly before?: string | readonly string[]
  readonly after?: string | readonly string[]
}

/** Filters ask cheaply first: only packets of these kinds, and only those with such a payload, reach the handler. */
export interface FilterOptions extends HookOptions {
  readonly kinds?: readonly StanzaKind[]
  readonly wants?: readonly ChildName[]
  /** Values of the stanza's `type`; '' for none. */
  readonly types?: readonly string[]
  /** Only what somebody sent, not what the server itself made: what a peer asserts is checked, and copies of ours cost nothing. */
  readonly foreign?: boolean
}

export interface Registration {
  readonly module: string
  readonly phase: Phase
  readonly before: readonly string[]
  readonly after: readonly string[]
  readonly kinds: readonly StanzaKind[] | undefined
  readonly wants: readonly ChildName[] | undefined
  readonly types: readonly string[] | undefined
  readonly foreign: boolean
  // The table is heterogeneous; the typed doors below are the only way in and out.
  readonly handler: (...args: never[]) => unknown
}

/** A handler threw: the stanza pays, the process does not. */
export type HookFault = (hook: string, module: string, error: unknown) => Verdict | undefined

const allKinds: readonly StanzaKind[] = ['message', 'presence', 'iq']

function list(names: string | readonly string[] | undefined): readonly string[] {
  return names === undefined ? [] : typeof names === 'string' ? [names] : names
}

/** The handlers of one hook, split by stanza kind for filters, so that the hot path looks at one array's length. */
export class HookPoint {
  readonly name: string
  message: readonly Registration[] = []
  presence: readonly Registration[] = []
  iq: readonly Registration[] = []
  all: readonly Registration[] = []
  /** In order, as they were registered: `all` has them with their time taken while somebody watches. */
  registered: readonly Registration[] = []
  #meter: HandlerMeter | undefined

  constructor(name: string) {
    this.name = name
  }

  /** Takes the time of the handlers from now on; undefined: no longer, and they cost what they did before. */
  measure(meter: HandlerMeter | undefined): void {
    this.#meter = meter
    this.replace(this.registered)
  }

  replace(entries: readonly Registration[]): void {
    this.registered = orderByName(this.name, entries)
    const meter = this.#meter
    this.all =
      meter === undefined
        ? this.registered
        : this.registered.map((entry) => ({ ...entry, handler: meter.wrap(entry.module, entry.handler) }))
    // New arrays: a filter that waits goes on with those it began with.
    for (const kind of allKinds) {
      this[kind] = this.all.filter((entry) => entry.kinds === undefined || entry.kinds.includes(kind))
    }
  }

  /** True when a handler wants such a stanza of the server's own. A fan-out asks once instead of once a copy. */
  wantsSome(kind: StanzaKind, el: Element): boolean {
    for (const entry of this[kind]) if (!entry.foreign && isWanted(entry, el)) return true
    return false
  }
}

function isWanted(entry: Registration, el: Element): boolean {
  if (entry.types !== undefined && !entry.types.includes(el.attr('type') ?? '')) return false
  const wants = entry.wants
  if (wants === undefined) return true
  for (const want of wants) if (el.hasChild(want.name, want.ns)) return true
  return false
}

type FilterHandler = (packet: Packet, at: unknown) => Verdict | undefined | Promise<Verdict | undefined>

export class HookTable {
  readonly #points = new Map<string, HookPoint>()
  /** Modules in the order in which they first registered: a reloaded one comes back to its old place. */
  readonly #ranks = new Map<string, number>()
  readonly #fault: HookFault
  #meter: HandlerMeter | undefined

  constructor(fault: HookFault) {
    this.#fault = fault
  }

  /** As `HookPoint.measure`, for all hooks. */
  measure(meter: HandlerMeter | undefined): void {
    this.#meter = meter
    for (const point of this.#points.values()) point.measure(meter)
  }

  point(name: keyof Hooks): HookPoint {
    const known = this.#points.get(name)
    if (known !== undefined) return known
    const point = new HookPoint(name)
    if (this.#meter !== undefined) point.measure(this.#meter)
    this.#points.set(name, point)
    return point
  }

  /** Registers; returns the removal. Throws `HookOrderError` when before/after make a circle. */
  on<Name extends keyof Hooks>(
    name: Name,
    module: string,
    handler: Handler<Hooks[Name]>,
    options: FilterOptions = {},
  ): () => void {
    const point = this.point(name)
    const entry: Registration = {
      module,
      phase: options.phase ?? 'normal',
      before: list(options.before),
      after: list(options.after),
      kinds: options.kinds,
      wants: options.wants,
      types: options.types,
      foreign: options.foreign === true,
      handler,
    }
    if (!this.#ranks.has(module)) this.#ranks.set(module, this.#ranks.size)
    const rank = (of: Registration) => this.#ranks.get(of.module) ?? 0
    point.replace([...point.registered, entry].sort((a, b) => rank(a) - rank(b)))
    return () => point.replace(point.registered.filter((other) => other !== entry))
  }

  /** Number of handlers in all hooks: a reload must leave it as it was. */
  get size(): number {
    let size = 0
    for (const point of this.#points.values()) size += point.all.length
    return size
  }

  /** The resolved order, for `ratatosk hooks` and tests. */
  describe(): readonly { readonly hook: string; readonly modules: readonly string[] }[] {
    return [...this.#points.values()]
      .filter((point) => point.all.length > 0)
      .map((point) => ({ hook: point.name, modules: point.all.map((entry) => entry.module) }))
  }

  notice<Name extends NoticeName>(name: Name, event: EventOf<Hooks[Name]>): void {
    const point = this.point(name)
    for (const entry of point.all) {
      try {
        ;(entry.handler as (event: unknown) => void)(event)
      } catch (error) {
        this.#fault(name, entry.module, error)
      }
    }
  }

  /** Tells all and waits for all; a handler that fails is reported and counted in the answer. */
  async waitingNotice<Name extends WaitingNoticeName>(name: Name, event: EventOf<Hooks[Name]>): Promise<number> {
    let failed = 0
    for (const entry of this.point(name).all) {
      try {
        await (entry.handler as (event: unknown) => unknown)(event)
      } catch (error) {
        failed++
        this.#fault(name, entry.module, error)
      }
    }
    return failed
  }

  fold<Name extends FoldName>(
    name: Name,
    value: ValueOf<Hooks[Name]>,
    event: EventOf<Hooks[Name]>,
  ): ValueOf<Hooks[Name]> {
    let result = value
    for (const entry of this.point(name).all) {
      try {
        result = (entry.handler as (value: unknown, event: unknown) => ValueOf<Hooks[Name]>)(result, event)
      } catch (error) {
        this.#fault(name, entry.module, error)
      }
    }
    return result
  }

  /** As `waitingFold`; a handler that fails is reported and adds nothing. */
  async tolerantFold<Name extends WaitingFoldName>(
    name: Name,
    value: ValueOf<Hooks[Name]>,
    event: EventOf<Hooks[Name]>,
  ): Promise<ValueOf<Hooks[Name]>> {
    let result = value
    for (const entry of this.point(name).all) {
      try {
        result = await (entry.handler as (value: unknown, event: unknown) => Promise<ValueOf<Hooks[Name]>>)(
          result,
          event,
        )
      } catch (error) {
        this.#fault(name, entry.module, error)
      }
    }
    return result
  }

  async waitingFold<Name extends WaitingFoldName>(
    name: Name,
    value: ValueOf<Hooks[Name]>,
    event: EventOf<Hooks[Name]>,
  ): Promise<ValueOf<Hooks[Name]>> {
    return this.foldOrWait(name, value, event)
  }

  /** The same; a plain value when no handler waits. What a handler throws is thrown, or rejects the promise. */
  foldOrWait<Name extends WaitingFoldName>(
    name: Name,
    value: ValueOf<Hooks[Name]>,
    event: EventOf<Hooks[Name]>,
    start = 0,
    entries: readonly Registration[] = this.point(name).all,
  ): ValueOf<Hooks[Name]> | Promise<ValueOf<Hooks[Name]>> {
    type Value = ValueOf<Hooks[Name]>
    let result = value
    for (let i = start; i < entries.length; i++) {
      const { handler } = entries[i] as Registration
      const next = (handler as (value: unknown, event: unknown) => Value | Promise<Value>)(result, event)
      if (next instanceof Promise) {
        return (next as Promise<Value>).then<Value>((late) => this.foldOrWait(name, late, event, i + 1, entries))
      }
      result = next as Value
    }
    return result
  }

  /**
   * Runs a filter's handlers in order from number `start` on. The answer is a promise only when a handler returned one:
   * a plain return costs none. A `replace` verdict changes the packet and goes on.
   */
  filter<Name extends FilterName | WaitingFilterName>(
    point: HookPoint,
    packet: Packet,
    at: AtOf<Hooks[Name]>,
    start = 0,
    entries = point[packet.kind],
  ): Verdict | undefined | Promise<Verdict | undefined> {
    for (let i = start; i < entries.length; i++) {
      const entry = entries[i] as Registration
      if (entry.foreign && packet.origin.kind === 'server') continue
      if (!isWanted(entry, packet.el)) continue
      let verdict: Verdict | undefined | Promise<Verdict | undefined>
      try {
        verdict = (entry.handler as unknown as FilterHandler)(packet, at)
      } catch (error) {
        return this.#fault(point.name, entry.module, error)
      }
      if (verdict === undefined) continue
      if (verdict instanceof Promise) return this.#filterLater<Name>(point, packet, at, entries, i, verdict)
      if (verdict.kind !== 'replace') return verdict
      packet.el = verdict.el
    }
    return undefined
  }

  async #filterLater<Name extends FilterName | WaitingFilterName>(
    point: HookPoint,
    packet: Packet,
    at: AtOf<Hooks[Name]>,
    entries: readonly Registration[],
    index: number,
    waiting: Promise<Verdict | undefined>,
  ): Promise<Verdict | undefined> {
    let verdict: Verdict | undefined
    try {
      verdict = await waiting
    } catch (error) {
      return this.#fault(point.name, (entries[index] as Registration).module, error)
    }
    if (verdict !== undefined && verdict.kind !== 'replace') return verdict
    if (verdict !== undefined) packet.el = verdict.el
    return this.filter<Name>(point, packet, at, index + 1, entries)
  }
}
