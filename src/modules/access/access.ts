/**
 * XEP-0494: Client Access Management, version 0.1.0: the owner of an account sees which clients have access to it, and ends that
 * of one.
 */
import { CommandError } from '../../core/command-error.ts'
import { opt } from '../../core/config/opt.ts'
import type { IqAnswer, IqRequest } from '../../core/iq.ts'
import { defineModule } from '../../core/module.ts'
import type { Session } from '../../core/session.ts'
import { StreamError } from '../../stanza/error.ts'
import type { Timer } from '../../world/clock.types.ts'
import { accountData } from './access.account.ts'
import { accessStore } from './access.store.ts'
import { clientsElement, NS_CAM, refusals } from './access.wire.ts'
import { clientsOf, type KnownClient } from './clients.ts'
import { Sightings } from './sightings.ts'

const revoked = new StreamError('RTK_ACCESS_REVOKED', 'not-authorized', 'this client was signed out')

/** Who was not seen for longer than `remember` goes this often, in milliseconds, and when the server starts. */
const expireMs = 24 * 3_600_000

export default defineModule({
  name: 'access',
  xeps: [
    {
      xep: 494,
      version: '0.1.0',
      status: 'complete',
      note: 'no client can be revoked whose access is not of this server: by tokens of an issuer (grant, without details), or by a certificate, which is told with an element of our own in auth',
    },
  ],
  options: {
    remember: opt.duration({
      default: '30 days',
      min: '0 seconds',
      max: '3650 days',
      description:
        'What is known of a client is kept until it was not seen for so long: its names, when it came, and whether it has shown the password. 0 seconds: only clients with a session or a token are listed.',
      reload: 'hot',
    }),
    names: opt.bool({
      default: true,
      description: 'What clients call their software and device is kept with that.',
      reload: 'hot',
    }),
  },
  async setup(ctx) {
    const { options, sessions } = ctx
    const store = await ctx.store(accessStore)
    const outdated = ctx.slot('outdated', () => false, {
      kept: { encode: (value) => value, decode: (data) => (typeof data === 'boolean' ? data : undefined) },
    })
    const revocations = ctx.counter('revocations', 'Clients whose access was ended by their user')
    const sightings = new Sightings(ctx, {
      store,
      keeps: () => options.remember > 0,
      keepsNames: () => options.names,
      evicted: ctx.counter(
        'clients_max',
        'Clients of accounts that were forgotten, the longest unseen first; limit access_clients_per_account',
      ),
      forgotten: ctx.counter(
        'sightings_max',
        'Sign-ins in memory that were forgotten, so that the next of the same client is written again; limit access_sightings',
      ),
      failures: ctx.counter('store_failures', 'Sign-ins and departures of clients that could not be noted'),
    })
    const needs = { store, outdated, remembersMs: () => options.remember }

    // The XEP names no feature; its namespace is what clients look for.
    ctx.features.add(NS_CAM, ['host', 'account'])

    ctx.on('sasl2:success', (elements, { request: { host, account, agent, mechanism } }) => {
      if (agent !== undefined) sightings.signedIn({ host: host.domain, local: account.local, agent, mechanism })
      return elements
    })
    ctx.on('session:ended', ({ session }) => sightings.left(session))

    ctx.on('account:password', ({ host, local }) => {
      for (const session of sessions.ofAccount(host.domain, local)) session.slots.set(outdated, true)
      sightings.forget(host.domain, local)
      store.newPassword({ host: host.domain, local }).catch((error) => sightings.failed(error))
    })

    /** §5: nobody but the account itself. */
    function owner({ packet, host, account }: IqRequest): Session | undefined {
      const { from, origin } = packet
      const isOwn = origin.kind === 'session' && from.local === account && from.domain === host.domain
      return isOwn ? sessions.find(from) : undefined
    }

    async function list({ host }: IqRequest, { jid }: Session): Promise<IqAnswer> {
      return clientsElement(await clientsOf(ctx, needs, host, jid.local))
    }

    /** §3.2 */
    async function revoke(request: IqRequest, asker: Session): Promise<IqAnswer> {
      const id = request.payload.attr('id') ?? ''
      if (id === '') return refusals.incomplete
      const clients = await clientsOf(ctx, needs, request.host, asker.jid.local)
      const client = clients.find((one) => one.id === id)
      if (client === undefined) return refusals.unknown
      if (client.password) return refusals.password
      if (client.certificate) return refusals.certificate
      if (client.grant) return refusals.grant
      await end(client, request, asker)
      revocations.value++
      const { address } = asker.info
      ctx.log.info('a client was signed out by its user', { jid: asker.jid.bare.toString(), address })
      return undefined
    }

    async function end({ agent, sessions: its }: KnownClient, request: IqRequest, asker: Session): Promise<void> {
      // One that signs itself out hears that it did.
      const answerOwn = () => {
        if (agent === '' ? its.includes(asker) : asker.info.agent === agent) request.answer()
      }
      if (agent === '') {
        answerOwn()
        for (const session of its) session.close({ reason: 'kicked', detail: revoked.code }, revoked)
        return
      }
      const { domain: host, local } = asker.jid
      sightings.forget(host, local, agent)
      await store.forget({ host, local, agent })
      try {
        await ctx.accounts.revokeTokens(asker.jid.bare, agent, answerOwn)
      } catch (error) {
        // Its token and session have ended by themselves meanwhile.
        if (!(error instanceof CommandError && error.code === 'RTK_TOKEN_UNKNOWN')) throw error
      }
    }

    const onAccount = { on: 'account', hidesAccounts: true } as const
    const asked = (answer: (request: IqRequest, session: Session) => Promise<IqAnswer>) => (request: IqRequest) => {
      const session = owner(request)
      return session === undefined ? refusals.hidden : answer(request, session)
    }
    ctx.iq.get({ name: 'list', ns: NS_CAM }, asked(list), onAccount)
    ctx.iq.set({ name: 'revoke', ns: NS_CAM }, asked(revoke), onAccount)

    /** §6: no longer than is said. */
    let timer: Timer | undefined
    function expire(): void {
      timer?.cancel()
      timer = ctx.clock.after(expireMs, expire, undefined)
      const seen = ctx.clock.wallMs() - options.remember
      store.expire({ seen }).catch((error) => sightings.failed(error))
    }
    expire()
    ctx.onReload(expire)
    ctx.onStop(() => timer?.cancel())

    accountData(ctx, store, (host, local) => sightings.forget(host, local))
  },
})
