/**
 * What a plugin is written with: our own types only. A plugin declares hooks and services of its own by merging into
 * `Hooks` and `Services` of this module (docs/guide/write-a-plugin.md).
 */
export { AccessRule, type Subject, type ValueRule } from './core/access.ts'
export type { AccountDirectory } from './core/accounts.ts'
export type { AuthBackend, BearerJudge, BearerVerdict, SignInRecord } from './core/auth.ts'
export type { ClientStream, Resumable, StreamElementHandler, TakeOver } from './core/client-stream.ts'
export {
  type CommandCall,
  type CommandDefinition,
  CommandError,
  defineCommand,
  type FieldSchema,
  field,
  type Json,
} from './core/commands.ts'
export { type About, type Option, type OptionSchema, type OptionsOf, opt, type Secret } from './core/config/opt.ts'
export type { DeliveryGate } from './core/delivery-gate.ts'
export type { FanOutGroup } from './core/fan-out.ts'
export type { Identity } from './core/features.ts'
export { Batch } from './core/hand-over.ts'
export type { Concern, FilterOptions, HookOptions, Phase } from './core/hook-table.ts'
// With a star: only what comes so can be merged into from outside.
export * from './core/hooks.ts'
export type { Host } from './core/host.ts'
export type { HttpRoute } from './core/http-routes.ts'
export type { IqAnswer, IqHandler, IqOptions, IqRequest, IqTarget, PayloadName } from './core/iq.ts'
export type { Ledger, LedgerPolicy } from './core/ledger.ts'
export type { MessageHold } from './core/message-holds.ts'
export type { Counter } from './core/metrics.ts'
export { defineModule, type ModuleContext, type ModuleDefinition, type Sessions, type XepClaim } from './core/module.ts'
export { drop, type Origin, Packet, refuse, type Settlement, type Verdict } from './core/packet.ts'
export type { ProtocolAccept, ProtocolConnection, ProtocolDeclaration, ProtocolHandler } from './core/protocol.ts'
export type { RouteOptions, RouteOwner } from './core/router.ts'
export type { AcknowledgementService } from './core/services/acknowledgements.ts'
export type {} from './core/services/auth.ts'
export type { CapsKnown, CapsService, FeatureSet } from './core/services/caps.ts'
export type { DiscoInfo, DiscoItem, DiscoQuery } from './core/services/disco.ts'
export type { PrivacyService, Screen, ScreenChange, Traffic } from './core/services/privacy.ts'
export type { RegistrationRequest } from './core/services/registration.ts'
export type {
  RosterChange,
  RosterItem,
  RosterItems,
  RosterService,
  RosterSource,
  SubscriptionChange,
  SubscriptionRevocation,
} from './core/services/roster.ts'
export * from './core/services.ts'
export type { Session } from './core/session.ts'
export type { SessionEnd } from './core/session-owner.ts'
export type { Bind2Request, ClientAgent, SignedInStream, SignInDone, SignInRequest } from './core/sign-in.ts'
export type { Slot, SlotCodec } from './core/slots.ts'
export { Jid, jid, parseJid } from './jid/jid.ts'
export { StanzaError, StreamError } from './stanza/error.ts'
export { errorReply, iqResult } from './stanza/reply.ts'
export * from './store/define.ts'
export type { Clock, Timer } from './world/clock.types.ts'
export type { Hashing, HashName } from './world/hashing.types.ts'
export type { Log } from './world/log.types.ts'
export type { Random } from './world/random.types.ts'
export { type Element, x } from './xml/index.ts'
