/**
 * A configuration's text or value to a checked `Config`, or to all its mistakes at once. Reads no file but what it is
 * given: `files.ts` looks at the files that it names.
 */
import type { WorldError } from '../../world/error.ts'
import { readAccess } from './access-section.ts'
import type { Config, HostConfig, HostTypeConfig } from './config.types.ts'
import { emptyMap, entryOf, type Input, type InputEntry, inputOf, type MapInput } from './input.ts'
import { checkJwt } from './jwt-section.ts'
import { addresses, coreProtocols, defaultListeners, type ListenerProtocol, readListeners } from './listener-section.ts'
import { plainReading, wrongType } from './make.ts'
import { type Mistake, Report, suggest, unique } from './mistake.ts'
import { readModules } from './module-section.ts'
import { opt } from './opt.ts'
import { domainOf } from './opt-scalar.ts'
import { asMap, object, readFields } from './opt-structure.ts'
import type { OptionSchema, Reading, SecretRead, Shaping } from './option.ts'
import { authOptions, plainSections, sessionOptions, shaperOptions } from './sections.ts'
import { checkStore } from './store-section.ts'
import { parseYaml, parseYamlInTurns, sectionsOf } from './yaml.ts'

export interface CheckOptions {
  /** Options of every module that can be named, plugins' included. */
  readonly modules: ReadonlyMap<string, OptionSchema>
  /** Modules that every host type has unless it says `NAME: false`. */
  readonly defaultModules: readonly string[]
  /** Protocols of listeners beyond c2s and http. */
  readonly protocols?: ReadonlyMap<string, ModuleProtocol>
  /** Plugins that could not be loaded, with the reason: mistakes. Names that may be theirs are none then. */
  readonly failedPlugins?: ReadonlyMap<string, Pick<WorldError, 'code' | 'message'>>
}

export interface ModuleProtocol extends ListenerProtocol {
  /** The module that speaks it; where no host loads that one, a listener with the protocol is a mistake. */
  readonly module?: string
}

export interface Checked {
  /** Undefined when a mistake is an error. */
  readonly config: Config | undefined
  /** In the order of the file; warnings too. */
  readonly mistakes: readonly Mistake[]
  /** Secrets that were read; those in files of their own are to be filled in. */
  readonly secrets: readonly SecretRead[]
  /** The input, for checks that need places. */
  readonly document: ConfigDocument
}

/** A configuration that was parsed but not checked yet: plugins are loaded in between. */
export interface ConfigDocument {
  readonly input: MapInput
  readonly report: Report
  readonly brokenFrom: number
  /** What `plugins` names, as far as it can be read. */
  readonly plugins: readonly string[]
}

const sectionNames = [
  ...Object.keys(plainSections),
  'access',
  'auth',
  'bind',
  'host_types',
  'hosts',
  'listeners',
  'modules',
  'session',
  'shapers',
]

const hostTypeKeys = ['modules', 'auth', 'session']

/** Parses YAML. `file` is only a name for mistakes. */
export function parseConfigText(text: string, file: string): ConfigDocument {
  const { input, report, brokenFrom } = parseYaml(text, file)
  return documentOf(input, report, brokenFrom)
}

/** The same with pauses, for a server that runs meanwhile. */
export async function parseConfigTextInTurns(
  text: string,
  file: string,
  pause: () => Promise<void>,
): Promise<ConfigDocument> {
  const { input, report, brokenFrom } = await parseYamlInTurns(text, file, pause)
  return documentOf(input, report, brokenFrom)
}

/** A configuration as a JavaScript value, for embedded servers. `{}` is the configuration with nothing but defaults. */
export function parseConfigValue(value: unknown): ConfigDocument {
  return documentOf(inputOf(value), new Report(''), Number.POSITIVE_INFINITY)
}

function documentOf(whole: Input, report: Report, brokenFrom: number): ConfigDocument {
  const input = sectionsOf(whole, report, sectionNames)
  const entry = entryOf(input, 'plugins')
  const plugins = entry === undefined ? [] : plainSections.plugins.read(entry.value, plainReading())
  return { input, report, brokenFrom, plugins: plugins ?? [] }
}

/** Checks a text as a whole. */
export function checkConfig(text: string, file: string, options: CheckOptions): Checked {
  return checkDocument(parseConfigText(text, file), options)
}

export function checkDocument(document: ConfigDocument, options: CheckOptions): Checked {
  const report = new Report(document.report.file)
  const checker = new Checker(document.input, report, options)
  const config = checker.config()
  const isTheirs = ({ code }: Mistake) => code === 'RTK_CONFIG_UNKNOWN_MODULE' || code === 'RTK_CONFIG_UNKNOWN_PROTOCOL'
  const hasAll = (options.failedPlugins?.size ?? 0) === 0
  const found = report.mistakes.filter(
    (mistake) => isReliable(mistake, document.brokenFrom) && (hasAll || !isTheirs(mistake)),
  )
  const all = new Report(report.file)
  all.mistakes.push(...unique([...document.report.mistakes, ...found]))
  return {
    config: all.hasErrors ? undefined : config,
    mistakes: all.sorted(),
    secrets: checker.reading.secrets,
    document,
  }
}

/** Behind a syntax error things are missing that are in the file: only what was read surely before it is told. */
function isReliable(mistake: Mistake, brokenFrom: number): boolean {
  if (brokenFrom === Number.POSITIVE_INFINITY) return true
  if (mistake.code === 'RTK_CONFIG_MISSING' || mistake.code.startsWith('RTK_CONFIG_UNKNOWN_')) {
    return mistake.code === 'RTK_CONFIG_UNKNOWN_KEY' && mistake.line < brokenFrom
  }
  return mistake.line > 0 && mistake.line < brokenFrom
}

class Checker {
  readonly reading: Reading
  readonly #root: MapInput
  readonly #report: Report
  readonly #options: CheckOptions

  constructor(root: MapInput, report: Report, options: CheckOptions) {
    this.#root = root
    this.#report = report
    this.#options = options
    const plain = plainReading(report)
    const { rules, valueRules } = readAccess(this.#section('access'), plain)
    const names = { ...plain.names, rules, valueRules }
    const shapers = this.#shapers({ ...plain, names })
    this.reading = { report, secrets: [], names: { ...names, shapers } }
  }

  config(): Config | undefined {
    const root = this.#root
    this.#unknownSections()
    this.#missingPlugins()
    const plainInput = { ...root, entries: root.entries.filter((entry) => Object.hasOwn(plainSections, entry.key)) }
    const plain = readFields(plainSections, plainInput, this.reading)
    if (plain !== undefined) checkStore(root, plain.store.engine, this.#report)
    const limits = plain?.limits ?? this.#limits()
    const hostTypes = this.#hostTypes()
    const hosts = this.#hosts(hostTypes)
    const bindInput = entryOf(root, 'bind')?.value
    const bindOption = addresses(['localhost'])
    const bind = bindInput === undefined ? ['localhost'] : bindOption.read(bindInput, this.reading)
    const listening = entryOf(root, 'listeners')?.value ?? defaultListeners()
    this.#spoken(listening, new Set([...hosts.values()].map((host) => host.type)))
    const listeners = readListeners(
      listening,
      bind ?? ['localhost'],
      limits,
      new Map([...coreProtocols, ...(this.#options.protocols ?? [])]),
      this.reading,
    )
    if (plain === undefined || limits === undefined) return undefined
    return Object.freeze({
      ...plain,
      file: this.#report.file,
      hosts,
      host_types: hostTypes,
      listeners,
      limits,
      shapers: this.reading.names.shapers,
      access: this.reading.names.rules,
    })
  }

  /** Of a file whose other sections have mistakes: the listeners are checked all the same. */
  #limits() {
    const quiet = plainReading()
    return plainSections.limits.absent(this.#root, 'limits', quiet)
  }

  #section(name: string): MapInput {
    const value = entryOf(this.#root, name)?.value
    if (value === undefined) return emptyMap(name)
    const map = asMap(value)
    if (map !== undefined) return map
    wrongType(value, plainReading(this.#report), 'a map of names')
    return emptyMap(name, value.place)
  }

  #unknownSections(): void {
    for (const entry of this.#root.entries) {
      if (sectionNames.includes(entry.key)) continue
      const at = { place: entry.place, path: entry.key }
      this.#report.error(
        at,
        'RTK_CONFIG_UNKNOWN_KEY',
        `there is no section '${entry.key}'`,
        suggest(entry.key, sectionNames),
      )
    }
  }

  #missingPlugins(): void {
    const names = entryOf(this.#root, 'plugins')?.value
    for (const item of names?.kind === 'list' ? names.items : names === undefined ? [] : [names]) {
      const failure = item.kind === 'string' ? this.#options.failedPlugins?.get(item.value) : undefined
      if (item.kind !== 'string' || failure === undefined) continue
      const isMissing = failure.code === 'RTK_PLUGIN_NOT_FOUND'
      const isFile = /^[./]/.test(item.value)
      const hint = isFile
        ? 'a relative name is taken from the folder of this file'
        : 'is it installed beside this file?'
      this.#report.error(item, 'RTK_CONFIG_PLUGIN', failure.message, isMissing ? hint : 'mend it, or take it out')
    }
  }

  #shapers(reading: Reading): ReadonlyMap<string, Shaping> {
    const shapers = new Map<string, Shaping>()
    const option = object(shaperOptions, { description: 'A shaper.' })
    for (const entry of this.#section('shapers').entries) {
      const at = { place: entry.place, path: entry.value.path }
      if (entry.key === 'none')
        this.#report.error(at, 'RTK_CONFIG_VALUE', "the shaper 'none' is built in", 'choose another name')
      if (reading.names.valueRules.has(entry.key)) {
        this.#report.error(at, 'RTK_CONFIG_VALUE', `'${entry.key}' is an access rule too`, 'choose another name')
      }
      const made = option.read(entry.value, reading)
      // After a mistake the name is known all the same, so that references to it are no further mistakes.
      const { rate, burst } = made ?? { rate: Number.POSITIVE_INFINITY, burst: Number.POSITIVE_INFINITY }
      shapers.set(entry.key, Object.freeze({ name: entry.key, rate, burst }))
    }
    return shapers
  }

  #hostTypes(): ReadonlyMap<string, HostTypeConfig> {
    const types = new Map<string, HostTypeConfig>()
    const section = this.#section('host_types')
    const names = new Set(['default', ...section.entries.map((entry) => entry.key)])
    for (const name of names) {
      const given = entryOf(section, name)?.value
      const own =
        given === undefined ? emptyMap(`host_types.${name}`) : (asMap(given) ?? wrongType(given, this.reading, 'a map'))
      if (own === undefined) continue
      for (const entry of own.entries) {
        if (hostTypeKeys.includes(entry.key)) continue
        const at = { place: entry.place, path: entry.value.path }
        const text = `there is no '${entry.key}' in a host type`
        this.#report.error(at, 'RTK_CONFIG_UNKNOWN_KEY', text, suggest(entry.key, hostTypeKeys))
      }
      const modules = readModules(this.#section('modules'), this.#part(own, 'modules'), this.#options, this.reading)
      const authInput = merge(this.#section('auth'), this.#part(own, 'auth'))
      const auth = readFields(authOptions, authInput, this.reading)
      if (auth !== undefined) checkJwt(authInput, auth.backends, this.#report)
      const session = readFields(
        sessionOptions,
        merge(this.#section('session'), this.#part(own, 'session')),
        this.reading,
      )
      if (auth === undefined || session === undefined) continue
      types.set(name, Object.freeze({ name, modules, auth, session }))
    }
    return types
  }

  /** A protocol is spoken while a host has its module: one whose module is left out everywhere is for nobody. */
  #spoken(listeners: Input, types: ReadonlySet<string>): void {
    for (const item of listeners.kind === 'list' ? listeners.items : [listeners]) {
      const named = item.kind === 'map' ? entryOf(item, 'protocol')?.value : undefined
      const module = named?.kind === 'string' ? this.#options.protocols?.get(named.value)?.module : undefined
      if (named?.kind !== 'string' || module === undefined) continue
      const reasons = [...types].map((type) => this.#leftOut(module, type))
      const [reason] = reasons
      if (reason === undefined || reasons.includes(undefined)) continue
      const text = `nobody speaks the protocol '${named.value}': no host loads the module '${module}'`
      const where = reason.place.line === 0 ? '' : ` in line ${reason.place.line}`
      const hint = `take out '${module}: false'${where}, or this listener`
      this.#report.error(named, 'RTK_CONFIG_PROTOCOL', text, hint)
    }
  }

  /** The `NAME: false` that keeps a module out of a host type. */
  #leftOut(module: string, type: string): InputEntry | undefined {
    const own = entryOf(this.#section('host_types'), type)?.value
    const modules = own?.kind === 'map' ? entryOf(own, 'modules')?.value : undefined
    const named = modules?.kind === 'map' ? entryOf(modules, module) : undefined
    const entry = named ?? entryOf(this.#section('modules'), module)
    return entry?.value.kind === 'bool' && !entry.value.value ? entry : undefined
  }

  #part(map: MapInput, key: string): MapInput {
    const value = entryOf(map, key)?.value
    if (value === undefined) return emptyMap(`${map.path}.${key}`, map.place)
    return asMap(value) ?? wrongType(value, this.reading, 'a map of options') ?? emptyMap(value.path, value.place)
  }

  #hosts(types: ReadonlyMap<string, HostTypeConfig>): ReadonlyMap<string, HostConfig> {
    const hosts = new Map<string, HostConfig>()
    const section = entryOf(this.#root, 'hosts')?.value ?? inputOf(['localhost'], 'hosts')
    const known = ['default', ...this.#section('host_types').entries.map((entry) => entry.key)]
    const add = (text: string, at: Pick<Input, 'path' | 'place'>, type: string | undefined) => {
      const domain = domainOf(text, at, this.reading)
      if (domain === undefined || type === undefined) return
      if (hosts.has(domain))
        this.#report.error(at, 'RTK_CONFIG_DUPLICATE_HOST', `the host '${domain}' is there twice`, 'take one out')
      hosts.set(domain, Object.freeze({ domain, type }))
    }
    if (section.kind === 'map') {
      for (const entry of section.entries) {
        add(entry.key, { place: entry.place, path: entry.value.path }, this.#typeOf(entry.value, known))
      }
    } else {
      for (const item of section.kind === 'list' ? section.items : [section]) {
        if (item.kind === 'string') add(item.value, item, 'default')
        else
          wrongType(
            item,
            this.reading,
            'a domain such as example.org',
            "with a type: 'hosts: { example.org: { type: NAME } }'",
          )
      }
    }
    if (hosts.size === 0 && !this.#report.hasErrors) {
      this.#report.error(section, 'RTK_CONFIG_VALUE', 'there is no host', "for example 'hosts: [example.org]'")
    }
    return types.size === 0 ? new Map() : hosts
  }

  /** `{ type: NAME }`, NAME, or nothing. */
  #typeOf(value: Input, known: readonly string[]): string | undefined {
    if (value.kind === 'null') return 'default'
    const schema = { type: opt.string({ default: 'default', description: 'Name of a host type.' }) }
    const map = asMap(value)
    const type = value.kind === 'string' ? value : map === undefined ? undefined : entryOf(map, 'type')?.value
    if (value.kind !== 'string' && map === undefined) return wrongType(value, this.reading, 'a host type or a map')
    if (map !== undefined && readFields(schema, map, this.reading) === undefined) return undefined
    if (type === undefined) return 'default'
    if (type.kind !== 'string') return undefined
    if (known.includes(type.value)) return type.value
    const text = `there is no host type '${type.value}'`
    return this.#report.error(type, 'RTK_CONFIG_UNKNOWN_HOST_TYPE', text, suggest(type.value, known))
  }
}

/** The second's entries in place of the first's. */
export function merge(base: MapInput, over: MapInput): MapInput {
  if (over.entries.length === 0) return base
  const names = new Set(over.entries.map((entry) => entry.key))
  return { ...over, entries: [...base.entries.filter((entry) => !names.has(entry.key)), ...over.entries] }
}
