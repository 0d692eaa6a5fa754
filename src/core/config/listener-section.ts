/** The section `listeners`: acceptor, TLS and protocol are chosen apart (DESIGN.md section 10). */

import type { Place as NetPlace } from '../../world/net.types.ts'
import type { AccessRule, ValueRule } from '../access.ts'
import { type Network, parseAddress, parseNetwork } from '../network.ts'
import { entryOf, type Input, inputOf, type ListInput, type MapInput, showInput } from './input.ts'
import { type ConnectionLimits, connectionLimits, type Limits } from './limits.ts'
import { makeOption, wrongType } from './make.ts'
import { nearest, Report, suggest } from './mistake.ts'
import { opt } from './opt.ts'
import { readFields } from './opt-structure.ts'
import type { Option, OptionSchema, Reading, Shaping } from './option.ts'
import { type CertificateFiles, certificates } from './sections.ts'

/** One place to listen on. A listener with several addresses makes several of these with one name. */
export interface ListenerConfig {
  /** Unique among listeners: 'c2s', 'c2s-5223'. */
  readonly name: string
  /** 'c2s', 'http', or what a plugin brings. */
  readonly protocol: string
  readonly tls: 'direct' | 'none' | 'starttls'
  readonly place: NetPlace
  /** The machine lacks the address: a fault, nothing at all (`::1`), or listen on 0.0.0.0 instead (`::`). */
  readonly unavailable: 'fail' | 'ipv4' | 'skip'
  /** Octal mode of a Unix socket. */
  readonly mode: number
  readonly backlog: number
  /** True: each connection begins with a PROXY header, version 1 or 2, and only `proxies` may connect. */
  readonly proxy_protocol: boolean
  readonly proxies: readonly Network[]
  /** Who may connect; the subject has an address only. */
  readonly access: AccessRule
  readonly shaper: ValueRule<Shaping>
  /** Beside those of `tls`. */
  readonly certificates: readonly CertificateFiles[]
  readonly limits: ConnectionLimits
  /** Connections a second; more wait, unread. */
  readonly accept_rate: number
  /** Milliseconds of silence after which the kernel asks whether the peer is there; Infinity: never. */
  readonly tcp_keepalive: number
  /** What the protocol declares beyond this. */
  readonly options: Readonly<Record<string, unknown>>
}

export interface ListenerProtocol {
  /** In the order of preference: the first is the default. */
  readonly tls: readonly ListenerConfig['tls'][]
  /** Usual ports by kind of TLS. */
  readonly ports: Readonly<Partial<Record<ListenerConfig['tls'], number>>>
  readonly options: OptionSchema
}

export const coreProtocols: ReadonlyMap<string, ListenerProtocol> = new Map([
  ['c2s', { tls: ['starttls', 'direct', 'none'], ports: { starttls: 5222, direct: 5223, none: 5222 }, options: {} }],
  ['http', { tls: ['none', 'direct'], ports: { none: 5280, direct: 5443 }, options: {} }],
])

const network = makeOption<Network>(
  { description: 'An address or a network.' },
  {
    kind: 'string',
    expects: 'an address or a network such as 192.0.2.0/24',
    read: (input, reading) => {
      const made = input.kind === 'string' ? parseNetwork(input.value) : undefined
      if (made !== undefined) return made
      const text = `expected an address or a network such as 192.0.2.0/24, found ${showInput(input)}`
      return reading.report.error(input, 'RTK_CONFIG_ADDRESS', text, 'as in 192.0.2.0/24 or 2001:db8::/32')
    },
  },
)

/** 'localhost' is 127.0.0.1 and ::1, '*' is every address of the machine. */
const address = makeOption<string>(
  { description: "An IP address, 'localhost', or '*' for all." },
  {
    kind: 'string',
    expects: "an IP address, 'localhost' or '*'",
    read: (input, reading) => {
      if (input.kind !== 'string') return wrongType(input, reading, "an IP address, 'localhost' or '*'")
      if (input.value === 'localhost' || input.value === '*') return input.value
      if (parseAddress(input.value) !== undefined) return input.value
      const text = `'${input.value}' is no IP address`
      return reading.report.error(input, 'RTK_CONFIG_ADDRESS', text, "write an IP address, 'localhost', or '*' for all")
    },
  },
)

export const addresses = (fallback: readonly string[]): Option<readonly string[]> =>
  opt.list(address, {
    default: fallback,
    minItems: 1,
    description: "Where to listen: IP addresses, 'localhost', or '*' for all.",
  })

const fileMode = makeOption<number>(
  { default: '0660', description: 'Mode of the file of a Unix socket.' },
  {
    kind: 'string',
    expects: "an octal mode such as '0660'",
    read: (input, reading) => {
      const text = input.kind === 'string' ? input.value : input.kind === 'number' ? String(input.value) : ''
      if (/^0?o?[0-7]{3}$/.test(text)) return Number.parseInt(text.slice(-3), 8)
      return wrongType(input, reading, "an octal mode such as '0660'")
    },
  },
)

const limitOverrides = Object.fromEntries(
  Object.entries(connectionLimits).map(([name, option]) => [name, opt.optional(option as Option<unknown>)]),
)

/** Required; a listener without one is told what there is. */
function protocolName(protocols: ReadonlyMap<string, ListenerProtocol>): Option<string> {
  const expects = [...protocols.keys()].join(' or ')
  return makeOption<string>(
    { description: 'c2s or http.' },
    {
      kind: 'string',
      expects,
      read: (input, reading) => (input.kind === 'string' ? input.value : wrongType(input, reading, expects)),
    },
  )
}

function baseOptions(bind: readonly string[], protocols: ReadonlyMap<string, ListenerProtocol>) {
  return {
    name: opt.optional(opt.string({ minLength: 1, maxLength: 64, description: 'For logs and figures.' })),
    protocol: protocolName(protocols),
    tls: opt.optional(
      opt.oneOf(['starttls', 'direct', 'none'], {
        description: 'TLS asked for in the stream, from the first byte, or none.',
      }),
    ),
    address: addresses(bind),
    port: opt.optional(
      opt.int({
        min: 0,
        max: 65_535,
        description: 'TCP port; 0 takes a free one. Left out: the usual one of the protocol.',
      }),
    ),
    path: opt.optional(opt.path({ description: 'A Unix socket in place of address and port.' })),
    mode: fileMode,
    backlog: opt.int({
      default: 4096,
      min: 1,
      max: 65_535,
      description:
        'Connections that may wait in the kernel, which resets some of those beyond; it takes no more than it says itself (net.core.somaxconn).',
    }),
    proxy_protocol: opt.bool({ default: false, description: 'Connections come from a balancer with PROXY headers.' }),
    proxies: opt.list(network, {
      default: ['127.0.0.0/8', '::1'],
      description: 'Balancers whose PROXY headers count.',
    }),
    access: opt.access({
      default: 'all',
      description: 'Who may connect, by address; with c2s also who may sign in here, by user.',
    }),
    shaper: opt.ruled(opt.shaper({ description: 'A shaper.' }), {
      default: 'none',
      description: 'For c2s: shaper of each connection, or a rule that chooses one.',
    }),
    certificates,
    limits: opt.object(limitOverrides, { description: 'Limits that are other here.' }),
    accept_rate: opt.frequency({
      default: '2000/s',
      min: '1/s',
      unlimited: true,
      description: 'Connections a second; more wait, unread.',
    }),
    tcp_keepalive: opt.duration({
      default: '2 minutes',
      min: '10 seconds',
      max: '2 hours',
      unlimited: true,
      description:
        'Silence after which the kernel asks a client whether it is there; one that answers none of 8 questions in as long again, or 2 minutes, is gone.',
    }),
  }
}

/** For tables in the guide. */
export const listenerOptions = baseOptions(['localhost'], coreProtocols)

/** When the section is left out. Loopback: the certificates of the local authority mean nothing to others anyway. */
export function defaultListeners(): Input {
  return inputOf(
    [
      { protocol: 'c2s', tls: 'starttls' },
      { protocol: 'c2s', tls: 'direct' },
      { protocol: 'http', tls: 'none', address: 'localhost' },
    ],
    'listeners',
  )
}

interface Seen {
  /** Places by port or path. */
  readonly places: Map<string, readonly { readonly host: string; readonly item: Input }[]>
  readonly names: Map<string, Input>
}

export function readListeners(
  section: Input,
  bind: readonly string[],
  limits: Limits | undefined,
  protocols: ReadonlyMap<string, ListenerProtocol>,
  reading: Reading,
): readonly ListenerConfig[] {
  const base = baseOptions(bind, protocols)
  const list: ListInput = section.kind === 'list' ? section : { ...section, kind: 'list', items: [section] }
  const seen: Seen = { places: new Map(), names: new Map() }
  return list.items.flatMap((item) => {
    if (item.kind !== 'map') return wrongType(item, reading, "a listener such as '- protocol: c2s'") ?? []
    return readListener(item, base, limits, protocols, seen, reading)
  })
}

function readListener(
  item: MapInput,
  base: ReturnType<typeof baseOptions>,
  limits: Limits | undefined,
  protocols: ReadonlyMap<string, ListenerProtocol>,
  seen: Seen,
  reading: Reading,
): readonly ListenerConfig[] {
  const named = entryOf(item, 'protocol')?.value
  const protocol = protocolOf(named, protocols, reading)
  const options = readFields(
    { ...protocol?.options, ...base },
    protocol === undefined ? common(item, base) : item,
    reading,
  )
  // The place is checked whatever else is wrong, so that a duplicate is found in the same run.
  const tls = tlsOf(item, protocol, reading)
  const places = placesOf(item, base, protocol, tls, reading)
  noteDuplicates(item, places, seen, reading)
  noteUnshaped(item, named, reading)
  if (options === undefined || protocol === undefined || limits === undefined || named?.kind !== 'string') return []
  if (places === undefined || tls === undefined) return []
  const port = places[0]?.place.kind === 'tcp' ? places[0].place.port : undefined
  const usual = port !== undefined && port !== protocol.ports[protocol.tls[0] ?? 'none'] ? `-${port}` : ''
  const name = options.name ?? freeName(`${options.protocol}${usual}`, seen.names)
  noteName(name, item, seen, reading)
  const { name: _name, address: _address, port: _port, path: _path, limits: own, tls: _tls, ...shared } = options
  const extra = Object.fromEntries(
    Object.keys(protocol.options).map((key) => [key, (options as Record<string, unknown>)[key]]),
  )
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined))
  const all: ConnectionLimits = Object.freeze({ ...connectionLimitsOf(limits), ...given })
  return places.map(({ place, unavailable }) =>
    Object.freeze({ ...shared, name, tls, place, unavailable, limits: all, options: Object.freeze(extra) }),
  )
}

/** A shaper charges stanzas, so it is for what carries them; elsewhere it would be taken and do nothing. */
function noteUnshaped(item: MapInput, named: Input | undefined, reading: Reading): void {
  const entry = entryOf(item, 'shaper')
  if (entry === undefined || named?.kind !== 'string' || named.value === 'c2s') return
  const at = { place: entry.place, path: entry.value.path }
  reading.report.error(
    at,
    'RTK_CONFIG_LISTENER',
    `a listener of '${named.value}' is not shaped`,
    'only those of c2s are',
  )
}

/** Without what is like none of the options of all: it may be an option of the protocol that nobody knows. */
function common(item: MapInput, base: OptionSchema): MapInput {
  const names = Object.keys(base)
  return { ...item, entries: item.entries.filter(({ key }) => nearest(key, names) !== undefined) }
}

function connectionLimitsOf(limits: Limits): ConnectionLimits {
  const entries = Object.keys(connectionLimits).map((name) => [name, limits[name as keyof ConnectionLimits]])
  return Object.fromEntries(entries) as ConnectionLimits
}

function protocolOf(
  named: Input | undefined,
  protocols: ReadonlyMap<string, ListenerProtocol>,
  reading: Reading,
): ListenerProtocol | undefined {
  if (named?.kind !== 'string') return undefined
  const protocol = protocols.get(named.value)
  if (protocol !== undefined) return protocol
  const hint =
    named.value === 'control' ? "the control socket is the section 'control'" : suggest(named.value, protocols.keys())
  return reading.report.error(named, 'RTK_CONFIG_UNKNOWN_PROTOCOL', `there is no protocol '${named.value}'`, hint)
}

function tlsOf(
  item: MapInput,
  protocol: ListenerProtocol | undefined,
  reading: Reading,
): ListenerConfig['tls'] | undefined {
  const given = entryOf(item, 'tls')?.value
  if (given === undefined) return protocol?.tls[0]
  if (given.kind !== 'string' || !['starttls', 'direct', 'none'].includes(given.value)) return undefined
  const tls = given.value as ListenerConfig['tls']
  if (protocol === undefined || protocol.tls.includes(tls)) return tls
  const text = `this protocol cannot be had with tls: ${tls}`
  return reading.report.error(given, 'RTK_CONFIG_TLS', text, `known: ${protocol.tls.join(', ')}`)
}

interface PlaceEntry {
  readonly place: NetPlace
  readonly unavailable: ListenerConfig['unavailable']
}

/** Undefined after a mistake; the fields themselves were checked by the schema, so nothing is reported twice. */
function placesOf(
  item: MapInput,
  base: ReturnType<typeof baseOptions>,
  protocol: ListenerProtocol | undefined,
  tls: ListenerConfig['tls'] | undefined,
  reading: Reading,
): readonly PlaceEntry[] | undefined {
  const path = entryOf(item, 'path')
  const port = entryOf(item, 'port')
  if (path !== undefined) {
    const other = port ?? entryOf(item, 'address')
    if (other !== undefined) {
      const at = { place: other.place, path: other.value.path }
      return reading.report.error(
        at,
        'RTK_CONFIG_LISTENER',
        `a listener with 'path' has no '${other.key}'`,
        'write two listeners',
      )
    }
    const value = path.value
    return value.kind === 'string' ? [{ place: { kind: 'unix', path: value.value }, unavailable: 'fail' }] : undefined
  }
  const number =
    port === undefined
      ? usualPort(item, protocol, tls, reading)
      : port.value.kind === 'number'
        ? port.value.value
        : undefined
  // A quiet reading: mistakes in the addresses were reported with the other options.
  const quiet: Reading = { ...reading, report: new Report('') }
  const given = entryOf(item, 'address')?.value
  const hosts = given === undefined ? base.address.absent(item, 'address', quiet) : base.address.read(given, quiet)
  if (number === undefined || hosts === undefined) return undefined
  return hosts.flatMap((host) => tcpPlaces(host, number))
}

function usualPort(
  item: MapInput,
  protocol: ListenerProtocol | undefined,
  tls: ListenerConfig['tls'] | undefined,
  reading: Reading,
): number | undefined {
  if (protocol === undefined || tls === undefined) return undefined
  const usual = protocol.ports[tls]
  if (usual !== undefined) return usual
  return reading.report.error(item, 'RTK_CONFIG_MISSING', "'port' is missing", "or 'path' for a Unix socket")
}

function tcpPlaces(host: string, port: number): readonly PlaceEntry[] {
  const at = (address: string, unavailable: ListenerConfig['unavailable']): PlaceEntry => ({
    place: { kind: 'tcp', host: address, port },
    unavailable,
  })
  if (host === 'localhost') return [at('127.0.0.1', 'fail'), at('::1', 'skip')]
  if (host === '*') return [at('::', 'ipv4')]
  return [at(host, 'fail')]
}

function noteDuplicates(item: MapInput, places: readonly PlaceEntry[] | undefined, seen: Seen, reading: Reading): void {
  const reported = new Set<Input>()
  for (const { place } of places ?? []) {
    if (place.kind === 'tcp' && place.port === 0) continue
    const host = place.kind === 'tcp' ? canonicalHost(place.host) : ''
    const key = place.kind === 'tcp' ? `:${place.port}` : place.path
    const others = seen.places.get(key) ?? []
    const clash = others.find((other) => other.host === host || other.host === '*' || host === '*')
    seen.places.set(key, [...others, { host, item }])
    if (clash === undefined || clash.item === item || reported.has(clash.item)) continue
    reported.add(clash.item)
    const shown = place.kind === 'tcp' ? `${place.host}, port ${place.port}` : place.path
    const text = `another listener has ${shown} already`
    const hint = clash.item.place.line === 0 ? '' : `in line ${clash.item.place.line}`
    reading.report.error(item, 'RTK_CONFIG_DUPLICATE_LISTENER', text, hint)
  }
}

/** One text an address; '*' for the two that stand for all. */
function canonicalHost(host: string): string {
  const bytes = parseAddress(host) ?? []
  return bytes.every((byte) => byte === 0) ? '*' : bytes.join('.')
}

function freeName(wanted: string, names: ReadonlyMap<string, Input>): string {
  let name = wanted
  for (let i = 2; names.has(name); i++) name = `${wanted}-${i}`
  return name
}

function noteName(name: string, item: MapInput, seen: Seen, reading: Reading): void {
  const first = seen.names.get(name)
  if (first === undefined) {
    seen.names.set(name, item)
    return
  }
  const hint = first.place.line === 0 ? '' : `in line ${first.place.line}`
  reading.report.error(item, 'RTK_CONFIG_DUPLICATE_LISTENER', `another listener has the name '${name}' already`, hint)
}
