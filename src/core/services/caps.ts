/** What clients and other entities can do, as learned from their presence (XEP-0115). */
import type { Jid } from '../../jid/jid.ts'
import type { Session } from '../session.ts'

/** Features of disco#info. One set for all who advertise the same; nobody changes it. */
export type FeatureSet = ReadonlySet<string>

export interface CapsService {
  /** Of whoever has this address, here or elsewhere; undefined while unknown. */
  features(jid: Jid): FeatureSet | undefined
  /** Of a session of this server, without a look for it. */
  ofSession(session: Session): FeatureSet | undefined
}

/** From now on it is known what somebody can do. */
export interface CapsKnown {
  /** The very address that sent the presence: a full JID for clients. */
  readonly jid: Jid
  readonly features: FeatureSet
}

declare module '../hooks.ts' {
  interface Hooks {
    /** Told at the first presence with capabilities that are known, when they become known later, and when they change. */
    'caps:known': Notice<CapsKnown>
  }
}

declare module '../services.ts' {
  interface Services {
    caps: CapsService
  }
}
