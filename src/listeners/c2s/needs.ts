/** What clients' streams need of the server. */
import type { Resources } from '../../auth/resources.ts'
import type { Tokens } from '../../auth/tokens.ts'
import type { AuthBackend } from '../../core/auth.ts'
import type { Binder } from '../../core/binder.ts'
import type { ListenerConfig } from '../../core/config/listener-section.ts'
import type { AuthConfig } from '../../core/config/sections.ts'
import type { Core } from '../../core/core.ts'
import type { Host } from '../../core/host.ts'
import type { Decoys } from '../../stream/sasl/index.ts'
import type { Clock } from '../../world/clock.types.ts'
import type { Hashing } from '../../world/hashing.types.ts'
import type { Log } from '../../world/log.types.ts'
import type { TlsServerContext } from '../../world/net.types.ts'
import type { Random } from '../../world/random.types.ts'
import type { Admission } from '../admission.ts'
import type { RefusalLog } from '../refusal-log.ts'

export interface C2sNeeds {
  readonly clock: Clock
  readonly random: Random
  readonly hashing: Hashing
  readonly log: Log
  readonly core: Core
  readonly binder: Binder
  readonly admission: Admission
  /** The host that is spoken for when a client names none of ours. */
  defaultDomain(): string
  backend(host: Host): AuthBackend
  auth(host: Host): AuthConfig
  /** Credentials for names that do not exist, so that they look like those that do. */
  decoys(host: Host): Decoys
  readonly tokens: Tokens
  /** Of what strangers do again and again. */
  readonly refusalLog: RefusalLog
  /** Names of resources that the server makes. */
  readonly resources: Pick<Resources, 'made'>
  /** Certificates and ALPN of a listener. */
  tls(listener: ListenerConfig): TlsServerContext
  /** True when there is a certificate for the host. */
  hasCertificate(listener: ListenerConfig, domain: string): boolean
}
