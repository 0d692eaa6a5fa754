/** What is noted when an account is left: the time, and the status of the unavailable presence that went before (XEP-0012 §3). */
import type { Counter } from '../../core/metrics.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { Session } from '../../core/session.ts'
import { NS_CLIENT } from '../../stanza/ns.ts'
import type { Store } from '../../store/define.ts'
import type { Element } from '../../xml/element.types.ts'
import { decode, encode, own } from '../../xml/octets.ts'
import type { lastStore } from './last.store.ts'

export interface DepartureNeeds {
  readonly store: Store<typeof lastStore>
  /** Bytes of a status that is kept. */
  readonly statusSize: () => number
  readonly tooLong: Counter
  readonly failures: Counter
}

export function noteDepartures(
  ctx: Pick<ModuleContext, 'clock' | 'log' | 'on' | 'sessions' | 'slot'>,
  { store, statusSize, tooLong, failures }: DepartureNeeds,
): void {
  /** Why a session that is unavailable said it is. */
  const left = ctx.slot('status', () => '', {
    kept: { encode: (text) => text, decode: (data) => (typeof data === 'string' ? data : undefined) },
  })
  /** One line in the log until the store works again. */
  let isFailing = false

  function statusOf(el: Element): string {
    const bytes = encode(el.childText('status', NS_CLIENT) ?? '')
    if (bytes.length <= statusSize()) return decode(own(bytes))
    tooLong.value++
    return ''
  }

  ctx.on(
    'presence:self',
    ({ el }, session) => {
      const status = el.attr('type') === 'unavailable' ? statusOf(el) : ''
      if (status !== '' || session.slots.peek(left) !== undefined) session.slots.set(left, status)
      return undefined
    },
    // Early: the presence module takes it, and behind it nobody is asked.
    { types: ['', 'unavailable'], phase: 'early' },
  )

  // The last of the account's sessions; who had no account (XEP-0175) leaves nothing behind.
  ctx.on('session:ended', ({ session }) => {
    const { domain, local } = session.jid
    if (session.info.auth === 'ANONYMOUS' || ctx.sessions.isOnline(domain, local)) return
    const status = session.slots.peek(left) ?? ''
    store.put({ host: domain, local, at: ctx.clock.wallMs(), status }).then(
      () => {
        isFailing = false
      },
      (error: unknown) => failed(session, error),
    )
  })

  function failed(session: Session, error: unknown): void {
    failures.value++
    if (isFailing) return
    isFailing = true
    const account = session.jid.bare.toString()
    ctx.log.warn('the time of a departure could not be kept', { code: 'RTK_LAST_STORE', account, error })
  }
}
