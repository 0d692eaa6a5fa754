/**
 * What survives when a session moves (DESIGN.md section 7), as plain data with a version: to another link after a while
 * without one, to another node. `encodeSession` and `decodeSession` with nothing between them are the identity.
 *
 * A busy session (`Session.isBusy`) is not encoded: what it waits for is no data. So stanzas that wait behind another are
 * never part of it; who moves a session tries again when they are done.
 */
import { parseJid } from '../jid/jid.ts'
import type { Code } from '../stanza/error.ts'
import { presencePriority } from '../stanza/stanza.ts'
import type { Element } from '../xml/element.types.ts'
import { XmlError } from '../xml/errors.ts'
import { decode } from '../xml/octets.ts'
import { parseElement } from '../xml/parse.ts'
import { serialise } from '../xml/serialise.ts'
import type { Json } from './command-result.ts'
import type { Core } from './core.ts'
import { Ledger } from './ledger.ts'
import type { LedgerData } from './ledger-data.ts'
import { Session } from './session.ts'
import type { LinkInfo, SessionLink } from './session-link.ts'
import type { SlotRegistry, SlotValues } from './slots.ts'

/** JSON can carry it. Another form gets another `v`. */
export interface SessionData {
  readonly v: 2
  readonly id: string
  /** Full JID. */
  readonly jid: string
  /** Domain of the host. */
  readonly host: string
  /** Milliseconds since 1970. */
  readonly created: number
  readonly info: LinkInfo
  /** The last available presence that was broadcast, as XML; '' for none. */
  readonly presence: string
  readonly presenceMs: number
  readonly priority: number
  readonly received: number
  readonly delivered: number
  /** What is counted and kept for its client (ledger.ts); null: nothing is. */
  readonly ledger: LedgerData | null
  /** Kept slots that have a value, by name. */
  readonly slots: { readonly [name: string]: Json }
}

/** Why a session cannot be encoded or decoded now. A value, never thrown. */
export class SessionFault extends Error {
  readonly code: Code

  constructor(code: Code, text: string, cause?: unknown) {
    super(text, { cause })
    this.name = 'SessionFault'
    this.code = code
  }
}

/**
 * Faults: `RTK_SESSION_BUSY`, `RTK_SESSION_ENDED`, `RTK_SESSION_SLOT_DATA`. `when`: what is under way is left out, for who
 * knows that it was not acknowledged; also of one that ends just now.
 */
export function encodeSession(core: Core, session: Session, when?: 'even when busy'): SessionData | SessionFault {
  if (session.hasEnded && when === undefined) return new SessionFault('RTK_SESSION_ENDED', `${session.label} has ended`)
  if (when === undefined && session.isBusy)
    return new SessionFault('RTK_SESSION_BUSY', `${session.label} has something under way`)
  const slots = encodeSlots(core.slots, session.slots)
  if (slots instanceof SessionFault) return slots
  const { address, port, transport, tls, auth, listener, agent, resumedFrom } = session.info
  return {
    v: 2,
    id: session.id,
    jid: session.jid.toString(),
    host: session.host.domain,
    created: session.createdMs,
    info: {
      ...{ address, port, transport, tls, auth, listener },
      ...(agent === undefined ? {} : { agent }),
      ...(resumedFrom === undefined ? {} : { resumedFrom }),
    },
    presence: session.presence === undefined ? '' : decode(serialise(session.presence, '')),
    presenceMs: session.presenceMs,
    priority: session.priority,
    received: session.received,
    delivered: session.delivered,
    ledger: session.ledger?.encode() ?? null,
    slots,
  }
}

/**
 * Makes the session again, over a link or detached, and enters it into the table in the place of the one with its id
 * (`Core.adopt`). That one must not have gone on since it was encoded; its link, when it is another, is the caller's to
 * close. Faults: `RTK_SESSION_VERSION`, `RTK_SESSION_DATA` (not what `encodeSession` gives), `RTK_SESSION_HOST` (not
 * served here), `RTK_SESSION_LEDGER` (no module here counts stanzas), `RTK_SESSION_SLOT_UNKNOWN` (no module here declares
 * this kept slot), `RTK_SESSION_SLOT_DATA` (its module cannot read it), `RTK_SESSION_TAKEN` (the full JID is another
 * session's, or the old one is busy).
 */
export function decodeSession(core: Core, data: unknown, link: SessionLink | undefined): Session | SessionFault {
  const session = readSession(core, data, link)
  if (session instanceof SessionFault || core.adopt(session)) return session
  session.ledger?.take()
  return new SessionFault('RTK_SESSION_TAKEN', `${session.label} is taken, or busy`)
}

/** The same of one that has ended: it enters no table, and has no ledger. Faults: as those of the data. */
export function decodeEnded(core: Core, data: unknown): Session | SessionFault {
  const session = readSession(core, data, undefined)
  if (!(session instanceof SessionFault)) session.state = { kind: 'closed', end: { reason: 'lost', detail: '' } }
  return session
}

function readSession(core: Core, data: unknown, link: SessionLink | undefined): Session | SessionFault {
  if (!isRecord(data)) return malformed('it is no object')
  if (data['v'] !== 2) return new SessionFault('RTK_SESSION_VERSION', `version ${String(data['v'])} is not known here`)
  if (!isSessionData(data)) return malformed('a field is missing or of another type')
  const jid = parseJid(data.jid)
  if (jid === undefined || jid.local === '' || jid.resource === '') return malformed(`'${data.jid}' is no full JID`)
  const host = core.host(data.host)
  if (host === undefined) return new SessionFault('RTK_SESSION_HOST', `${data.host} is not served here`)
  if (jid.domain !== host.domain) return malformed(`${data.jid} is not of ${data.host}`)
  const presence = readPresence(data.presence)
  if (presence instanceof SessionFault) return presence
  const session = new Session(core, link, jid, host, data.id, data.created, data.info)
  session.presence = presence
  session.presenceMs = data.presenceMs
  session.priority = data.priority
  session.received = data.received
  session.delivered = data.delivered
  const fault = decodeSlots(core.slots, data.slots, session.slots)
  if (fault !== undefined) return fault
  if (data.ledger !== null) {
    const policy = core.localHost(host.domain)?.type.services.find('acknowledgements')?.policy
    if (policy === undefined) return new SessionFault('RTK_SESSION_LEDGER', 'nobody counts stanzas here')
    session.keepLedger(Ledger.decode(data.ledger, core.ledgers, policy))
  }
  return session
}

function encodeSlots(registry: SlotRegistry, values: SlotValues): SessionData['slots'] | SessionFault {
  const slots: Record<string, Json> = {}
  for (const slot of registry.all) {
    const value = slot.kept === undefined ? undefined : values.peek(slot)
    if (value === undefined) continue
    try {
      slots[slot.name] = slot.kept?.encode(value) ?? null
    } catch (cause) {
      return new SessionFault('RTK_SESSION_SLOT_DATA', `the slot ${slot.name} cannot be encoded`, cause)
    }
  }
  return slots
}

function decodeSlots(registry: SlotRegistry, data: SessionData['slots'], into: SlotValues): SessionFault | undefined {
  for (const [name, json] of Object.entries(data)) {
    const slot = registry.all.find((one) => one.name === name)
    if (slot?.kept === undefined) return new SessionFault('RTK_SESSION_SLOT_UNKNOWN', `no kept slot ${name} here`)
    let value: unknown
    try {
      value = slot.kept.decode(json)
    } catch (cause) {
      return new SessionFault('RTK_SESSION_SLOT_DATA', `the slot ${name} cannot be decoded`, cause)
    }
    if (value === undefined) return new SessionFault('RTK_SESSION_SLOT_DATA', `the slot ${name} cannot read its data`)
    into.set(slot, value)
  }
  return undefined
}

function readPresence(text: string): Element | undefined | SessionFault {
  if (text === '') return undefined
  try {
    const el = parseElement(text)
    if (el.name === 'presence' && presencePriority(el) !== undefined) return el
    return malformed('its presence is none')
  } catch (error) {
    if (error instanceof XmlError) return malformed('its presence is no XML', error)
    throw error
  }
}

function malformed(text: string, cause?: unknown): SessionFault {
  return new SessionFault('RTK_SESSION_DATA', text, cause)
}

type Fields = Readonly<Record<string, unknown>>

const texts = ['id', 'jid', 'host', 'presence']
const numbers = ['created', 'presenceMs', 'priority', 'received', 'delivered']
const infoTexts = ['address', 'transport', 'tls', 'auth', 'listener']

function isSessionData(data: Fields): data is Fields & SessionData {
  const info = data['info']
  return (
    areOf('string', data, texts) &&
    areOf('number', data, numbers) &&
    isRecord(info) &&
    areOf('string', info, infoTexts) &&
    areOf('number', info, ['port']) &&
    ['agent', 'resumedFrom'].every((name) => info[name] === undefined || typeof info[name] === 'string') &&
    isLedger(data['ledger']) &&
    isRecord(data['slots'])
  )
}

function isLedger(data: unknown): boolean {
  if (data === null) return true
  return (
    isRecord(data) &&
    areOf('string', data, ['id']) &&
    areOf('number', data, ['resume', 'handled', 'sent']) &&
    isListOf('string', data['kept']) &&
    isListOf('number', data['times'])
  )
}

function isListOf(type: 'string' | 'number', data: unknown): boolean {
  return Array.isArray(data) && data.every((one) => typeof one === type)
}

function areOf(type: 'string' | 'number', data: Fields, names: readonly string[]): boolean {
  return names.every((name) => typeof data[name] === type)
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
