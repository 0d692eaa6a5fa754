/**
 * The core of one node: hosts, host types, router, sessions (DESIGN.md section 4). It knows streams, addresses, routes
 * and sessions; everything with a XEP number is a module.
 */
import { JidCache } from '../jid/cache.ts'
import { type Jid, makeJid } from '../jid/jid.ts'
import { StanzaError, StreamError } from '../stanza/error.ts'
import type { StanzaKind } from '../stanza/stanza.ts'
import type { World } from '../world/world.types.ts'
import type { Element } from '../xml/element.types.ts'
import { StanzaTemplate } from '../xml/serialise.ts'
import { AccountEndings } from './account-endings.ts'
import type { AccountDirectory } from './accounts.ts'
import { coreGauges } from './core-gauges.ts'
import { FanOut } from './fan-out.ts'
import { FaultLog } from './fault-log.ts'
import type { Batch } from './hand-over.ts'
import { HandlerWatch } from './handler-meter.ts'
import type { Host } from './host.ts'
import { endInTurns } from './host-end.ts'
import { HostType } from './host-type.ts'
import { HttpRoutes } from './http-routes.ts'
import { Inbound } from './inbound.ts'
import { journalFigures } from './journal-figures.ts'
import type { Ledger } from './ledger.ts'
import { LedgerBook } from './ledger-book.ts'
import type { CoreLimits } from './limits.ts'
import { LocalHost, type LocalHostNeeds } from './local-host.ts'
import { type MessageHold, MessageHolds } from './message-holds.ts'
import { Metrics } from './metrics.ts'
import { type Origin, Packet, refuse, type Verdict } from './packet.ts'
import { ProtocolTable } from './protocol.ts'
import { Requests } from './requests.ts'
import { Resumption } from './resumption.ts'
import { Router } from './router.ts'
import { Session } from './session.ts'
import { outlives, type SessionJournal } from './session-journal.ts'
import type { LinkInfo, LinkRest, SessionLink } from './session-link.ts'
import type { SessionEnd, SessionOwner } from './session-owner.ts'
import { SessionTable } from './session-table.ts'
import type { Settling } from './settling.ts'
import { SlotRegistry } from './slots.ts'
import { StoreUses } from './store-uses.ts'
import { refusalFor } from './temporary.ts'
import { Timed } from './timed.ts'
import { Unsettled } from './unsettled.ts'

/** Milliseconds for stanzas that a store is asked about when the server stops. */
const keepMs = 10_000

const errorStopping = new StreamError('RTK_SERVER_STOPPING', 'system-shutdown')

/** Whom a broadcast is for (requirements SM-06). */
export type BroadcastScope =
  | { readonly kind: 'account'; readonly jid: Jid }
  | { readonly kind: 'host'; readonly host: Host }
  | { readonly kind: 'server' }

export class Core implements SessionOwner<Session> {
  readonly world: World
  readonly metrics = new Metrics()
  readonly sessions = new SessionTable()
  readonly slots = new SlotRegistry()
  readonly protocols = new ProtocolTable()
  readonly http = new HttpRoutes((domain) => this.#hosts.has(domain))
  readonly storeUses = new StoreUses()
  readonly handlers: HandlerWatch
  readonly jids: JidCache
  readonly router: Router
  readonly fanOut: FanOut
  readonly requests: Requests
  readonly accounts: AccountDirectory
  readonly accountEndings = new AccountEndings()
  readonly ledgers: LedgerBook
  readonly resumption: Resumption
  readonly journalFigures = journalFigures(this.metrics)
  /** One a host type whose sessions are kept. */
  readonly durable: SessionJournal[] = []
  limits: CoreLimits
  readonly #inbound: Inbound
  readonly timed: Timed
  readonly #hosts = new Map<string, LocalHost>()
  /** Served no more; what was under way for them is not settled yet. */
  readonly #leaving = new Map<string, LocalHost>()
  readonly #types = new Map<string, HostType>()
  readonly #refused = this.metrics.counter('ratatosk_stanzas_refused_total', 'Stanzas answered with an error')
  readonly #dropped = this.metrics.counter(
    'ratatosk_stanzas_dropped_total',
    'Stanzas dropped without an answer, by a rule of XMPP or by a module',
  )
  readonly #refusals = this.metrics.refusals
  readonly #holds = this.metrics.counter(
    'ratatosk_session_holds_total',
    'Times a client was not read because too many of its stanzas waited; limit limits.session_pending_stanzas',
  )
  readonly #faultLog: FaultLog
  readonly #faults = this.metrics.counter(
    'ratatosk_handler_faults_total',
    'Faults: handlers of modules that threw; the log has each',
  )
  readonly #slow = this.metrics.counter(
    'ratatosk_sessions_queue_full_total',
    'Sessions cut because their client read too slowly; limit limits.session_queue_bytes',
  )
  readonly #unsettled: Unsettled
  /** The server stops, and these outlive it. */
  readonly #parked = new Set<Session>()
  readonly #messageHolds: MessageHolds
  /** One object for all hosts, of which there may be 10,000. */
  readonly #hostNeeds: LocalHostNeeds

  constructor(world: World, accounts: AccountDirectory, limits: CoreLimits) {
    this.world = world
    this.#faultLog = new FaultLog(world.clock, world.log)
    this.accounts = accounts
    this.handlers = new HandlerWatch(() => world.clock.monoMs())
    this.limits = limits
    this.jids = new JidCache(limits.jidCacheMax)
    this.ledgers = new LedgerBook(world.clock, this.metrics)
    this.resumption = new Resumption({
      clock: world.clock,
      log: world.log,
      metrics: this.metrics,
      find: (jid) => this.sessions.find(jid),
      each: (fn) => this.sessions.each(undefined, fn),
      resumed: (session) => this.localOf(session.host)?.type.hooks.notice('session:resumed', session),
    })
    this.timed = new Timed(world.clock, () => this.limits.hookTimeoutMs, this.metrics)
    const routed = this.metrics.counter(
      'ratatosk_stanzas_routed_total',
      'Stanzas that went through the router, those of the server itself included',
    )
    this.router = new Router(
      {
        filter: (packet) => this.#routeFilter(packet),
        fault: (owner, packet, error) => this.#fault('route', owner, error, packet),
        refused: (packet, error) => this.#wasRefused(packet, error),
        dropped: (packet, reason) => this.#wasDropped(packet, reason),
      },
      routed,
    )
    this.#unsettled = new Unsettled({
      router: this.router,
      clock: world.clock,
      unsent: this.metrics.counter(
        'ratatosk_stanzas_unsent_total',
        'Stanzas that were accepted for a client whose connection ended before they left',
      ),
    })
    this.metrics.gauge(
      'ratatosk_accounts_unsettled',
      'Accounts whose messages wait, because what a lost connection left is being settled, or nobody knows yet whether they exist',
      () => this.#unsettled.size,
    )
    this.#messageHolds = new MessageHolds({
      router: this.router,
      clock: world.clock,
      expired: this.metrics.counter(
        'ratatosk_message_holds_expired_total',
        'Times messages waited too long, or too many of them, for the end of a hand-over and were put into the store; limits message_hold_time, message_hold_bytes',
      ),
    })
    this.metrics.gauge(
      'ratatosk_messages_held',
      'Messages that wait for the end of a hand-over of what the offline store kept',
      () => this.#messageHolds.count,
    )
    this.requests = new Requests(this.router, world.clock, world.random, (code) => this.#refusals.count(code))
    this.fanOut = new FanOut({
      router: this.router,
      sessions: this.sessions,
      clock: world.clock,
      copies: this.metrics.counter(
        'ratatosk_fan_out_copies_total',
        'Copies of stanzas, mostly presence, sent to several recipients at once',
      ),
      localHost: (domain) => this.#hosts.get(domain),
    })
    this.#inbound = new Inbound({
      router: this.router,
      jids: this.jids,
      typeOf: (session) => this.localOf(session.host)?.type ?? this.#orphanType,
      timed: (promise) => this.timed.wait(promise),
    })
    this.#hostNeeds = {
      router: this.router,
      sessions: this.sessions,
      accounts: this.accounts,
      timed: (promise) => this.timed.wait(promise),
      fault: (place, module, error) => this.#fault(place, module, error),
      answered: (packet) => this.requests.answered(packet),
      unsettled: this.#unsettled,
      holds: this.#messageHolds,
    }
    coreGauges({
      metrics: this.metrics,
      sessions: this.sessions,
      jids: this.jids,
      requests: this.requests,
      hosts: () => this.#hosts.size,
    })
  }

  /** Of sessions whose host was removed: no module is interested. */
  readonly #orphanType = new HostType('', () => undefined)

  // Hosts and host types

  hostType(name: string): HostType {
    const known = this.#types.get(name)
    if (known !== undefined) return known
    const type = new HostType(name, (hook, module, error) => {
      // A refusal is no fault, thrown or returned.
      if (error instanceof StanzaError) return refuse(error)
      this.#fault(hook, module, error)
      const refusal = new StanzaError('RTK_HOOK_FAILED', 'internal-server-error', { cause: error })
      return refuse(refusalFor(error, refusal))
    })
    this.#types.set(name, type)
    this.handlers.enter(type)
    return type
  }

  get hostTypes(): readonly HostType[] {
    return [...this.#types.values()]
  }

  /** Adds a host; its domain must be canonical. Throws `RouteConflict` when the domain has an owner. */
  addHost(domain: string, type: HostType): Host {
    const jid = makeJid('', domain)
    if (jid === undefined) throw new Error(`${domain} is not a domain`)
    const host: Host = { domain: jid.domain, jid, type: type.name }
    const owner = new LocalHost(host, type, this.#hostNeeds)
    this.router.add(host.domain, owner)
    this.#hosts.set(host.domain, owner)
    type.hooks.notice('host:added', host)
    return host
  }

  /**
   * Serves hosts no more. From now on what is sent to them is for a stranger; then their sessions, once clients that count had
   * the time to say what they have, end with `host-gone` (RFC 6120 section 4.9.3.5), some a turn. Resolves with the number of
   * those sessions when the last was told. What their connections leave is settled as for any other session, until
   * `forgetHosts`. Nothing in the store is touched.
   */
  async removeHosts(hosts: readonly Host[]): Promise<number> {
    const sessions: Session[] = []
    for (const host of hosts) {
      const local = this.#hosts.get(host.domain)
      if (local?.host !== host) continue
      this.#hosts.delete(host.domain)
      this.router.remove(host.domain, local)
      this.#leaving.set(host.domain, local)
      local.type.hooks.notice('host:removed', host)
      this.sessions.each(host.domain, (session) => sessions.push(session))
    }
    await this.resumption.ask(sessions)
    return endInTurns(sessions, this.world.clock)
  }

  /**
   * Resolves when nothing of removed hosts is under way any more, and forgets them; called when the connections of their
   * sessions are gone. Before that the modules of their host types may not go.
   */
  async forgetHosts(hosts: readonly Host[]): Promise<void> {
    const domains = new Set(hosts.map(({ domain }) => domain))
    await this.#messageHolds.settled(domains)
    await this.#unsettled.settledOf(domains)
    for (const host of hosts) if (this.#leaving.get(host.domain)?.host === host) this.#leaving.delete(host.domain)
  }

  /** A host that is served, or was until a moment ago and has something under way. */
  knownHost(domain: string): Host | undefined {
    return (this.#hosts.get(domain) ?? this.#leaving.get(domain))?.host
  }

  /** Of a host's value: also of one that is served no more, while something of it is under way. */
  localOf(host: Host): LocalHost | undefined {
    const local = this.#hosts.get(host.domain)
    return local?.host === host ? local : this.#leaving.get(host.domain)
  }

  localHost(domain: string): LocalHost | undefined {
    return this.#hosts.get(domain)
  }

  host(domain: string): Host | undefined {
    return this.#hosts.get(domain)?.host
  }

  hosts(type?: string): readonly Host[] {
    const hosts = [...this.#hosts.values()].map((local) => local.host)
    return type === undefined ? hosts : hosts.filter((host) => host.type === type)
  }

  // Sessions

  process(session: Session, el: Element): Promise<void> | undefined {
    return this.#inbound.process(session, el)
  }

  /** Makes a session and enters it into the table. The policies on conflicts and counts were applied before. */
  bind(link: SessionLink, jid: Jid, host: Host, info: LinkInfo): Session {
    const session = new Session(this, link, jid, host, this.world.random.id(), this.world.clock.wallMs(), info)
    this.sessions.add(session)
    this.localOf(host)?.type.hooks.notice('session:bound', session)
    const { log } = this.world
    if (log.enabled('debug'))
      log.debug('a resource was bound', { jid: session.label, address: info.address, listener: info.listener })
    return session
  }

  /**
   * Enters a session that was decoded (session-codec.ts), in the place of the one with its id where there is one, which is
   * then moved. It neither begins nor ends; modules that gave it more than slots hear of it. False when the full JID is
   * another session's, or the one with its id is busy.
   */
  adopt(session: Session): boolean {
    const old = this.sessions.find(session.jid)
    if (old === session || (old !== undefined && (old.id !== session.id || old.isBusy))) return false
    if (old === undefined) this.sessions.add(session)
    else {
      this.sessions.replace(old, session)
      old.moveTo(session)
    }
    const { ledger } = session
    if (ledger !== undefined && !session.isActive) this.waits(session, ledger)
    this.#hosts.get(session.host.domain)?.type.hooks.notice('session:adopted', session)
    return true
  }

  ended(session: Session, end: SessionEnd): void {
    if (!this.sessions.remove(session)) return
    const isOwner = this.router.enter()
    this.localOf(session.host)?.type.hooks.notice('session:ended', { session, end })
    session.presence = undefined
    const { log } = this.world
    if (log.enabled('debug'))
      log.debug('a session ended', { jid: session.label, reason: end.reason, detail: end.detail })
    if (isOwner) this.router.leave(undefined)
  }

  unsent(session: Session, unsent: LinkRest, batch: Batch | undefined, settling?: Settling): void {
    const local = this.localOf(session.host)
    const isEmpty = unsent.bytes.length === 0 && unsent.heldBack.length === 0
    if (local !== undefined && !isEmpty) this.#unsettled.add(local, session, unsent, batch, settling)
    else {
      batch?.ended()
      settling?.isAtEnd()
    }
  }

  settles(session: Session, ledger: Ledger): Settling | undefined {
    return this.durable.find((one) => one === ledger.journal)?.settles(session, ledger)
  }

  /** Resolves when all that clients had not taken is kept or refused: before that no module may go, and no store. */
  async unsentSettled(): Promise<void> {
    await Promise.all([this.#messageHolds.settled(), this.#unsettled.settled()])
  }

  /** See `ModuleContext.holdMessages`. */
  holdMessages(account: Jid): MessageHold {
    return this.#messageHolds.hold(account)
  }

  overflow(session: Session, queuedBytes: number): void {
    this.#slow.value++
    this.world.log.warn('a session was cut because its client reads too slowly', {
      code: 'RTK_SESSION_QUEUE_FULL',
      jid: session.label,
      queuedBytes,
    })
  }

  held(): void {
    this.#holds.value++
  }

  counts(session: Session, ledger: Ledger): void {
    this.durable.find((one) => one === ledger.journal)?.enters(session, ledger)
  }

  waits(session: Session, ledger: Ledger): void {
    this.resumption.waits(session, ledger)
  }

  unacknowledged(session: Session): void {
    this.resumption.full(session)
  }

  // Sending

  /**
   * Sends a stanza that the server or a module made. The promise, where there is one, is for a sender that must not go on
   * before its stanza was dealt with.
   */
  send(el: Element, from: Jid, to: Jid, by: Origin = this.router.serverOrigin): Promise<void> | undefined {
    return this.router.submit(new Packet(el.name as StanzaKind, el, from, to, by))
  }

  /**
   * Sends a stanza to every session in scope, addressed to each full JID; only to available ones when asked.
   * Returns how many took it.
   */
  broadcast(el: Element, from: Jid, scope: BroadcastScope, onlyAvailable = true): number {
    const template = new StanzaTemplate(el, from.octets)
    let count = 0
    const give = (session: Session) => {
      if (onlyAvailable && !session.isAvailable) return
      if (session.deliverBytes(template.copy(session.jid.octets))) count++
    }
    if (scope.kind === 'account')
      for (const session of this.sessions.ofAccount(scope.jid.domain, scope.jid.local)) give(session)
    else this.sessions.each(scope.kind === 'host' ? scope.host.domain : undefined, give)
    return count
  }

  /**
   * Tells the clients of sessions that outlive the process that the server stops, as `close`: the sessions are kept, without a
   * link, and nobody hears that they ended. They wait for their clients when the server has come again.
   */
  park(): void {
    this.sessions.each(undefined, (session) => {
      if (!outlives(session)) return
      this.#parked.add(session)
      session.park()?.close(errorStopping)
    })
  }

  /** Ends every other session with `system-shutdown` (RFC 6120 section 4.9.3.20) and what waits in the core. */
  close(): void {
    this.sessions.each(undefined, (session) => {
      if (this.#parked.has(session)) session.ledger?.stopsWaiting()
      else session.close({ reason: 'shutdown', detail: '' }, errorStopping)
    })
    this.requests.close()
  }

  /** Resolves when what outlives the process is kept, or could not be in time; nothing of it changes any more. */
  async keep(): Promise<void> {
    // What it has to do with a store is in there with what its client is told of it.
    const settled = [...this.#parked].map((session) => new Promise<void>((tell) => session.whenSettled(tell)))
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = this.world.clock.after(keepMs, resolve, undefined)
    await Promise.race([Promise.all(settled), late])
    timer.cancel()
    await Promise.all(this.durable.map((one) => one.stop()))
    this.ledgers.stop()
  }

  // Events of the router

  #routeFilter(packet: Packet): Verdict | undefined {
    const local = this.#hosts.get(packet.to.domain) ?? this.#hosts.get(packet.from.domain)
    if (local === undefined || local.type.route[packet.kind].length === 0) return undefined
    const verdict = local.type.hooks.filter<'stanza:route'>(local.type.route, packet, local.host)
    if (verdict instanceof Promise) throw new Error('a stanza:route handler returned a promise')
    return verdict
  }

  #fault(place: string, module: string, error: unknown, packet?: Packet): void {
    this.#faults.value++
    const addresses = packet === undefined ? {} : { from: packet.from.toString(), to: packet.to.toString() }
    this.#faultLog.write(place, module, error, addresses)
  }

  #wasRefused(packet: Packet, error: StanzaError): void {
    this.#refused.value++
    this.#refusals.count(error.code)
    if (!this.world.log.enabled('debug')) return
    this.world.log.debug('stanza refused', {
      code: error.code,
      condition: error.condition,
      kind: packet.kind,
      from: packet.from.toString(),
      to: packet.to.toString(),
      cause: error.detail.cause,
    })
  }

  #wasDropped(packet: Packet, reason: string): void {
    this.#dropped.value++
    this.#refusals.count(reason)
    if (!this.world.log.enabled('debug')) return
    this.world.log.debug('stanza dropped', {
      code: reason,
      kind: packet.kind,
      from: packet.from.toString(),
      to: packet.to.toString(),
    })
  }
}
