/** What the tests of limits share: a server in a simulated world, with clients of whom every byte is seen. */
import { header, type Wire } from '../../plays/language/wire.ts'
import { jid } from '../jid/index.ts'
import { SymbolicServer } from '../listeners/symbolic.testing.ts'
import type { SimVitals } from '../sim/vitals.ts'

type Sections = Readonly<Record<string, unknown>>

/** A server whose limit is passed once. */
export interface Ground {
  readonly symbolic: SymbolicServer
  counter(name: string): number
  /** Of the server's process. */
  readonly vitals: SimVitals
  /** An account with the password `secret`; romeo@localhost is there already. */
  account(name: string): Promise<void>
  connected(from?: string): Promise<Wire>
  /** Inside of TLS, with features. */
  secured(from?: string): Promise<Wire>
  /** Signed in. */
  signedIn(user?: string, from?: string): Promise<Wire>
  /** With a resource. */
  bound(user?: string, resource?: string): Promise<Wire>
  /** romeo, and juliet who does not read; the network between holds a few KB. */
  unread(): Promise<{ readonly romeo: Wire; readonly juliet: Wire }>
  /** Fails unless nobody has passed the limit so far: call it at the limit, just before it is passed. */
  still(): void
  passes(ms: number): Promise<void>
}

/** Passes the limit; returns what was heard of it on the wire. */
export type Act = (ground: Ground) => Promise<string>

const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const NS_BIND = 'urn:ietf:params:xml:ns:xmpp-bind'

export const plain = (user: string, password: string) =>
  `<auth xmlns='${NS_SASL}' mechanism='PLAIN'>${btoa(`\0${user}\0${password}`)}</auth>`
export const bind = (resource: string) =>
  `<iq type='set' id='bind'><bind xmlns='${NS_BIND}'><resource>${resource}</resource></bind></iq>`
export const abort = `<abort xmlns='${NS_SASL}'/>`
export const message = (to: string, body: string, id = '') =>
  `<message to='${to}' type='chat' id='${id}'><body>${body}</body></message>`

export const anyStreamError = /<stream:error>.*?<\/stream:error>/
export const anyStanzaError = /<error [^>]*>.*?<\/error>/

export const listener = { name: 'c2s', protocol: 'c2s', address: '0.0.0.0', port: 5222 }

/** How the server comes to the limit: it starts with it, or is reloaded with it, where it may be the listener's own. */
export type Way = 'start' | 'reload' | "reload of the listener's own"

/** In a simulated world with these sections, of which `listener` are options of the one listener. */
export function simulated(config: Sections & { readonly listener?: Sections }, act: Act) {
  return async (metric: string, way: Way = 'start'): Promise<{ readonly heard: string; readonly moved: number }> => {
    const { listener: given = {}, limits, ...others } = config
    const isOwn = way === "reload of the listener's own"
    const own = isOwn ? { ...given, limits } : given
    const sections = isOwn ? others : { ...others, limits }
    let heard = ''
    let moved = 0
    const limited = { listeners: [{ ...listener, ...own }], ...sections }
    await SymbolicServer.run(way === 'start' ? limited : { listeners: [listener] }, async (symbolic) => {
      if (way !== 'start') await symbolic.reload(limited)
      const ground = groundOf(symbolic, metric)
      ground.still()
      heard = await act(ground)
      moved = ground.counter(metric)
    })
    return { heard, moved }
  }
}

export function groundOf(symbolic: SymbolicServer, metric: string): Ground {
  const connected = (from = 'romeo') => symbolic.wire(from)
  const secured = async (from?: string) => {
    const wire = await connected(from)
    await wire.startsTls({ ca: symbolic.ca })
    return wire
  }
  const signedIn = async (user = 'romeo', from = user) => {
    const wire = await secured(from)
    wire.says(plain(user, 'secret'))
    await wire.hears(/<success [^>]*\/>/)
    wire.says(header('localhost'))
    await wire.hears(/<\/stream:features>/)
    return wire
  }
  const account = (name: string) => symbolic.server.accounts.add(jid(`${name}@localhost`), 'secret')
  const bound = async (user?: string, resource = 'here') => {
    const wire = await signedIn(user)
    wire.says(bind(resource))
    await wire.hears(/<\/iq>/)
    return wire
  }
  return {
    symbolic,
    counter: (name) => symbolic.counter(name),
    vitals: symbolic.simulation.world('server').vitals,
    account,
    connected,
    secured,
    signedIn,
    bound,
    async unread() {
      await account('juliet')
      const [romeo, juliet] = [await bound(), await bound('juliet')]
      const { network } = symbolic.simulation
      network.everywhere = { ...network.everywhere, windowBytes: 4_096 }
      juliet.transport.pause()
      return { romeo, juliet }
    },
    still() {
      if (symbolic.counter(metric) !== 0) throw new Error(`${metric} moved before its limit was passed`)
    },
    passes: (ms) => symbolic.simulation.advance(ms),
  }
}
