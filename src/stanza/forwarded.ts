/**
 * XEP-0297: Stanza Forwarding, version 1.0: a stanza inside of another, as carbons, archives and rooms send it. §7.1: what is
 * inside is never processed as if it had come by itself, and whoever uses this says who may forward what.
 */
import { x } from '../xml/build.ts'
import { type Codec, CodecFault } from '../xml/codec.ts'
import type { Element } from '../xml/element.types.ts'
import { type Delay, delayCodec } from './delay.ts'
import { NS_CLIENT, NS_SERVER } from './ns.ts'

export const NS_FORWARD = 'urn:xmpp:forward:0'

export interface Forwarded {
  /** As it was, its namespace and addresses included (§3.2 rules 1 and 3). */
  readonly stanza: Element
  /** When whoever forwards it received it (§3.2 rule 2). */
  readonly delay?: Delay | undefined
}

function isForwarded(el: Element): boolean {
  return el.name === 'forwarded' && el.ns === NS_FORWARD
}

/** §8: a stanza of either namespace. */
function isStanza({ name, ns }: Element): boolean {
  return (ns === NS_CLIENT || ns === NS_SERVER) && (name === 'message' || name === 'presence' || name === 'iq')
}

/** `<forwarded/>` with exactly one stanza and at most one note of delay; other children are ignored. */
export const forwardedCodec: Codec<Forwarded> = {
  name: 'forwarded',
  ns: NS_FORWARD,
  matches: isForwarded,
  decode(el) {
    if (!isForwarded(el)) return new CodecFault('forwarded', 'It is another element.')
    let stanza: Element | undefined
    let delay: Delay | undefined
    for (const child of el.elements) {
      if (isStanza(child)) {
        if (stanza !== undefined) return new CodecFault(`forwarded/${child.name}`, 'There may be only one stanza.')
        stanza = child
      } else if (delayCodec.matches(child)) {
        if (delay !== undefined) return new CodecFault('forwarded/delay', 'There may be only one.')
        const read = delayCodec.decode(child)
        if (read instanceof CodecFault) return read.within('forwarded')
        delay = read
      }
    }
    if (stanza === undefined) return new CodecFault('forwarded', 'It holds no stanza.')
    return { stanza, delay }
  },
  encode({ stanza, delay }) {
    return x('forwarded', NS_FORWARD, delay === undefined ? undefined : delayCodec.encode(delay), stanza)
  },
}
