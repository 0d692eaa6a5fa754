/**
 * XEP-0077: In-Band Registration, version 2.4: who has signed in changes his password and removes his account; accounts are
 * made before sign-in only where `sign_up` says so.
 */
import { opt } from '../../core/config/opt.ts'
import { defineModule } from '../../core/module.ts'
import { x } from '../../xml/build.ts'
import { NS_REGISTER } from './answers.ts'
import { ownAccount } from './own-account.ts'
import { Quota } from './quota.ts'
import { SignUp } from './sign-up.ts'

const NS_FEATURE = 'http://jabber.org/features/iq-register'

export default defineModule({
  name: 'register',
  xeps: [{ xep: 77, version: '2.4', status: 'complete', note: 'no data forms, and no error codes of XEP-0086' }],
  options: {
    sign_up: opt.oneOf(['closed', 'open'], {
      default: 'closed',
      description: 'Whether strangers may make accounts, inside of TLS.',
      reload: 'hot',
    }),
    sign_ups_per_address: opt.int({
      default: 3,
      min: 1,
      max: 1_000_000,
      description:
        'Attempts of one client address to make an account of a host within `window`; IPv6 counts by its /64.',
      reload: 'hot',
    }),
    sign_ups_max: opt.int({
      default: 100,
      min: 1,
      max: 1_000_000,
      description: 'Attempts of all addresses together to make an account of a host within `window`.',
      reload: 'hot',
    }),
    password_change: opt.bool({ default: true, description: 'Users may change their passwords.', reload: 'hot' }),
    password_changes_max: opt.int({
      default: 10,
      min: 1,
      max: 1_000_000,
      description: 'Changes of the password of one account within `window`: each is costly to make.',
      reload: 'hot',
    }),
    removal: opt.bool({ default: true, description: 'Users may remove their accounts.', reload: 'hot' }),
    window: opt.duration({
      default: '1 hour',
      min: '1 second',
      max: '7 days',
      description: 'Time in which attempts to make an account and changes of passwords are counted.',
      reload: 'hot',
    }),
  },
  setup(ctx) {
    const { options } = ctx
    const forgotten = ctx.counter(
      'quota_evictions',
      'Addresses, hosts and accounts whose attempts were forgotten to make room for others; limit register_quota_keys',
    )
    const signUp = new SignUp(ctx, options, {
      signUps: ctx.counter('sign_ups', 'Accounts made by their users (XEP-0077)'),
      perAddress: ctx.counter(
        'sign_ups_per_address',
        'Attempts to make an account refused because of too many from the address; limit modules.register.sign_ups_per_address',
      ),
      max: ctx.counter(
        'sign_ups_max',
        'Attempts to make an account refused because of too many on the host; limit modules.register.sign_ups_max',
      ),
      forgotten,
    })
    ctx.features.add(NS_REGISTER)
    // §8
    ctx.on('stream:stranger-features', (list, stranger) =>
      signUp.isOpen(stranger) ? [...list, x('register', NS_FEATURE)] : list,
    )
    ctx.on('stream:stranger-request', (isTaken, request) => isTaken || signUp.requested(request))
    ownAccount(ctx, options, new Quota(ctx.clock, forgotten), {
      changes: ctx.counter('password_changes', 'Passwords changed by their users (XEP-0077)'),
      changesMax: ctx.counter(
        'password_changes_max',
        'Changes of passwords refused because there were too many; limit modules.register.password_changes_max',
      ),
      removals: ctx.counter('removals', 'Accounts removed by their users (XEP-0077)'),
    })
  },
})
