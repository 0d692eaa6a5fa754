/** What a client asks for together with its sign-in by SASL2 (XEP-0388 section 2.6.1), in the order of XEP-0386 section 3.2. */
import type { HostType } from '../../core/host-type.ts'
import type { Session } from '../../core/session.ts'
import type { Bind2Request, SignInRequest } from '../../core/sign-in.ts'
import { prepResource } from '../../jid/index.ts'
import { StanzaError } from '../../stanza/error.ts'
import { fastFeature } from '../../stream/fast.ts'
import { type Authenticate, bind2Feature, NS_BIND2, readTag, type Sasl2Offer } from '../../stream/sasl2.ts'
import type { Element } from '../../xml/element.types.ts'
import { x } from '../../xml/index.ts'

export interface InlineNeeds {
  readonly type: HostType
  readonly request: SignInRequest
  readonly bind: Authenticate['bind']
  /** Binds a resource, '' lets the server make one; undefined when the stream has ended meanwhile. */
  bindTo(resource: string): Session | StanzaError | undefined
  /** Takes over a session that was resumed; false when the stream has ended meanwhile. */
  take(session: Session): boolean
  /** The server's part of a resource with this tag: the same for the same client, where it has said which it is. */
  madeResource(tag: string): string
  /** A `<token/>` of XEP-0484, when one is due; called last. */
  token(): Promise<Element | undefined>
}

export interface InlineDone {
  readonly session: Session | undefined
  readonly elements: readonly Element[]
}

export function sasl2Offer(type: HostType, host: SignInRequest['host'], tokens: readonly string[]): Sasl2Offer {
  const bind = bind2Feature(type.hooks.fold('bind2:features', [], host))
  const fast = fastFeature(tokens)
  return { inline: type.hooks.fold('sasl2:features', fast === undefined ? [bind] : [bind, fast], host) }
}

/** Does all of it; undefined when the stream has ended meanwhile. */
export async function inline(needs: InlineNeeds): Promise<InlineDone | undefined> {
  const { type, request } = needs
  const resumption = await type.hooks.tolerantFold('sasl2:resume', undefined, request)
  const resumed = resumption?.session
  if (resumed !== undefined && !needs.take(resumed)) return undefined
  // XEP-0386 section 3.2: with a session resumed, `<bind/>` is as if it were not there.
  const bound = resumed === undefined ? await bind(needs) : { session: resumed, elements: [] }
  if (bound === undefined) return undefined
  const { session } = bound
  const others = await type.hooks.tolerantFold('sasl2:success', [], { request, session })
  const token = await needs.token()
  const elements = [...(resumption === undefined ? [] : [resumption.element]), ...bound.elements, ...others]
  return { session, elements: token === undefined ? elements : [...elements, token] }
}

async function bind({ type, request, bind, bindTo, madeResource }: InlineNeeds): Promise<InlineDone | undefined> {
  if (bind === undefined) return { session: undefined, elements: [] }
  const tag = readTag(bind)
  const session = bindTo(resourceFor(tag, madeResource(tag)))
  if (session === undefined) return undefined
  // Neither XEP has a word for a refusal here: he is signed in, has no resource, and is told why when he asks by RFC 6120 section 7.
  if (session instanceof StanzaError) return { session: undefined, elements: [] }
  const event: Bind2Request = { session, request, bind }
  const first = type.hooks.fold('bind2:bound', [], event)
  const children = await type.hooks.tolerantFold('bind2:metadata', first, event)
  return { session, elements: [x('bound', NS_BIND2, ...children)] }
}

/** XEP-0386 section 3.2.1: the tag as it is, where a resource may hold it, and behind it what the server makes. */
function resourceFor(tag: string, made: string): string {
  if (tag === '') return made
  const whole = `${tag}/${made}`
  // What would come out changed is not the tag as it is.
  return prepResource(whole) === whole ? whole : made
}
