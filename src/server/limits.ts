/** Limits of the configuration in the form that the core takes. */
import type { Limits } from '../core/config/index.ts'
import type { CoreLimits } from '../core/limits.ts'

export function coreLimits(limits: Limits): CoreLimits {
  return {
    queueBytesMax: limits.session_queue_bytes,
    pendingStanzasMax: limits.session_pending_stanzas,
    hookTimeoutMs: limits.hook_timeout,
    jidCacheMax: limits.jid_cache_entries,
  }
}
