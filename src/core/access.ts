/**
 * Access rules: named lists of lines, of which the first that matches decides. Compiled once from the configuration;
 * a check allocates nothing, and can say which line decided.
 */
import type { Jid } from '../jid/jid.ts'
import { inNetwork, type Network, parseAddress } from './network.ts'

/** Who asks. What is unknown (before sign-in there is no JID) is left out, and no line that asks for it matches. */
export interface Subject {
  readonly jid?: Jid
  /** The virtual host that is asked. */
  readonly host?: string
  /** IP address as text; '' for a Unix socket. */
  readonly address?: string
  /** Signed in by SASL ANONYMOUS. */
  readonly anonymous?: boolean
}

export type Matcher =
  | { readonly kind: 'all' }
  | { readonly kind: 'anonymous' }
  /** Bare JIDs as text. */
  | { readonly kind: 'user'; readonly jids: ReadonlySet<string> }
  /** The host that is asked. */
  | { readonly kind: 'host'; readonly hosts: ReadonlySet<string> }
  /** The domain of the subject's JID; exact or with wildcards. */
  | { readonly kind: 'domain'; readonly globs: readonly RegExp[]; readonly exact: ReadonlySet<string> }
  | { readonly kind: 'address'; readonly networks: readonly Network[] }
  | { readonly kind: 'unix' }
  | { readonly kind: 'rule'; readonly rule: AccessRule }
  | { readonly kind: 'every'; readonly of: readonly Matcher[] }
  | { readonly kind: 'some'; readonly of: readonly Matcher[] }

export interface AccessLine {
  readonly allow: boolean
  readonly matcher: Matcher
  /** Where it was written, as in `access.admins[0] (ratatosk.yaml:12)`. */
  readonly source: string
}

export interface ValueLine<T> {
  readonly value: T
  readonly matcher: Matcher
  readonly source: string
}

export interface Decision {
  readonly allowed: boolean
  /** The line that decided, or that none matched. */
  readonly because: string
}

/** `*` in a domain stands for one or more characters, dots included: `*.example.org`. */
export function domainGlob(pattern: string): RegExp {
  const parts = pattern.split(/\*+/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.+')}$`, 'u')
}

export function matches(matcher: Matcher, subject: Subject): boolean {
  switch (matcher.kind) {
    case 'all':
      return true
    case 'anonymous':
      return subject.anonymous === true
    case 'user':
      return subject.jid !== undefined && subject.anonymous !== true && matcher.jids.has(subject.jid.bare.toString())
    case 'host':
      return subject.host !== undefined && matcher.hosts.has(subject.host)
    case 'domain': {
      const domain = subject.jid?.domain
      return domain !== undefined && (matcher.exact.has(domain) || matcher.globs.some((glob) => glob.test(domain)))
    }
    case 'address':
      return matchesAddress(matcher.networks, subject.address)
    case 'unix':
      return subject.address === ''
    case 'rule':
      return matcher.rule.allows(subject)
    case 'every':
      return matcher.of.every((part) => matches(part, subject))
    case 'some':
      return matcher.of.some((part) => matches(part, subject))
  }
}

/** What a matcher will say when it is known who asks: `maybe` as long as that decides. */
type Prospect = 'yes' | 'no' | 'maybe'

/** As `matches`, of somebody who has not signed in: of him only the address is known. */
function prospect(matcher: Matcher, address: string): Prospect {
  switch (matcher.kind) {
    case 'all':
      return 'yes'
    case 'anonymous':
    case 'user':
    case 'host':
    case 'domain':
      return 'maybe'
    case 'address':
      return matchesAddress(matcher.networks, address) ? 'yes' : 'no'
    case 'unix':
      return address === '' ? 'yes' : 'no'
    case 'rule':
      return prospectOf(matcher.rule, address)
    case 'every': {
      const parts = matcher.of.map((part) => prospect(part, address))
      return parts.includes('no') ? 'no' : parts.includes('maybe') ? 'maybe' : 'yes'
    }
    case 'some': {
      const parts = matcher.of.map((part) => prospect(part, address))
      return parts.includes('yes') ? 'yes' : parts.includes('maybe') ? 'maybe' : 'no'
    }
  }
}

/** Whether a rule will allow somebody from this address who has not signed in yet; `maybe` when that depends on who he is. */
export function prospectOf(rule: AccessRule, address: string): Prospect {
  let found: Prospect | undefined
  for (const line of rule.lines) {
    const matching = prospect(line.matcher, address)
    if (matching === 'no') continue
    const says = line.allow ? 'yes' : 'no'
    if (found !== undefined && found !== says) return 'maybe'
    found = says
    if (matching === 'yes') return found
  }
  return found === 'yes' ? 'maybe' : 'no'
}

function matchesAddress(networks: readonly Network[], text: string | undefined): boolean {
  if (text === undefined || text === '') return false
  const address = parseAddress(text)
  return address !== undefined && networks.some((network) => inNetwork(address, network))
}

/** A rule that allows or denies. When no line matches, it denies. */
export class AccessRule {
  readonly name: string
  readonly lines: readonly AccessLine[]

  constructor(name: string, lines: readonly AccessLine[]) {
    this.name = name
    this.lines = lines
  }

  allows(subject: Subject): boolean {
    for (const line of this.lines) if (matches(line.matcher, subject)) return line.allow
    return false
  }

  /** The same with the line that decided, for refusals, `explain` and tests. */
  check(subject: Subject): Decision {
    for (const line of this.lines) {
      if (matches(line.matcher, subject)) return { allowed: line.allow, because: line.source }
    }
    return { allowed: false, because: `no line of '${this.name}' matches` }
  }
}

/** A rule that gives a value, such as the number of sessions somebody may have. */
export class ValueRule<T> {
  readonly name: string
  readonly lines: readonly ValueLine<T>[]
  /** When no line matches. */
  readonly otherwise: T

  constructor(name: string, lines: readonly ValueLine<T>[], otherwise: T) {
    this.name = name
    this.lines = lines
    this.otherwise = otherwise
  }

  valueFor(subject: Subject): T {
    for (const line of this.lines) if (matches(line.matcher, subject)) return line.value
    return this.otherwise
  }

  explain(subject: Subject): { readonly value: T; readonly because: string } {
    for (const line of this.lines) {
      if (matches(line.matcher, subject)) return { value: line.value, because: line.source }
    }
    return { value: this.otherwise, because: this.lines.length === 0 ? this.name : `no line of '${this.name}' matches` }
  }
}

const fixed = (name: string, allow: boolean) =>
  new AccessRule(name, [{ allow, matcher: { kind: 'all' }, source: `the built-in rule '${name}'` }])

/** Rules that need not be written. A configuration may replace `admins`, not the others. */
export const builtInRules: ReadonlyMap<string, AccessRule> = new Map(
  [
    fixed('all', true),
    fixed('none', false),
    fixed('admins', false),
    new AccessRule('loopback', [
      {
        allow: true,
        matcher: {
          kind: 'some',
          of: [
            { kind: 'unix' },
            {
              kind: 'address',
              networks: [
                { bytes: [127, 0, 0, 0], bits: 8 },
                { bytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], bits: 128 },
              ],
            },
          ],
        },
        source: "the built-in rule 'loopback'",
      },
    ]),
  ].map((rule) => [rule.name, rule]),
)
