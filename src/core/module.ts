/**
 * Modules (DESIGN.md section 6). `setup` is the only entrance; all that is registered through its context is undone by
 * the framework, so that unload and reload are free. A third-party plugin gets exactly this context.
 */
import type { Jid } from '../jid/jid.ts'
import type { Store, StoreDefinition } from '../store/define.ts'
import type { Clock } from '../world/clock.types.ts'
import type { Hashing } from '../world/hashing.types.ts'
import type { Log } from '../world/log.types.ts'
import type { Random } from '../world/random.types.ts'
import type { Element } from '../xml/element.types.ts'
import type { AccountDirectory } from './accounts.ts'
import type { StreamElementHandler } from './client-stream.ts'
import type { CommandDefinition } from './commands.ts'
import type { OptionSchema, OptionsOf } from './config/opt.ts'
import type { SessionKeeper } from './durable.ts'
import type { FanOutGroup } from './fan-out.ts'
import type { Identity } from './features.ts'
import type { FilterOptions } from './hook-table.ts'
import type { EventOf, Handler, Hooks, NoticeName, ValueOf, WaitingFoldName, WaitingNoticeName } from './hooks.ts'
import type { Host } from './host.ts'
import type { HttpRoute } from './http-routes.ts'
import type { IqHandler, IqOptions, IqTarget, PayloadName } from './iq.ts'
import type { LedgerJournal } from './ledger.ts'
import type { MessageHold } from './message-holds.ts'
import type { Counter } from './metrics.ts'
import type { ProtocolAccept, ProtocolDeclaration } from './protocol.ts'
import type { RouteOptions, RouteOwner } from './router.ts'
import type { ServiceName, Services } from './services.ts'
import type { Session } from './session.ts'
import type { Slot, SlotCodec } from './slots.ts'

/** A claim: which XEP a module implements, in which version, how far. Disco, DOAP and the docs are generated from it. */
export interface XepClaim {
  readonly xep: number
  readonly version: string
  readonly status: 'complete' | 'partial'
  readonly note?: string
}

/** Services a module uses: `hard` ones must be there, `soft` ones may be missing. */
export type Needs = { readonly [Name in ServiceName]?: 'hard' | 'soft' }

export type NeededServices<N extends Needs> = {
  readonly [Name in keyof N & ServiceName]: N[Name] extends 'hard' ? Services[Name] : Services[Name] | undefined
}

export interface ModuleDefinition<O extends OptionSchema = OptionSchema, N extends Needs = Needs> {
  /** One lower-case word: the key in the configuration. */
  readonly name: string
  readonly xeps?: readonly XepClaim[]
  readonly options?: O
  readonly needs?: N
  /** Services that `setup` provides, so that those who need them are set up later. */
  readonly provides?: readonly ServiceName[]
  /** Protocols of listeners that `setup` brings, by the name that a configuration calls them. */
  readonly protocols?: Readonly<Record<string, ProtocolDeclaration>>
  setup(context: ModuleContext<O, N>): void | Promise<void>
}

/** Read-only view of the session table. */
export interface Sessions {
  find(jid: Jid): Session | undefined
  ofAccount(domain: string, local: string): readonly Session[]
  isOnline(domain: string, local: string): boolean
  each(domain: string | undefined, fn: (session: Session) => void): void
  count(host?: Host): number
}

export interface ModuleContext<O extends OptionSchema = OptionSchema, N extends Needs = Needs> {
  readonly name: string
  /**
   * Options of this host type, checked and complete. One object for the module's life: a reload of the configuration
   * changes the fields that are marked hot, so read them where they are used, or take copies over in `onReload`.
   */
  readonly options: OptionsOf<O>
  /** Exactly the services asked for in `needs`. */
  readonly services: NeededServices<N>
  readonly clock: Clock
  readonly random: Random
  readonly hashing: Hashing
  readonly log: Log
  /** The store's epoch: every sequence that leaves the server is (epoch, number). */
  readonly epoch: string
  readonly sessions: Sessions
  readonly accounts: AccountDirectory

  /** Registers a handler of a hook. A misspelt hook or a wrong return type does not compile. */
  on<Name extends keyof Hooks>(name: Name, handler: Handler<Hooks[Name]>, options?: FilterOptions): void
  /** Runs a fold or a notice that this module declared. A plain value when no handler waits. */
  fold<Name extends WaitingFoldName>(
    name: Name,
    value: ValueOf<Hooks[Name]>,
    event: EventOf<Hooks[Name]>,
  ): ValueOf<Hooks[Name]> | Promise<ValueOf<Hooks[Name]>>
  tell<Name extends NoticeName>(name: Name, event: EventOf<Hooks[Name]>): void
  /** Tells all and waits for all; resolves with the number of handlers that failed. */
  tellAll<Name extends WaitingNoticeName>(name: Name, event: EventOf<Hooks[Name]>): Promise<number>
  readonly iq: {
    get(payload: PayloadName, handler: IqHandler, options?: IqOptions): void
    set(payload: PayloadName, handler: IqHandler, options?: IqOptions): void
    /** Asks somebody; rejects with a `StanzaError`, `remote-server-timeout` after `timeoutMs` (default 30 s). */
    ask(type: 'get' | 'set', from: Jid, to: Jid, payload: Element, timeoutMs?: number): Promise<Element>
  }
  readonly streams: {
    /** A first-level element of clients' streams that is no stanza. Throws when another module has it. */
    element(element: PayloadName, handler: StreamElementHandler): void
    /** Ledgers with this journal are kept there, and sessions made again of what is there when the server starts. */
    journal(keeper: SessionKeeper): LedgerJournal
  }
  readonly features: {
    /** A disco#info feature of hosts (default), accounts, or both. */
    add(feature: string, on?: IqTarget | readonly IqTarget[]): void
    identity(identity: Identity, on?: IqTarget): void
    list(target: IqTarget): readonly string[]
    identities(target: IqTarget): readonly Identity[]
  }
  /**
   * Sends a stanza. What a handler sends leaves when the present stanza is done, in order; what it sends after it has
   * waited leaves at once, and a promise that comes back is settled when a local recipient's handlers are done with it.
   * `by`: the session of `from`'s account whose stanza it is; a refusal goes to that one.
   */
  send(stanza: Element, from: Jid, to: Jid, by?: Session): Promise<void> | undefined
  /** Sends each group's stanza to all its recipients, serialised once. `done` gets those who could not be reached. */
  fanOut(groups: readonly FanOutGroup[], done?: (undeliverable: readonly Jid[]) => void): void
  /**
   * For who is about to let a session take messages again: what comes for the account and nobody may take waits, and its
   * senders with it, until it is released or over (`message_hold_time`, `message_hold_bytes`); then it is handled as if it came now.
   */
  holdMessages(account: Jid): MessageHold
  /** Local hosts of this host type. */
  hosts(): readonly Host[]
  host(domain: string): Host | undefined
  /** The bare JID of an account; its parts must be prepared. */
  accountJid(host: Host, local: string): Jid
  /** Makes a service available to other modules of the host type. */
  provide<Name extends ServiceName>(name: Name, service: Services[Name]): void
  /** A service of any module, looked up when it is used. */
  service<Name extends ServiceName>(name: Name): Services[Name] | undefined
  /** Opens a store: migrates it and prepares its operations. Rejects with `WorldError`. */
  store<const D extends StoreDefinition>(definition: D): Promise<Store<D>>
  /** A typed place in every session. With `kept` its value survives when a session moves to another transport or node. */
  slot<T>(name: string, initial: () => T, options?: { readonly kept?: SlotCodec<T> }): Slot<T>
  /** A command of the one registry: CLI now, REST and ad-hoc later. */
  command(definition: CommandDefinition): void
  /** A domain of its own, such as a room service. Throws `RouteConflict`. */
  route(domain: string, owner: RouteOwner, options?: RouteOptions): void
  http(route: HttpRoute): void
  /** Speaks a protocol of `protocols` on the listeners that are configured for it; connections live on after an unload. */
  protocol(name: string, accept: ProtocolAccept): void
  /** `ratatosk_<module>_<name>_total`. */
  counter(name: string, help: string): Counter
  gauge(name: string, help: string, read: () => number): void
  /**
   * Says how many things the module has under way that nobody waits for and that need it, or a service, to be there: before
   * they are none the modules of a host type whose last host was removed do not go, for at most `hook_timeout`. Writes that
   * the store has been given are none. A cheap look: it is asked again and again.
   */
  underWay(count: () => number): void
  /** Called after a reload has changed `options`: for what was made of them. Synchronous; the new options count already. */
  onReload(fn: () => void): void
  /** Called at unload, in reverse order. */
  onStop(fn: () => void | Promise<void>): void
}

/** Types a module's options, needs and context; does nothing else. */
// biome-ignore lint/complexity/noBannedTypes: no options, no needs
export function defineModule<const O extends OptionSchema = {}, const N extends Needs = {}>(
  definition: ModuleDefinition<O, N>,
): ModuleDefinition<O, N> {
  return definition
}
