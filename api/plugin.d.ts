// What ratatosk/plugin shows, written by "npm run api": not compiled, only compared.
// CHANGELOG.md: api: modules answer first-level elements of clients' streams that are no stanzas (`context.streams.element`); a session counts stanzas from `beginLedger` on (`ledger`, `takes`, `whenSettled`, `answered`, `opens`); the service `acknowledgements`, the hooks `session:resumed` and `message:late`; an `Origin` is told of work that later stanzas do not wait for (`opens`).

// src/core/access.ts
export interface Subject {
    readonly jid?: Jid;
    readonly host?: string;
    readonly address?: string;
    readonly anonymous?: boolean;
}
export type Matcher = {
    readonly kind: 'all';
} | {
    readonly kind: 'anonymous';
}
 | {
    readonly kind: 'user';
    readonly jids: ReadonlySet<string>;
}
 | {
    readonly kind: 'host';
    readonly hosts: ReadonlySet<string>;
}
 | {
    readonly kind: 'domain';
    readonly globs: readonly RegExp[];
    readonly exact: ReadonlySet<string>;
} | {
    readonly kind: 'address';
    readonly networks: readonly Network[];
} | {
    readonly kind: 'unix';
} | {
    readonly kind: 'rule';
    readonly rule: AccessRule;
} | {
    readonly kind: 'every';
    readonly of: readonly Matcher[];
} | {
    readonly kind: 'some';
    readonly of: readonly Matcher[];
};
export interface AccessLine {
    readonly allow: boolean;
    readonly matcher: Matcher;
    readonly source: string;
}
export interface ValueLine<T> {
    readonly value: T;
    readonly matcher: Matcher;
    readonly source: string;
}
export interface Decision {
    readonly allowed: boolean;
    readonly because: string;
}
export declare class AccessRule {
    readonly name: string;
    readonly lines: readonly AccessLine[];
    constructor(name: string, lines: readonly AccessLine[]);
    allows(subject: Subject): boolean;
    check(subject: Subject): Decision;
}
export declare class ValueRule<T> {
    readonly name: string;
    readonly lines: readonly ValueLine<T>[];
    readonly otherwise: T;
    constructor(name: string, lines: readonly ValueLine<T>[], otherwise: T);
    valueFor(subject: Subject): T;
    explain(subject: Subject): {
        readonly value: T;
        readonly because: string;
    };
}

// src/core/accounts.ts
export type AccountState = 'active' | 'disabled' | 'leaving' | 'quarantined';
export interface ClientToken {
    readonly agent: string;
    readonly software: string;
    readonly device: string;
    readonly created: Date;
    readonly expires: Date;
    readonly used: Date;
}
export interface AccountDirectory {
    exists(host: Host, local: string): boolean | Promise<boolean>;
    keeps(host: Host): boolean;
    add(jid: Jid, password: string, origin?: string): Promise<void>;
    setPassword(jid: Jid, password: string): Promise<void>;
    remove(jid: Jid, left?: () => void): Promise<void>;
    tokens(jid: Jid, after: string, limit: number): Promise<readonly ClientToken[]>;
    revokeTokens(jid: Jid, agent: string, left?: () => void): Promise<void>;
}

// src/core/auth.ts
export interface SignInRecord {
    readonly state: AccountState;
    readonly credential: ScramCredential | undefined;
    readonly isUncertain?: boolean;
}
export type PasswordVerdict = 'right' | 'wrong' | AccountRefusal;
export interface AccountEntry {
    readonly local: string;
    readonly state: AccountState;
    readonly origin: string;
    readonly created: Date;
}
export interface AccountKeeper {
    readonly keepsPasswords?: boolean;
    create(host: Host, local: string, password: string, origin: string): Promise<boolean>;
    setPassword(host: Host, local: string, password: string): Promise<boolean>;
    setState(host: Host, local: string, state: AccountState): Promise<boolean>;
    remove(host: Host, local: string): Promise<boolean>;
    list(host: Host, after: string, limit: number): Promise<readonly AccountEntry[]>;
    count(host: Host): Promise<number>;
}
export interface CredentialKeeper {
    lacking(host: Host, local: string, wanted: readonly ScramName[]): Promise<readonly ScramName[]>;
    keep(host: Host, local: string, mechanism: ScramName, credential: ScramCredential): Promise<void>;
}
export interface BearerVerdict {
    readonly result: PasswordVerdict | 'insufficient-scope';
    readonly local: string;
}
export interface BearerJudge {
    readonly help: BearerHelp;
    judge(host: Host, token: string): Promise<BearerVerdict>;
}
export interface AuthBackend {
    readonly name: string;
    readonly scram: readonly ScramName[];
    readonly scramIterations: number;
    readonly checksPasswords: boolean;
    readonly keeper: AccountKeeper | undefined;
    readonly credentials?: CredentialKeeper;
    readonly bearer?: BearerJudge | undefined;
    signIn(host: Host, local: string, mechanism: ScramName): Promise<SignInRecord | undefined>;
    verify(host: Host, local: string, password: string): Promise<PasswordVerdict>;
    exists(host: Host, local: string): Promise<boolean>;
    state(host: Host, local: string): Promise<AccountState | undefined>;
}

// src/core/batch-note.ts
export interface BatchNote {
    readonly place: number;
    readonly marks: readonly number[];
    readonly leftMark: number;
}

// src/core/bound-resource.ts
export declare abstract class BoundResource {
    readonly jid: Jid;
    readonly host: Host;
    readonly id: string;
    readonly createdMs: number;
    info: LinkInfo;
    readonly slots: SlotValues;
    told: number;
    presence: Element | undefined;
    presenceMs: number;
    priority: number;
    takesMessages: boolean;
    takesSinceMs: number;
    constructor(jid: Jid, host: Host, id: string, createdMs: number, info: LinkInfo);
    get label(): string;
    get isAvailable(): boolean;
    takeMessages(nowMs: number): void;
}

// src/core/client-stream.ts
export interface TakeOver {
    taken(session: Session): Element;
    failed(): Element;
}
export interface Resumable {
    readonly session: Session;
    readonly answers: TakeOver;
}
export interface ClientStream {
    readonly stage: 'features' | 'bind' | 'established';
    readonly to: Host;
    readonly account: Jid | undefined;
    readonly session: Session | undefined;
    send(el: Element): void;
    write(bytes: Octets): void;
    close(error: StreamError): void;
    takeOver(session: Session, answers: TakeOver): void;
}
export type StreamElementHandler = (el: Element, stream: ClientStream) => void;

// src/core/command-definition.ts
export interface CommandCaller {
    readonly name: string;
    permits(permission: string): boolean;
    readonly signal: AbortSignal;
    readonly input?: AsyncIterable<Json> | undefined;
    readonly dryRun?: boolean;
}
export interface CommandCall<I extends OptionSchema = OptionSchema> {
    readonly caller: CommandCaller;
    readonly dryRun: boolean;
    readonly signal: AbortSignal;
    readonly input: AsyncIterable<OptionsOf<I> | CommandError>;
    readonly hasInput: boolean;
    failed(): void;
}
type Answer<F extends FieldSchema> = RowOf<F> | CommandError | undefined;
type Answers<F extends FieldSchema> = AsyncIterable<RowOf<F>> | Iterable<RowOf<F>>;
export interface CommandDefinition<A extends OptionSchema = OptionSchema, F extends FieldSchema = FieldSchema, I extends OptionSchema = OptionSchema> {
    readonly name: string;
    readonly summary: string;
    readonly examples?: readonly string[];
    readonly permission: string;
    readonly args: A;
    readonly positional?: readonly (keyof A & string)[];
    readonly input?: I;
    readonly result: F;
    readonly rows?: boolean;
    readonly dryRun?: boolean;
    run(args: OptionsOf<A>, call: CommandCall<I>): Answer<F> | Promise<Answer<F>> | Answers<F>;
}
export declare function defineCommand<const A extends OptionSchema, const F extends FieldSchema, const I extends OptionSchema = {}>(definition: CommandDefinition<A, F, I>): CommandDefinition<A, F, I>;

// src/core/command-error.ts
export type CommandErrorCode = `RTK_${string}`;
export declare class CommandError {
    readonly code: CommandErrorCode;
    readonly text: string;
    readonly hint: string;
    readonly cause: unknown;
    constructor(code: CommandErrorCode, text: string, hint?: string, cause?: unknown);
    static from(thrown: unknown): CommandError;
    toJSON(): {
        code: string;
        text: string;
        hint: string;
    };
    toString(): string;
}

// src/core/command-result.ts
export type Json = null | boolean | number | string | readonly Json[] | {
    readonly [key: string]: Json;
};
export type FieldForm = 'text' | 'int' | 'bool' | 'time' | 'duration' | 'bytes' | 'list' | 'json' | 'lines';
export interface Field<T> {
    readonly form: FieldForm;
    readonly title: string;
    readonly description: string;
    readonly type?: T;
}
export type FieldSchema = {
    readonly [name: string]: Field<unknown>;
};
export type RowOf<F extends FieldSchema> = {
    readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never;
};
export declare const field: Readonly<{
    text: (title: string, description: string) => Field<string>;
    int: (title: string, description: string) => Field<number>;
    bool: (title: string, description: string) => Field<boolean>;
    time: (title: string, description: string) => Field<string>;
    duration: (title: string, description: string) => Field<number>;
    bytes: (title: string, description: string) => Field<number>;
    list: (title: string, description: string) => Field<readonly string[]>;
    json: (title: string, description: string) => Field<Json>;
    lines: (title: string, description: string) => Field<string>;
}>;

// src/core/config/input.ts
export interface Place {
    readonly line: number;
    readonly column: number;
}
export interface InputEntry {
    readonly key: string;
    readonly place: Place;
    readonly value: Input;
}
interface InputBase {
    readonly place: Place;
    readonly path: string;
}
export type Input = (InputBase & {
    readonly kind: 'null';
}) | (InputBase & {
    readonly kind: 'bool';
    readonly value: boolean;
}) | (InputBase & {
    readonly kind: 'number';
    readonly value: number;
})
 | (InputBase & {
    readonly kind: 'string';
    readonly value: string;
}) | (InputBase & {
    readonly kind: 'list';
    readonly items: readonly Input[];
}) | (InputBase & {
    readonly kind: 'map';
    readonly entries: readonly InputEntry[];
});

// src/core/config/make.ts
export interface About<D> {
    readonly description: string;
    readonly default?: D;
    readonly reload?: Reload;
}

// src/core/config/mistake.ts
export type MistakeCode = `RTK_CONFIG_${string}`;
export interface Mistake {
    readonly code: MistakeCode;
    readonly severity: 'error' | 'warning';
    readonly file: string;
    readonly line: number;
    readonly column: number;
    readonly path: string;
    readonly text: string;
    readonly hint: string;
}
export declare class Report {
    #private;
    readonly file: string;
    readonly mistakes: Mistake[];
    constructor(file: string);
    error(at: Input | {
        place: Place;
        path: string;
    }, code: MistakeCode, text: string, hint?: string): undefined;
    warning(at: Input | {
        place: Place;
        path: string;
    }, code: MistakeCode, text: string, hint?: string): void;
    get hasErrors(): boolean;
    sorted(): readonly Mistake[];
}

// src/core/config/opt.ts
export declare const opt: Readonly<{
    string: typeof string;
    int: typeof int;
    number: typeof number;
    bool: typeof bool;
    duration: typeof duration;
    bytes: typeof bytes;
    rate: typeof rate;
    frequency: typeof frequency;
    oneOf: typeof oneOf;
    secret: typeof secret;
    jid: typeof jid;
    domain: typeof domain;
    path: typeof path;
    access: typeof access;
    shaper: typeof shaper;
    ruled: typeof ruled;
    list: typeof list;
    map: typeof map;
    object: typeof object;
    optional: typeof optional;
}>;

// src/core/config/opt-rules.ts
export declare function access(about: About<string>): Option<AccessRule>;
export declare function shaper(about: About<string>): Option<Shaping>;
export declare function ruled<T>(of: Option<T>, about: About<string | number> & {
    readonly default: string | number;
}): Option<ValueRule<T>>;

// src/core/config/opt-scalar.ts
export interface StringLimits {
    readonly minLength?: number;
    readonly maxLength?: number;
    readonly check?: (text: string) => string | undefined;
}
export declare function string(about: About<string> & StringLimits): Option<string>;
export interface NumberLimits {
    readonly min?: number;
    readonly max?: number;
}
export declare function bool(about: About<boolean>): Option<boolean>;
export declare const int: (about: About<number> & NumberLimits) => Option<number>;
export declare const number: (about: About<number> & NumberLimits) => Option<number>;
export interface AmountLimits {
    readonly min?: string;
    readonly max?: string;
    readonly unlimited?: boolean;
}
export declare const duration: (about: About<string> & AmountLimits) => Option<number>;
export declare const bytes: (about: About<string> & AmountLimits) => Option<number>;
export declare const rate: (about: About<string> & AmountLimits) => Option<number>;
export declare const frequency: (about: About<string> & AmountLimits) => Option<number>;
export declare function oneOf<const V extends readonly string[]>(values: V, about: About<V[number]>): Option<V[number]>;
export declare function secret(about: Omit<About<string>, 'default'>): Option<Secret>;
export declare function jid(about: About<string> & {
    readonly bare?: boolean;
}): Option<Jid>;
export declare function domain(about: About<string>): Option<string>;
export declare function path(about: About<string>): Option<string>;

// src/core/config/opt-structure.ts
export interface CountLimits {
    readonly minItems?: number;
    readonly maxItems?: number;
}
export declare function list<T>(of: Option<T>, about: About<readonly unknown[]> & CountLimits): Option<readonly T[]>;
export declare function map<T>(of: Option<T>, about: About<Readonly<Record<string, unknown>>> & CountLimits): Option<ReadonlyMap<string, T>>;
export declare function object<S extends OptionSchema>(fields: S, about: {
    readonly description: string;
    readonly reload?: 'hot' | 'restart';
}): Option<OptionsOf<S>>;
export declare function optional<T>(option: Option<T>): Option<T | undefined>;

// src/core/config/option.ts
export type Reload = 'hot' | 'restart';
export type OptionKind = 'string' | 'int' | 'number' | 'bool' | 'duration' | 'bytes' | 'rate' | 'frequency' | 'secret' | 'jid' | 'domain' | 'path' | 'one of' | 'list' | 'map' | 'object' | 'access rule' | 'shaper' | 'value rule';
export interface Names {
    readonly rules: ReadonlyMap<string, AccessRule>;
    readonly valueRules: ReadonlyMap<string, ValueRuleInput>;
    readonly shapers: ReadonlyMap<string, Shaping>;
}
export interface Shaping {
    readonly name: string;
    readonly rate: number;
    readonly burst: number;
}
export interface ValueRuleInput {
    readonly lines: readonly {
        readonly value: Input;
        readonly matcher: Matcher;
        readonly source: string;
    }[];
}
export interface Reading {
    readonly report: Report;
    readonly names: Names;
    readonly secrets: SecretRead[];
}
export interface SecretRead {
    readonly input: Input;
    readonly file: string | undefined;
    readonly variable?: string;
    readonly fill: (text: string) => void;
}
export interface Option<T> {
    readonly kind: OptionKind;
    readonly description: string;
    readonly reload: Reload;
    readonly secret: boolean;
    readonly required: boolean;
    readonly defaultText: string | undefined;
    readonly expects: string;
    readonly unit: string;
    readonly min: number | undefined;
    readonly max: number | undefined;
    readonly unlimited: boolean;
    readonly lengths: {
        readonly min: number | undefined;
        readonly max: number | undefined;
    };
    readonly values: readonly string[] | undefined;
    readonly fields: OptionSchema | undefined;
    readonly of: Option<unknown> | undefined;
    absent(parent: Input, key: string, reading: Reading): T | undefined;
    read(input: Input, reading: Reading): T | undefined;
}
export type OptionSchema = {
    readonly [name: string]: Option<unknown>;
};
export type OptionsOf<S extends OptionSchema> = {
    readonly [K in keyof S]: S[K] extends Option<infer T> ? T : never;
};
export declare class Secret {
    #private;
    constructor(text: string);
    reveal(): string;
    static waiting(): {
        readonly secret: Secret;
        readonly fill: (text: string) => void;
    };
    toString(): string;
    toJSON(): string;
}

// src/core/delivery-gate.ts
export interface DeliveryGate {
    readonly since: number;
    holds(bytes: Octets): boolean;
    shift(): Octets | undefined;
    lift(): void;
}

// src/core/durable.ts
export interface SessionChange {
    readonly host: string;
    readonly local: string;
    readonly id: string;
    readonly over: number;
    readonly data: string;
    readonly handled: number;
    readonly acked: number;
    readonly first: number;
    readonly last: number;
    readonly sizes: string;
    readonly stanzas: Octets;
    readonly at: number;
}
export interface SessionKeeper {
    keep(changes: readonly SessionChange[]): Promise<unknown>;
    load(each: (kept: KeptSession) => void): Promise<void>;
}

// src/core/fan-out.ts
export interface FanOutGroup {
    readonly el: Element;
    readonly from: Jid;
    readonly recipients: readonly Jid[];
    readonly note?: WrittenChild | undefined;
}

// src/core/features.ts
export interface Identity {
    readonly category: string;
    readonly type: string;
    readonly name?: string;
}

// src/core/hand-over.ts
export declare class Batch {
    #private;
    readonly stanzas: readonly Octets[];
    readonly marks: readonly number[];
    readonly leftMark: number;
    written: number;
    readonly done: Promise<number>;
    isDone: boolean;
    whenRemoved: (() => void) | undefined;
    constructor(stanzas: readonly Octets[], marks?: readonly number[], leftMark?: number);
    drained(): void;
    failed(bytes: Octets): boolean;
    ended(): void;
    removed(): void;
}

// src/core/hook-table.ts
export type Phase = 'early' | 'normal' | 'late';
export interface HookOptions {
    readonly phase?: Phase;
    readonly before?: string | readonly string[];
    readonly after?: string | readonly string[];
}
export type Concern = (from: Jid, to: Jid) => boolean;
export interface FilterOptions extends HookOptions {
    readonly kinds?: readonly StanzaKind[];
    readonly wants?: readonly ChildName[];
    readonly types?: readonly string[];
    readonly concerns?: Concern;
    readonly foreign?: boolean;
}

// src/core/hooks.ts
declare const kind: unique symbol;
export interface Notice<Event> {
    readonly [kind]: 'notice';
    readonly event: Event;
}
export interface WaitingNotice<Event> {
    readonly [kind]: 'waiting-notice';
    readonly event: Event;
}
export interface Filter<At> {
    readonly [kind]: 'filter';
    readonly at: At;
}
export interface WaitingFilter<At> {
    readonly [kind]: 'waiting-filter';
    readonly at: At;
}
export interface Fold<Value, Event> {
    readonly [kind]: 'fold';
    readonly value: Value;
    readonly event: Event;
}
export interface WaitingFold<Value, Event> {
    readonly [kind]: 'waiting-fold';
    readonly value: Value;
    readonly event: Event;
}
export interface MessageOutcome {
    readonly packet: Packet;
    readonly host: Host;
    readonly sessions: readonly Session[];
    readonly offline: boolean;
    readonly refused: string | undefined;
}
export interface Astray {
    readonly host: Host;
    readonly session: Session | undefined;
    readonly sentMs: number | undefined;
}
export interface Stranger {
    readonly host: Host;
    readonly address: string;
    readonly isSecure: boolean;
}
export interface StrangerRequest extends Stranger {
    readonly el: Element;
    readonly stream: object;
    send(el: Element): void;
}
export interface AccountRef {
    readonly host: Host;
    readonly local: string;
}
export interface AccountData {
    readonly store: string;
    readonly rows: readonly Readonly<Record<string, string | number | boolean | null>>[];
}
export interface Hooks {
    'stanza:sent': WaitingFilter<Session>;
    'stanza:route': Filter<Host | undefined>;
    'stanza:inbound': WaitingFilter<Host>;
    'stanza:host': WaitingFilter<Host>;
    'session:eligible': Filter<Session>;
    'session:deliver': Filter<Session>;
    'message:undelivered': WaitingFilter<Host>;
    'message:outcome': Notice<MessageOutcome>;
    'message:astray': Filter<Astray>;
    'presence:self': WaitingFilter<Session>;
    'presence:ready': WaitingNotice<Session>;
    'session:bound': Notice<Session>;
    'session:adopted': Notice<Session>;
    'session:ended': Notice<{
        readonly session: Session;
        readonly end: SessionEnd;
    }>;
    'host:added': Notice<Host>;
    'host:removed': Notice<Host>;
    'hand-over:resumed': Notice<{
        readonly session: Session;
        readonly batch: Batch;
    }>;
    'session:resumed': Notice<Session>;
    'message:late': Fold<Element, {
        readonly host: Host;
        readonly sentMs: number;
    }>;
    'stream:features': Fold<readonly Element[], SignedInStream>;
    'sasl2:features': Fold<readonly Element[], Host>;
    'bind2:features': Fold<readonly string[], Host>;
    'sasl2:resume': Fold<Resumable | Element | StreamError | undefined, SignInRequest>;
    'bind2:bound': Fold<readonly Element[], Bind2Request>;
    'bind2:metadata': WaitingFold<readonly Element[], Bind2Request>;
    'sasl2:success': WaitingFold<readonly Element[], SignInDone>;
    'stream:stranger-features': Fold<readonly Element[], Stranger>;
    'stream:stranger-request': Fold<boolean, StrangerRequest>;
    'account:created': Notice<AccountRef>;
    'account:password': Notice<AccountRef>;
    'account:export': WaitingFold<readonly AccountData[], AccountRef>;
    'account:import': WaitingNotice<AccountRef & {
        readonly data: readonly AccountData[];
    }>;
    'account:delete': WaitingNotice<AccountRef>;
}
type MaybePromise<T> = T | Promise<T>;
export type Handler<H> = H extends Notice<infer E> ? (event: E) => void : H extends WaitingNotice<infer E> ? (event: E) => MaybePromise<void> : H extends Filter<infer At> ? (packet: Packet, at: At) => Verdict | undefined : H extends WaitingFilter<infer At> ? (packet: Packet, at: At) => MaybePromise<Verdict | undefined> : H extends Fold<infer V, infer E> ? (value: V, event: E) => V : H extends WaitingFold<infer V, infer E> ? (value: V, event: E) => MaybePromise<V> : never;
export type HookNames<K> = {
    [Name in keyof Hooks]: Hooks[Name] extends K ? Name : never;
}[keyof Hooks];
export type NoticeName = HookNames<{
    readonly [kind]: 'notice';
}>;
export type WaitingNoticeName = HookNames<{
    readonly [kind]: 'waiting-notice';
}>;
export type FilterName = HookNames<{
    readonly [kind]: 'filter';
}>;
export type WaitingFilterName = HookNames<{
    readonly [kind]: 'waiting-filter';
}>;
export type FoldName = HookNames<{
    readonly [kind]: 'fold';
}>;
export type WaitingFoldName = HookNames<{
    readonly [kind]: 'waiting-fold';
}>;
export type EventOf<H> = H extends {
    readonly event: infer E;
} ? E : never;
export type AtOf<H> = H extends {
    readonly at: infer At;
} ? At : never;
export type ValueOf<H> = H extends {
    readonly value: infer V;
} ? V : never;
export {};

// src/core/host.ts
export interface Host {
    readonly domain: string;
    readonly jid: Jid;
    readonly type: string;
}

// src/core/http-routes.ts
export interface HttpRoute {
    readonly method: 'DELETE' | 'GET' | 'OPTIONS' | 'POST' | 'PUT';
    readonly path: string;
    readonly host?: string;
    readonly access?: AccessRule;
    readonly cors?: boolean;
    readonly bodyBytesMax?: number;
    handle(request: Request, params: Readonly<Record<string, string>>): Response | Promise<Response>;
}

// src/core/iq.ts
export interface IqRequest {
    readonly packet: Packet;
    readonly payload: Element;
    readonly host: Host;
    readonly account: string;
    answer(payload?: Element): void;
}
export type IqAnswer = Element | StanzaError | undefined | void;
export type IqHandler = (request: IqRequest) => IqAnswer | Promise<IqAnswer>;
export type IqTarget = 'host' | 'account';
export interface IqOptions {
    readonly on?: IqTarget | readonly IqTarget[];
    readonly concurrent?: boolean;
    readonly hidesAccounts?: boolean;
}
export interface PayloadName {
    readonly name: string;
    readonly ns: string;
}

// src/core/kept-session.ts
export interface KeptStanzas {
    readonly first: number;
    readonly sizes: string;
    readonly stanzas: Octets;
    readonly at: number;
}
export interface KeptSession {
    readonly host: string;
    readonly local: string;
    readonly id: string;
    readonly data: string;
    readonly handled: number;
    readonly acked: number;
    readonly parts: readonly KeptStanzas[];
}

// src/core/ledger.ts
export interface LedgerPolicy {
    readonly request: Octets;
    readonly begun: ChildName;
    readonly stanzasMax: number;
    readonly bytesMax: number;
    readonly answerMs: number;
    readonly journal?: LedgerJournal | undefined;
}
export interface LedgerJournal {
    changed(ledger: Ledger): void;
    joins(ledger: Ledger): void;
    leaves(ledger: Ledger): void;
}
export declare class Ledger implements Beaten {
    #private;
    readonly id: string;
    readonly policy: LedgerPolicy;
    resumeMs: number;
    whenSaved: (() => void) | undefined;
    constructor(book: LedgerBook, policy: LedgerPolicy, id: string, resumeMs: number, uncounted: number);
    get handled(): number;
    get handledToKeep(): number;
    get processed32(): number;
    get isSettled(): boolean;
    get journal(): LedgerJournal | undefined;
    processed(): void;
    keepsNext(isNow: boolean): void;
    opens(work: Promise<unknown>, closed: () => void): void;
    get sent(): number;
    get acknowledged(): number;
    unsaved(from: number): {
        readonly first: number;
        readonly last: number;
        readonly stanzas: readonly Octets[];
    };
    saved(first: number, last: number, handled: number): void;
    get length(): number;
    get bytes(): number;
    get isFull(): boolean;
    goesOver(link: SessionLink | undefined): void;
    deliver(bytes: Octets, since?: number): void;
    ask(): void;
    probe(): void;
    mayAcknowledge(h: number): boolean;
    acknowledge(h: number): boolean;
    handOver(batch: Batch, deliver: (bytes: Octets) => boolean): void;
    goesOnWith(batch: Batch, place: number): void;
    get note(): BatchNote | undefined;
    settles(removed: () => void): SettlingCopies | undefined;
    repeat(): void;
    beat(): boolean;
    waits(expiry: Timer): void;
    get waitsSinceMs(): number | undefined;
    stopsWaiting(): void;
    take(): Unacknowledged;
    encode(): LedgerData;
    static decode(data: LedgerData, book: LedgerBook, policy: LedgerPolicy): Ledger;
}

// src/core/ledger-book.ts
export interface Beaten {
    beat(): boolean;
}
export declare class LedgerBook {
    #private;
    beat: number;
    bytes: number;
    waiting: number;
    readonly silent: Counter;
    constructor(clock: Clock, metrics: Metrics);
    get wallMs(): number;
    listen(one: Beaten): void;
    stop(): void;
}

// src/core/ledger-data.ts
export interface LedgerData {
    readonly id: string;
    readonly resume: number;
    readonly handled: number;
    readonly sent: number;
    readonly kept: readonly string[];
    readonly times: readonly number[];
}
export interface Unacknowledged {
    readonly bytes: Octets;
    readonly times: readonly number[];
    readonly batch: Batch | undefined;
}

// src/core/message-holds.ts
export interface MessageHold {
    readonly isOver: boolean;
    release(): void;
}

// src/core/metrics.ts
export declare class Counter {
    value: number;
    add(by?: number): void;
}
export declare class CounterFamily {
    #private;
    constructor(make: (label: string) => Counter);
    count(label: string): void;
}
export type MetricKind = 'counter' | 'gauge' | 'histogram' | 'info';
export interface MetricInfo {
    readonly name: string;
    readonly help: string;
    readonly kind: MetricKind;
}
export interface MetricValue extends MetricInfo {
    readonly value: number;
}
export interface MetricSample {
    readonly name: string;
    readonly value: number;
}
export interface MetricFamily extends MetricInfo {
    readonly samples: readonly MetricSample[];
}
export interface LabelledValue {
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
}
export interface HistogramReading {
    readonly buckets: readonly {
        readonly atMost: number;
        readonly count: number;
    }[];
    readonly count: number;
    readonly sum: number;
}
export declare class Metrics {
    #private;
    counter(name: string, help: string): Counter;
    family(given: string, label: string, help: string): CounterFamily;
    get refusals(): CounterFamily;
    counted(name: string, help: string, read: () => number): () => void;
    gauge(name: string, help: string, read: () => number): () => void;
    labelled(info: MetricInfo, read: () => Iterable<LabelledValue>): void;
    histogram(name: string, help: string, read: () => HistogramReading): void;
    get gaugeCount(): number;
    value(name: string): number;
    families(): readonly MetricFamily[];
    read(): readonly MetricValue[];
}

// src/core/module.ts
export interface XepClaim {
    readonly xep: number;
    readonly version: string;
    readonly status: 'complete' | 'partial';
    readonly note?: string;
}
export type Needs = {
    readonly [Name in ServiceName]?: 'hard' | 'soft';
};
export type NeededServices<N extends Needs> = {
    readonly [Name in keyof N & ServiceName]: N[Name] extends 'hard' ? Services[Name] : Services[Name] | undefined;
};
export interface ModuleDefinition<O extends OptionSchema = OptionSchema, N extends Needs = Needs> {
    readonly name: string;
    readonly xeps?: readonly XepClaim[];
    readonly options?: O;
    readonly needs?: N;
    readonly provides?: readonly ServiceName[];
    readonly protocols?: Readonly<Record<string, ProtocolDeclaration>>;
    setup(context: ModuleContext<O, N>): void | Promise<void>;
}
export interface Sessions {
    find(jid: Jid): Session | undefined;
    ofAccount(domain: string, local: string): readonly Session[];
    isOnline(domain: string, local: string): boolean;
    each(domain: string | undefined, fn: (session: Session) => void): void;
    count(host?: Host): number;
}
export interface ModuleContext<O extends OptionSchema = OptionSchema, N extends Needs = Needs> {
    readonly name: string;
    readonly options: OptionsOf<O>;
    readonly services: NeededServices<N>;
    readonly clock: Clock;
    readonly random: Random;
    readonly hashing: Hashing;
    readonly log: Log;
    readonly epoch: string;
    readonly sessions: Sessions;
    readonly accounts: AccountDirectory;
    on<Name extends keyof Hooks>(name: Name, handler: Handler<Hooks[Name]>, options?: FilterOptions): void;
    fold<Name extends WaitingFoldName>(name: Name, value: ValueOf<Hooks[Name]>, event: EventOf<Hooks[Name]>): ValueOf<Hooks[Name]> | Promise<ValueOf<Hooks[Name]>>;
    tell<Name extends NoticeName>(name: Name, event: EventOf<Hooks[Name]>): void;
    tellAll<Name extends WaitingNoticeName>(name: Name, event: EventOf<Hooks[Name]>): Promise<number>;
    readonly iq: {
        get(payload: PayloadName, handler: IqHandler, options?: IqOptions): void;
        set(payload: PayloadName, handler: IqHandler, options?: IqOptions): void;
        ask(type: 'get' | 'set', from: Jid, to: Jid, payload: Element, timeoutMs?: number): Promise<Element>;
    };
    readonly streams: {
        element(element: PayloadName, handler: StreamElementHandler): void;
        journal(keeper: SessionKeeper): LedgerJournal;
    };
    readonly features: {
        add(feature: string, on?: IqTarget | readonly IqTarget[]): void;
        identity(identity: Identity, on?: IqTarget): void;
        list(target: IqTarget): readonly string[];
        identities(target: IqTarget): readonly Identity[];
    };
    send(stanza: Element, from: Jid, to: Jid, by?: Session): Promise<void> | undefined;
    fanOut(groups: readonly FanOutGroup[], done?: (undeliverable: readonly Jid[]) => void): void;
    holdMessages(account: Jid): MessageHold;
    hosts(): readonly Host[];
    host(domain: string): Host | undefined;
    accountJid(host: Host, local: string): Jid;
    provide<Name extends ServiceName>(name: Name, service: Services[Name]): void;
    service<Name extends ServiceName>(name: Name): Services[Name] | undefined;
    store<const D extends StoreDefinition>(definition: D): Promise<Store<D>>;
    slot<T>(name: string, initial: () => T, options?: {
        readonly kept?: SlotCodec<T>;
    }): Slot<T>;
    command(definition: CommandDefinition): void;
    route(domain: string, owner: RouteOwner, options?: RouteOptions): void;
    http(route: HttpRoute): void;
    protocol(name: string, accept: ProtocolAccept): void;
    counter(name: string, help: string): Counter;
    gauge(name: string, help: string, read: () => number): void;
    underWay(count: () => number): void;
    onReload(fn: () => void): void;
    onStop(fn: () => void | Promise<void>): void;
}
export declare function defineModule<const O extends OptionSchema = {}, const N extends Needs = {}>(definition: ModuleDefinition<O, N>): ModuleDefinition<O, N>;

// src/core/network.ts
export type AddressBytes = readonly number[];
export interface Network {
    readonly bytes: AddressBytes;
    readonly bits: number;
}

// src/core/packet.ts
export type Settlement =
'handed'
 | 'kept'
 | 'bounced'
 | 'dropped';
export interface Origin {
    readonly kind: 'session' | 'service' | 'server';
    readonly label: string;
    readonly jid?: Jid;
    settled?(packet: Packet, how: Settlement): void;
    keeps?(isNow: boolean): void;
    opens?(work: Promise<unknown>): void;
}
export type Verdict =
{
    readonly kind: 'drop';
    readonly reason: string;
}
 | {
    readonly kind: 'error';
    readonly error: StanzaError;
}
 | {
    readonly kind: 'done';
    readonly how: Settlement;
}
 | {
    readonly kind: 'replace';
    readonly el: Element;
};
export declare class Packet {
    readonly kind: StanzaKind;
    el: Element;
    readonly from: Jid;
    readonly to: Jid;
    readonly origin: Origin;
    readonly implicitTo: boolean;
    hops: number;
    wantsSettlement: boolean;
    wasTaken: boolean;
    hasWaited: boolean;
    isSettledByFilter: boolean;
    whenKept: (() => void) | undefined;
    tellsKept: (() => void) | undefined;
    trace: PacketTrace | undefined;
    constructor(kind: StanzaKind, el: Element, from: Jid, to: Jid, origin: Origin, implicitTo?: boolean);
    isBeingKept(): void;
    isKept(): void;
    settle(how: Settlement): void;
}
export interface PacketTrace {
    readonly id: string;
    note(step: string, detail: string): void;
}
export declare function drop(reason: string): Verdict;
export declare function refuse(error: StanzaError): Verdict;

// src/core/protocol.ts
export interface ProtocolDeclaration {
    readonly tls: readonly ('direct' | 'none')[];
    readonly ports: {
        readonly direct?: number;
        readonly none?: number;
    };
    readonly options: OptionSchema;
}
export interface ProtocolConnection {
    readonly listener: string;
    readonly options: Readonly<Record<string, unknown>>;
    readonly client: Endpoint;
    readonly isSecure: boolean;
    readonly queuedBytes: number;
    write(bytes: Uint8Array): void;
    pause(): void;
    resume(): void;
    close(): void;
    destroy(): void;
}
export interface ProtocolHandler {
    data(bytes: Uint8Array): void;
    drained?(): void;
    ended?(): void;
    closed?(): void;
}
export type ProtocolAccept = (connection: ProtocolConnection) => ProtocolHandler;

// src/core/router.ts
export interface RouteOwner {
    readonly name: string;
    receive(packet: Packet): Promise<void> | undefined;
}
export type Balance = 'recipient' | 'recipient-bare' | 'sender' | 'sender-bare';
export interface RouteOptions {
    readonly subdomains?: boolean;
    readonly balance?: Balance;
}

// src/core/services.ts
export interface Services {
}
export type ServiceName = keyof Services & string;

// src/core/services/acknowledgements.ts
export interface AcknowledgementService {
    readonly policy: LedgerPolicy;
    enable(session: Session, request: Element): Element;
    find(account: Jid, request: Element): Resumable | Element | StreamError;
    resume(stream: ClientStream, request: Element): void;
}
declare module '../services.ts' {
    interface Services {
        acknowledgements: AcknowledgementService;
    }
}

// src/core/services/caps.ts
export type FeatureSet = ReadonlySet<string>;
export interface CapsService {
    features(jid: Jid): FeatureSet | undefined;
    ofSession(session: Session): FeatureSet | undefined;
}
export interface CapsKnown {
    readonly jid: Jid;
    readonly features: FeatureSet;
}
declare module '../hooks.ts' {
    interface Hooks {
        'caps:known': Notice<CapsKnown>;
    }
}
declare module '../services.ts' {
    interface Services {
        caps: CapsService;
    }
}

// src/core/services/disco.ts
export interface DiscoQuery {
    readonly host: Host;
    readonly account: string;
    readonly node: string;
    readonly from: Jid;
}
export interface DiscoItem {
    readonly jid: Jid;
    readonly node?: string;
    readonly name?: string;
}
export interface DiscoInfo {
    readonly identities: readonly Identity[];
    readonly features: readonly string[];
    readonly extensions: readonly Element[];
}
declare module '../hooks.ts' {
    interface Hooks {
        'disco:info': WaitingFold<DiscoInfo | undefined, DiscoQuery>;
        'disco:items': WaitingFold<readonly DiscoItem[] | undefined, DiscoQuery>;
    }
}

// src/core/services/privacy.ts
export type Traffic = 'iq-in' | 'message-in' | 'other' | 'presence-in' | 'presence-out';
export interface Screen {
    passes(traffic: Traffic, peer: Jid, item?: RosterItem | null): boolean;
    resourcesOf(account: Jid): readonly string[];
}
export interface PrivacyService {
    screen(session: Session): Screen | undefined;
    read(session: Session): Screen | undefined | Promise<Screen | undefined>;
}
export interface ScreenChange {
    readonly session: Session;
    readonly before: Screen | undefined;
    readonly after: Screen | undefined;
    readonly item: Pick<RosterChange, 'contact' | 'before' | 'after'> | undefined;
}
declare module '../hooks.ts' {
    interface Hooks {
        'privacy:changed': Notice<ScreenChange>;
    }
}
declare module '../services.ts' {
    interface Services {
        privacy: PrivacyService;
    }
}

// src/core/services/registration.ts
export interface RegistrationRequest {
    readonly kind: 'password' | 'removal' | 'sign-up';
    readonly host: Host;
    readonly local: string;
    readonly address: string;
    readonly password: string;
}
declare module '../hooks.ts' {
    interface Hooks {
        'registration:policy': WaitingFold<StanzaError | undefined, RegistrationRequest>;
    }
}

// src/core/services/roster.ts
export type Subscription = 'both' | 'from' | 'none' | 'to';
export interface RosterItem {
    readonly jid: Jid;
    readonly name: string;
    readonly subscription: Subscription;
    readonly pendingOut: boolean;
    readonly pendingIn: boolean;
    readonly listed: boolean;
    readonly approved: boolean;
    readonly groups: readonly string[];
}
export type RosterItems = ReadonlyMap<string, RosterItem>;
export interface RosterSource {
    readonly name: string;
    items(domain: string, local: string): Promise<readonly RosterItem[]>;
}
export interface RosterService {
    items(host: Host, local: string): RosterItems | Promise<RosterItems>;
    settled(host: Host, local: string): Promise<void> | undefined;
    set(host: Host, local: string, item: RosterItem): Promise<void>;
    remove(host: Host, local: string, contact: Jid): Promise<void>;
    requests(host: Host, local: string): Promise<readonly Element[]>;
    addSource(source: RosterSource): () => void;
    sourceChanged(host: Host, local: string, contacts: readonly Jid[]): Promise<void>;
}
export interface SubscriptionChange {
    readonly host: Host;
    readonly local: string;
    readonly contact: Jid;
}
export interface SubscriptionGrant extends SubscriptionChange {
    readonly sent: Promise<void> | undefined;
}
export interface SubscriptionRevocation extends SubscriptionChange {
    readonly before: RosterItem | undefined;
}
export interface RosterChange extends SubscriptionChange {
    readonly before: RosterItem | undefined;
    readonly after: RosterItem | undefined;
}
declare module '../hooks.ts' {
    interface Hooks {
        'roster:changed': Notice<RosterChange>;
        'roster:replaced': Notice<AccountRef>;
        'roster:granted': Notice<SubscriptionGrant>;
        'roster:revoked': Notice<SubscriptionRevocation>;
    }
}
declare module '../services.ts' {
    interface Services {
        roster: RosterService;
    }
}

// src/core/session.ts
export declare class Session extends BoundResource implements Origin {
    #private;
    readonly kind = "session";
    state: SessionState<Session>;
    received: number;
    delivered: number;
    lastTo: Jid | undefined;
    gate: DeliveryGate | undefined;
    constructor(owner: SessionOwner<Session>, link: SessionLink | undefined, jid: Jid, host: Host, id: string, createdMs: number, info: LinkInfo);
    get isActive(): boolean;
    get hasEnded(): boolean;
    get takes(): boolean;
    get ledger(): Ledger | undefined;
    get isBusy(): boolean;
    whenSettled(tell: () => void): void;
    beginLedger(policy: LedgerPolicy, id: string, resumeMs: number): void;
    keepLedger(ledger: Ledger): void;
    detach(): SessionLink | undefined;
    park(): SessionLink | undefined;
    attach(link: SessionLink, info: LinkInfo): boolean;
    moveTo(to: Session): void;
    receive(el: Element): void;
    answered(reply: Element): void;
    opens(work: Promise<unknown>): void;
    keeps(isNow: boolean): void;
    suspendUntil(wait: Promise<unknown>): void;
    deliver(packet: Packet): boolean;
    deliverFrom(el: Element, from: Jid, to: Jid): boolean;
    deliverBytes(bytes: Octets): boolean;
    release(): void;
    ungate(): void;
    get isCut(): boolean;
    drained(): void;
    handOver(batch: Batch): void;
    linkGone(unsent: LinkRest, link?: SessionLink): void;
    close(end: SessionEnd, error?: StreamError): void;
    linkEnded(end: SessionEnd, link?: SessionLink): void;
}

// src/core/session-link.ts
export interface SessionLink {
    write(bytes: Octets): void;
    readonly queuedBytes: number;
    readonly receivedBytes: number;
    readonly traffic: Traffic;
    hold(): void;
    release(): void;
    askDrained(): void;
    close(error?: StreamError): void;
    cut(error: StreamError): void;
    drop(): void;
}
export interface Traffic {
    readonly receivedBytes: number;
    readonly sentBytes: number;
}
export interface LinkRest extends Unsent {
    readonly heldBack: Octets;
    readonly until?: ChildName;
    readonly times?: readonly number[];
}
export interface LinkInfo {
    readonly address: string;
    readonly port: number;
    readonly transport: string;
    readonly tls: string;
    readonly auth: string;
    readonly listener: string;
    readonly agent?: string;
    readonly resumedFrom?: string;
}

// src/core/session-owner.ts
export interface SessionLimits {
    readonly queueBytesMax: number;
    readonly pendingStanzasMax: number;
}
export interface SessionOwner<S> {
    readonly limits: SessionLimits;
    readonly ledgers: LedgerBook;
    process(session: S, el: Element): Promise<void> | undefined;
    ended(session: S, cause: SessionEnd): void;
    unsent(session: S, unsent: LinkRest, batch: Batch | undefined, settling?: Settling): void;
    overflow(session: S, queuedBytes: number): void;
    held(): void;
    counts(session: S, ledger: Ledger): void;
    settles(session: S, ledger: Ledger): Settling | undefined;
    waits(session: S, ledger: Ledger): void;
    unacknowledged(session: S): void;
}
export type SessionState<S> = {
    readonly kind: 'active';
    readonly link: SessionLink;
} | {
    readonly kind: 'detached';
}
 | {
    readonly kind: 'moved';
    readonly to: S;
} | {
    readonly kind: 'closed';
    readonly end: SessionEnd;
};
export interface SessionEnd {
    readonly reason: 'closed' | 'lost' | 'replaced' | 'kicked' | 'shutdown' | 'error';
    readonly detail: string;
}

// src/core/settling.ts
export interface SettlingNote {
    readonly passed: readonly number[];
    readonly copies: SettlingCopies | null;
}
export interface SettlingCopies {
    readonly first: number;
    readonly last: number;
    readonly leftMark: number;
}
export declare class Settling {
    #private;
    copies: SettlingCopies | undefined;
    constructor(first: number, note: SettlingNote, changed: (self: Settling, isNow: boolean) => void);
    get place(): number;
    get note(): SettlingNote;
    get isOver(): boolean;
    begins(): number;
    isPassed(place: number): boolean;
    ends(place: number, isNow?: boolean): void;
    removed(): void;
    isAtEnd(): void;
}

// src/core/sign-in.ts
export interface ClientAgent {
    readonly id: string;
    readonly software: string;
    readonly device: string;
}
export interface SignedInStream {
    readonly host: Host;
    readonly session: Session | undefined;
}
export interface SignInRequest {
    readonly host: Host;
    readonly account: Jid;
    readonly mechanism: string;
    readonly agent: ClientAgent | undefined;
    readonly inline: readonly Element[];
}
export interface Bind2Request {
    readonly session: Session;
    readonly request: SignInRequest;
    readonly bind: Element;
}
export interface SignInDone {
    readonly request: SignInRequest;
    readonly session: Session | undefined;
}

// src/core/slots.ts
export interface SlotCodec<T> {
    encode(value: T): Json;
    decode(data: Json): T | undefined;
}
export interface Slot<T> {
    readonly name: string;
    readonly index: number;
    readonly kept: SlotCodec<T> | undefined;
    readonly initial: () => T;
}
export declare class SlotValues {
    #private;
    peek<T>(slot: Slot<T>): T | undefined;
    get<T>(slot: Slot<T>): T;
    set<T>(slot: Slot<T>, value: T | undefined): void;
}

// src/jid/jid.ts
export declare class Jid {
    #private;
    readonly local: string;
    readonly domain: string;
    readonly resource: string;
    readonly octets: Octets;
    private constructor();
    static fromPrepared(local: string, domain: string, resource: string, bare?: Jid): Jid;
    get isBare(): boolean;
    get bare(): Jid;
    toString(): string;
    toJSON(): string;
    equals(other: Jid): boolean;
    withResource(resource: string): Jid;
}
export declare function parseJid(text: string): Jid | undefined;
export declare function jid(text: string): Jid;

// src/plugin.ts
export { AccessRule, type Subject, type ValueRule } from './core/access.ts';
export type { AccountDirectory } from './core/accounts.ts';
export type { AuthBackend, BearerJudge, BearerVerdict, SignInRecord } from './core/auth.ts';
export type { ClientStream, Resumable, StreamElementHandler, TakeOver } from './core/client-stream.ts';
export { type CommandCall, type CommandDefinition, CommandError, defineCommand, type FieldSchema, field, type Json, } from './core/commands.ts';
export { type About, type Option, type OptionSchema, type OptionsOf, opt, type Secret } from './core/config/opt.ts';
export type { DeliveryGate } from './core/delivery-gate.ts';
export type { FanOutGroup } from './core/fan-out.ts';
export type { Identity } from './core/features.ts';
export { Batch } from './core/hand-over.ts';
export type { Concern, FilterOptions, HookOptions, Phase } from './core/hook-table.ts';
export * from './core/hooks.ts';
export type { Host } from './core/host.ts';
export type { HttpRoute } from './core/http-routes.ts';
export type { IqAnswer, IqHandler, IqOptions, IqRequest, IqTarget, PayloadName } from './core/iq.ts';
export type { Ledger, LedgerPolicy } from './core/ledger.ts';
export type { MessageHold } from './core/message-holds.ts';
export type { Counter } from './core/metrics.ts';
export { defineModule, type ModuleContext, type ModuleDefinition, type Sessions, type XepClaim } from './core/module.ts';
export { drop, type Origin, Packet, refuse, type Settlement, type Verdict } from './core/packet.ts';
export type { ProtocolAccept, ProtocolConnection, ProtocolDeclaration, ProtocolHandler } from './core/protocol.ts';
export type { RouteOptions, RouteOwner } from './core/router.ts';
export type { AcknowledgementService } from './core/services/acknowledgements.ts';
export type {} from './core/services/auth.ts';
export type { CapsKnown, CapsService, FeatureSet } from './core/services/caps.ts';
export type { DiscoInfo, DiscoItem, DiscoQuery } from './core/services/disco.ts';
export type { PrivacyService, Screen, ScreenChange, Traffic } from './core/services/privacy.ts';
export type { RegistrationRequest } from './core/services/registration.ts';
export type { RosterChange, RosterItem, RosterItems, RosterService, RosterSource, SubscriptionChange, SubscriptionRevocation, } from './core/services/roster.ts';
export * from './core/services.ts';
export type { Session } from './core/session.ts';
export type { SessionEnd } from './core/session-owner.ts';
export type { Bind2Request, ClientAgent, SignedInStream, SignInDone, SignInRequest } from './core/sign-in.ts';
export type { Slot, SlotCodec } from './core/slots.ts';
export { Jid, jid, parseJid } from './jid/jid.ts';
export { StanzaError, StreamError } from './stanza/error.ts';
export { errorReply, iqResult } from './stanza/reply.ts';
export * from './store/define.ts';
export type { Clock, Timer } from './world/clock.types.ts';
export type { Hashing, HashName } from './world/hashing.types.ts';
export type { Log } from './world/log.types.ts';
export type { Random } from './world/random.types.ts';
export { type Element, x } from './xml/index.ts';

// src/stanza/error.ts
export type Code = `RTK_${string}`;
export type StanzaCondition = 'bad-request' | 'conflict' | 'feature-not-implemented' | 'forbidden' | 'gone' | 'internal-server-error' | 'item-not-found' | 'jid-malformed' | 'not-acceptable' | 'not-allowed' | 'not-authorized' | 'policy-violation' | 'recipient-unavailable' | 'redirect' | 'registration-required' | 'remote-server-not-found' | 'remote-server-timeout' | 'resource-constraint' | 'service-unavailable' | 'subscription-required' | 'undefined-condition' | 'unexpected-request';
export type StanzaErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait';
export interface StanzaErrorDetail {
    readonly type?: StanzaErrorType;
    readonly text?: string;
    readonly cause?: unknown;
    readonly application?: {
        readonly name: string;
        readonly ns: string;
    };
    readonly uri?: string;
}
export declare class StanzaError {
    readonly code: Code;
    readonly condition: StanzaCondition;
    readonly type: StanzaErrorType;
    readonly detail: StanzaErrorDetail;
    constructor(code: Code, condition: StanzaCondition, detail?: StanzaErrorDetail);
    toString(): string;
}
export type StreamCondition = 'bad-format' | 'bad-namespace-prefix' | 'conflict' | 'connection-timeout' | 'host-gone' | 'host-unknown' | 'improper-addressing' | 'internal-server-error' | 'invalid-from' | 'invalid-namespace' | 'invalid-xml' | 'not-authorized' | 'not-well-formed' | 'policy-violation' | 'remote-connection-failed' | 'reset' | 'resource-constraint' | 'restricted-xml' | 'see-other-host' | 'system-shutdown' | 'undefined-condition' | 'unsupported-encoding' | 'unsupported-feature' | 'unsupported-stanza-type' | 'unsupported-version';
export interface StreamErrorDetail {
    readonly application?: {
        readonly name: string;
        readonly ns: string;
        readonly attrs?: Readonly<Record<string, string>>;
    };
    readonly otherHost?: string;
}
export declare class StreamError {
    readonly code: Code;
    readonly condition: StreamCondition;
    readonly text: string | undefined;
    readonly cause: unknown;
    readonly detail: StreamErrorDetail | undefined;
    constructor(code: Code, condition: StreamCondition, text?: string, cause?: unknown, detail?: StreamErrorDetail);
    toString(): string;
}

// src/stanza/reply.ts
export declare function iqResult(request: Element, payload?: Element): Element;
export declare function errorReply(stanza: Element, error: StanzaError): Element | undefined;

// src/stanza/stanza.ts
export type StanzaKind = 'message' | 'presence' | 'iq';

// src/store/columns.ts
export type ColumnKind = 'text' | 'integer' | 'bigint' | 'real' | 'boolean' | 'bytes' | 'octets';
declare const carried: unique symbol;
export interface Column<T = unknown> {
    readonly kind: ColumnKind;
    readonly nullable: boolean;
    readonly [carried]?: T;
}
export type Shape = {
    readonly [name: string]: Column;
};
export type ValuesOf<S extends Shape> = {
    readonly [K in keyof S]: S[K] extends Column<infer T> ? T : never;
};
export declare const text: Column<string>;
export declare const integer: Column<number>;
export declare const bigint: Column<bigint>;
export declare const real: Column<number>;
export declare const boolean: Column<boolean>;
export declare const bytes: Column<Uint8Array>;
export declare const octets: Column<Octets>;
export declare function oneOf<const T extends string>(..._values: readonly T[]): Column<T>;
export declare function nullable<T>(of: Column<T>): Column<T | null>;

// src/store/define.ts
export type { Column, Shape, ValuesOf } from './columns.ts';
export { bigint, boolean, bytes, integer, nullable, octets, oneOf, real, text } from './columns.ts';
export type Sql = string | {
    readonly sqlite: string;
    readonly postgres: string;
};
export type Expectation = 'some' | 'none';
export interface Statement<Otherwise extends string = string> {
    readonly sql: Sql;
    readonly each?: true;
    readonly expect?: Expectation;
    readonly otherwise?: Otherwise;
}
export type StatementLike = string | Statement;
export interface Change {
    readonly table: string;
    readonly key: string;
}
export declare function change(table: string, ...key: readonly (string | number | bigint)[]): Change;
export interface ReadOperation<P extends Shape = Shape, R extends Shape = Shape, One extends boolean = boolean> {
    readonly does: 'read';
    readonly params: P;
    readonly row: R;
    readonly one: One;
    readonly sql: Sql;
    readonly maxRows: number;
}
export interface WriteOperation<P extends Shape = Shape, I extends Shape | undefined = Shape | undefined, R extends Shape = Shape, Outcome extends string = string> {
    readonly does: 'write';
    readonly params: P;
    readonly items: I;
    readonly row: R;
    readonly guarded: boolean;
    readonly joins: boolean;
    readonly statements: readonly Statement<Outcome>[];
    readonly changes: ((params: never, items: never) => Change | readonly Change[]) | undefined;
}
export type Operation = ReadOperation | WriteOperation;
export interface Kept<R> {
    readonly outcome: 'kept';
    readonly changed: number;
    readonly rows: readonly R[];
}
export interface Refused<O extends string> {
    readonly outcome: O;
    readonly statement: number;
}
export interface WriteOptions<P extends Shape, I extends Shape | undefined, R extends Shape> {
    readonly items?: I;
    readonly returns?: R;
    readonly joins?: boolean;
    readonly changes?: (params: ValuesOf<P>, items: I extends Shape ? readonly ValuesOf<I>[] : readonly []) => Change | readonly Change[];
}
export declare const DEFAULT_MAX_ROWS = 10000;
export declare function one<const P extends Shape, const R extends Shape>(params: P, row: R, sql: Sql): ReadOperation<P, R, true>;
export declare function many<const P extends Shape, const R extends Shape>(params: P, row: R, sql: Sql, options?: {
    readonly maxRows?: number;
}): ReadOperation<P, R, false>;
export declare function write<const P extends Shape, const I extends Shape | undefined = undefined, const R extends Shape = {}>(params: P, statements: readonly (string | Pick<Statement, 'sql' | 'each'>)[], options?: WriteOptions<P, I, R>): WriteOperation<P, I, R, never>;
export declare function guarded<const P extends Shape, const S extends readonly StatementLike[], const I extends Shape | undefined = undefined, const R extends Shape = {}>(params: P, statements: S, options?: WriteOptions<P, I, R>): WriteOperation<P, I, R, 'conflict' | OtherwiseOf<S[number]>>;
type OtherwiseOf<S> = S extends {
    readonly otherwise: infer O extends string;
} ? O : never;
export declare function each(sql: Sql): {
    readonly sql: Sql;
    readonly each: true;
};
export interface Migration {
    readonly version: number;
    readonly name: string;
    readonly up: readonly Sql[];
}
export interface StoreDefinition {
    readonly name: string;
    readonly migrations: readonly Migration[];
    readonly operations: {
        readonly [name: string]: Operation;
    };
}
export type ParamsOf<O> = O extends ReadOperation<infer P> ? ValuesOf<P> : O extends WriteOperation<infer P> ? ValuesOf<P> : never;
export type ResultOf<O> = O extends ReadOperation<Shape, infer R, infer One> ? One extends true ? ValuesOf<R> | undefined : readonly ValuesOf<R>[] : O extends WriteOperation<Shape, infer _I, infer R, infer Outcome> ? Kept<ValuesOf<R>> | RefusedOf<Outcome> : never;
type RefusedOf<O extends string> = O extends string ? Refused<O> : never;
type ArgumentsOf<O> = O extends WriteOperation<Shape, infer I> ? I extends Shape ? [params: ParamsOf<O>, items: readonly ValuesOf<I>[]] : [params: ParamsOf<O>] : [params: ParamsOf<O>];
export type Store<D extends StoreDefinition> = {
    readonly [K in keyof D['operations']]: (...args: ArgumentsOf<D['operations'][K]>) => Promise<ResultOf<D['operations'][K]>>;
};
export declare function defineStore<const D extends StoreDefinition>(definition: D): D;
export declare function namesOf(shape: Shape): readonly string[];

// src/stream/sasl/sasl.types.ts
export type ScramName = 'SCRAM-SHA-1' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
export interface ScramCredential {
    readonly hash: HashName;
    readonly salt: Uint8Array;
    readonly iterations: number;
    readonly storedKey: Uint8Array;
    readonly serverKey: Uint8Array;
}
export interface BearerHelp {
    readonly scope?: string | undefined;
    readonly openidConfiguration?: string | undefined;
}
export type AccountRefusal = 'account-disabled' | 'credentials-expired';

// src/world/clock.types.ts
export interface Timer {
    cancel(): void;
}
export interface Clock {
    now(): Date;
    wallMs(): number;
    monoMs(): number;
    after<T>(ms: number, fn: (arg: T) => void, arg: T): Timer;
    soon<T>(fn: (arg: T) => void, arg: T): void;
}

// src/world/hashing.types.ts
export type HashName = 'sha1' | 'sha256' | 'sha512';
export interface Hashing {
    hash(name: HashName, data: Uint8Array): Uint8Array;
    hmac(name: HashName, key: Uint8Array, data: Uint8Array): Uint8Array;
    pbkdf2(name: HashName, password: string, salt: Uint8Array, iterations: number): Promise<Uint8Array>;
    equal(a: Uint8Array, b: Uint8Array): boolean;
}

// src/world/log.types.ts
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;
export interface Log {
    enabled(level: LogLevel): boolean;
    debug(message: string, fields?: LogFields): void;
    info(message: string, fields?: LogFields): void;
    warn(message: string, fields?: LogFields): void;
    error(message: string, fields?: LogFields): void;
    with(fields: LogFields): Log;
}

// src/world/net.types.ts
export interface Endpoint {
    readonly host: string;
    readonly port: number;
}
export interface Unsent {
    readonly bytes: Octets;
    readonly taken: number;
    readonly since: number;
}

// src/world/random.types.ts
export interface Random {
    bytes(count: number): Uint8Array;
    id(): string;
    uuid(): string;
    below(limit: number): number;
}

// src/xml/build.ts
export type Child = Element | string | undefined | null;
export type Attributes = Readonly<Record<string, string | undefined>>;
export declare function x(name: string, ns: string, first?: Attributes | Child, ...rest: readonly Child[]): Element;

// src/xml/element.types.ts
export type Node = Element | string;
export interface Attr {
    readonly name: string;
    readonly ns: string;
    readonly value: string;
}
export interface ChildName {
    readonly name: string;
    readonly ns: string;
}
export interface Element {
    readonly name: string;
    readonly ns: string;
    attr(name: string): string | undefined;
    rawAttr(name: string): Octets | undefined;
    attrNS(ns: string, name: string): string | undefined;
    readonly attrs: readonly Attr[];
    readonly lang: string | undefined;
    readonly children: readonly Node[];
    readonly elements: readonly Element[];
    child(name: string | null, ns?: string): Element | undefined;
    childrenNamed(name: string | null, ns?: string): readonly Element[];
    readonly text: string;
    childText(name: string, ns?: string): string | undefined;
    hasChild(name: string, ns: string): boolean;
    readonly childNames: readonly ChildName[];
    readonly payload: Octets;
    readonly size: number;
    withAttrs(set: Readonly<Record<string, string | undefined>>): Element;
    withChild(child: Element): Element;
    withoutChildren(match: (child: ChildName, index: number) => boolean): Element;
}

// src/xml/octets.ts
declare const octets: unique symbol;
export type Octets = string & {
    readonly [octets]: true;
};

// src/xml/serialise.ts
export interface WrittenChild extends ChildName {
    readonly bytes: Octets;
}
