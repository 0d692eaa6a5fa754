/** Limits of the core: each has a name in the configuration (snake case), a default, a metric and an error. */
export interface CoreLimits {
  /** `session_queue_bytes`: waiting for a slow reader, then RTK_SESSION_QUEUE_FULL. */
  readonly queueBytesMax: number
  /** `session_pending_stanzas`: behind one that waits for a store, then the client's reading is held. */
  readonly pendingStanzasMax: number
  /** `hook_timeout`: a handler's promise, then RTK_HOOK_TIMEOUT. */
  readonly hookTimeoutMs: number
  /** `jid_cache_entries`. */
  readonly jidCacheMax: number
}

export const defaultCoreLimits: CoreLimits = {
  queueBytesMax: 4 * 1024 * 1024,
  pendingStanzasMax: 64,
  hookTimeoutMs: 10_000,
  jidCacheMax: 50_000,
}
