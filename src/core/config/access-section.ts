/**
 * The section `access`: named rules.
 *
 *     access:
 *       admins: [{ allow: { user: [odin@example.org] } }]
 *       c2s:
 *         - deny: { address: [203.0.113.0/24] }
 *         - allow: all
 *       sessions:
 *         - { value: 100, if: admins }
 *         - { value: 10 }
 *
 * A matcher is the name of another rule, 'anonymous', 'unix', or a map of `user`, `host`, `domain`, `address`, `rule`,
 * of which all must match; a list matches when one of its members does.
 */
import { AccessRule, builtInRules, domainGlob, type Matcher } from '../access.ts'
import { type Network, parseNetwork } from '../network.ts'
import { entryOf, type Input, type InputEntry, type MapInput, showInput } from './input.ts'
import { type Report, suggest } from './mistake.ts'
import { domainOf, jid, readDomain } from './opt-scalar.ts'
import type { Reading, ValueRuleInput } from './option.ts'

/** Every rule that can be referred to, the built-in ones included. */
export interface AccessSection {
  readonly rules: Map<string, AccessRule>
  readonly valueRules: Map<string, ValueRuleInput>
}

export const words = ['anonymous', 'unix']
export const fixedRules = [...builtInRules.keys()].filter((name) => name !== 'admins')
const matcherKeys = ['user', 'host', 'domain', 'address', 'rule', 'anonymous']
const bareJid = jid({ bare: true, description: 'A user.' })
const always: Matcher = { kind: 'all' }

export function readAccess(section: MapInput, reading: Reading): AccessSection {
  const reader = new AccessReader(section, reading)
  for (const entry of section.entries) reader.read(entry)
  return reader
}

class AccessReader implements AccessSection {
  readonly rules = new Map<string, AccessRule>(builtInRules)
  readonly valueRules = new Map<string, ValueRuleInput>()
  readonly #section: MapInput
  readonly #reading: Reading
  readonly #report: Report
  /** Rules whose lines are being read: to refer to one of them is a circle. */
  readonly #open: string[] = []
  readonly #done = new Set<string>()

  constructor(section: MapInput, reading: Reading) {
    this.#section = section
    this.#reading = reading
    this.#report = reading.report
  }

  read(entry: InputEntry): void {
    const name = entry.key
    if (this.#done.has(name)) return
    this.#done.add(name)
    if (fixedRules.includes(name) || words.includes(name)) {
      const at = { place: entry.place, path: entry.value.path }
      this.#report.error(at, 'RTK_CONFIG_ACCESS', `'${name}' is built in and cannot be replaced`, 'choose another name')
      return
    }
    const lines = entry.value.kind === 'list' ? entry.value.items : [entry.value]
    const maps = lines.filter((line) => line.kind === 'map')
    const valued = maps.some((line) => entryOf(line, 'value') !== undefined)
    this.#open.push(name)
    if (valued) this.valueRules.set(name, { lines: lines.flatMap((line) => this.#valueLine(line)) })
    // After a mistake the rule is there all the same, so that references to it are no further mistakes.
    else
      this.rules.set(
        name,
        new AccessRule(
          name,
          lines.flatMap((line, i) => this.#line(line, i === lines.length - 1)),
        ),
      )
    this.#open.pop()
  }

  #line(line: Input, isLast: boolean): AccessRule['lines'] {
    if (line.kind !== 'map') return this.#bad(line, `expected '- allow: …' or '- deny: …', found ${showInput(line)}`)
    const allow = entryOf(line, 'allow')
    const deny = entryOf(line, 'deny')
    const chosen = allow ?? deny
    const extra = line.entries.find((entry) => entry !== chosen)
    if (extra !== undefined) return this.#unknown(extra, ['allow', 'deny'], 'a line has one of allow and deny')
    if (chosen === undefined)
      return this.#bad(line, `expected '- allow: …' or '- deny: …', found an empty line`, 'for example - allow: all')
    const matcher = this.#matcher(chosen.value)
    if (matcher === undefined) return []
    if (matcher.kind === 'rule' && matcher.rule.name === 'all' && !isLast) {
      const text = `'${chosen.key}: all' decides always: the lines after it are never reached`
      this.#report.warning(line, 'RTK_CONFIG_UNREACHABLE', text, 'put this line last')
    }
    return [{ allow: chosen === allow, matcher, source: this.#source(line) }]
  }

  #valueLine(line: Input): ValueRuleInput['lines'] {
    if (line.kind !== 'map') return this.#bad(line, `expected '- { value: …, if: … }', found ${showInput(line)}`)
    const value = entryOf(line, 'value')
    const condition = entryOf(line, 'if')
    const extra = line.entries.find((entry) => entry !== value && entry !== condition)
    if (extra !== undefined)
      return this.#unknown(extra, ['value', 'if'], 'a line of a rule with values has value and if')
    if (value === undefined) return this.#bad(line, `expected '- { value: …, if: … }', 'value' is missing`)
    const matcher = condition === undefined ? always : this.#matcher(condition.value)
    return matcher === undefined ? [] : [{ value: value.value, matcher, source: this.#source(line) }]
  }

  #matcher(input: Input): Matcher | undefined {
    if (input.kind === 'string') {
      if (input.value === 'anonymous') return { kind: 'anonymous' }
      if (input.value === 'unix') return { kind: 'unix' }
      return this.#reference(input)
    }
    if (input.kind === 'list') return this.#join('some', input.items, (item) => this.#matcher(item))
    if (input.kind !== 'map') {
      this.#bad(input, `expected the name of a rule or a map of ${matcherKeys.join(', ')}, found ${showInput(input)}`)
      return undefined
    }
    if (input.entries.length === 0) {
      this.#bad(input, 'an empty map matches nothing', "write 'all'")
      return undefined
    }
    return this.#join('every', input.entries, (entry) => this.#condition(entry))
  }

  #condition(entry: InputEntry): Matcher | undefined {
    const items = entry.value.kind === 'list' ? entry.value.items : [entry.value]
    switch (entry.key) {
      case 'user': {
        const jids = this.#all(items, (item) => bareJid.read(item, this.#reading)?.toString())
        return jids === undefined ? undefined : { kind: 'user', jids: new Set(jids) }
      }
      case 'host': {
        const hosts = this.#all(items, (item) => readDomain(item, this.#reading))
        return hosts === undefined ? undefined : { kind: 'host', hosts: new Set(hosts) }
      }
      case 'domain':
        return this.#domains(items)
      case 'address': {
        const networks = this.#all(items, (item) => this.#network(item))
        return networks === undefined ? undefined : { kind: 'address', networks }
      }
      case 'rule':
        return this.#join('some', items, (item) => this.#reference(item))
      case 'anonymous':
        if (entry.value.kind === 'bool' && entry.value.value) return { kind: 'anonymous' }
        this.#bad(entry.value, `expected 'anonymous: true', found ${showInput(entry.value)}`)
        return undefined
      default:
        this.#unknown(entry, matcherKeys, '')
        return undefined
    }
  }

  #domains(items: readonly Input[]): Matcher | undefined {
    const exact = new Set<string>()
    const globs: RegExp[] = []
    const good = this.#all(items, (item) => {
      if (item.kind !== 'string') return readDomain(item, this.#reading)
      if (item.value.includes('*')) {
        globs.push(domainGlob(item.value.toLowerCase()))
        return item.value
      }
      const domain = domainOf(item.value, item, this.#reading)
      if (domain !== undefined) exact.add(domain)
      return domain
    })
    return good === undefined ? undefined : { kind: 'domain', exact, globs }
  }

  #network(item: Input): Network | undefined {
    const network = item.kind === 'string' ? parseNetwork(item.value) : undefined
    if (network !== undefined) return network
    const text = `expected an address or a network, found ${showInput(item)}`
    return this.#report.error(item, 'RTK_CONFIG_ADDRESS', text, 'as in 192.0.2.0/24 or 2001:db8::/32')
  }

  #reference(input: Input): Matcher | undefined {
    if (input.kind !== 'string') {
      this.#bad(input, `expected the name of a rule, found ${showInput(input)}`)
      return undefined
    }
    const name = input.value
    if (this.#open.includes(name)) {
      const circle = [...this.#open.slice(this.#open.indexOf(name)), name].join(' → ')
      return this.#report.error(
        input,
        'RTK_CONFIG_RULE_CIRCLE',
        `the rule refers to itself: ${circle}`,
        'take out one of these references',
      )
    }
    const entry = entryOf(this.#section, name)
    if (entry !== undefined) this.read(entry)
    const rule = this.rules.get(name)
    if (rule !== undefined) return { kind: 'rule', rule }
    const text = this.valueRules.has(name)
      ? `'${name}' gives values, it does not allow or deny`
      : `there is no access rule '${name}'`
    const known = [...this.rules.keys(), ...this.#section.entries.map((other) => other.key), ...words]
    return this.#report.error(input, 'RTK_CONFIG_UNKNOWN_RULE', text, suggest(name, new Set(known)))
  }

  #join<T>(kind: 'every' | 'some', items: readonly T[], read: (item: T) => Matcher | undefined): Matcher | undefined {
    const of = this.#all(items, read)
    return of === undefined ? undefined : of.length === 1 ? of[0] : { kind, of }
  }

  /** Reads all, so that each mistake is reported; undefined when there was one. */
  #all<T, R>(items: readonly T[], read: (item: T) => R | undefined): R[] | undefined {
    const values = items.map(read)
    const good = values.filter((value) => value !== undefined)
    return good.length === items.length ? good : undefined
  }

  #bad(input: Input, text: string, hint = ''): [] {
    this.#report.error(input, 'RTK_CONFIG_ACCESS', text, hint)
    return []
  }

  #unknown(entry: InputEntry, known: readonly string[], hint: string): [] {
    const at = { place: entry.place, path: entry.value.path }
    const text = known.includes(entry.key)
      ? `'${entry.key}' cannot stand here`
      : `there is no '${entry.key}' in an access rule`
    this.#report.error(at, 'RTK_CONFIG_ACCESS', text, hint === '' ? suggest(entry.key, known) : hint)
    return []
  }

  #source(line: Input): string {
    return line.place.line === 0 ? line.path : `${line.path} (${this.#report.file}:${line.place.line})`
  }
}
