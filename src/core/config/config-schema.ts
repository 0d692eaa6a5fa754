/** The whole configuration as one JSON Schema: the sections, with what `check.ts` takes of each. */
import { fixedRules, words } from './access-section.ts'
import type { ModuleProtocol } from './check.ts'
import { definitions, groupSchema, type JsonSchema, optionSchema, propertiesOf, ref } from './json-schema.ts'
import { addresses, coreProtocols, type ListenerProtocol, listenerOptions } from './listener-section.ts'
import type { OptionSchema } from './option.ts'
import { authOptions, plainSections, sessionOptions, shaperOptions } from './sections.ts'

export interface SchemaParts {
  readonly modules: ReadonlyMap<string, OptionSchema>
  /** Beyond those of the core. */
  readonly protocols: ReadonlyMap<string, ModuleProtocol>
  /** True: where a configuration names plugins, it may name modules and protocols that are not among these. */
  readonly isOpen: boolean
}

export function configSchema({ modules, protocols, isOpen }: SchemaParts): JsonSchema {
  const spoken = new Map<string, ListenerProtocol>([...coreProtocols, ...protocols])
  const section = modulesSchema(modules)
  const { type: _, ...listener } = listenerSchema(spoken)
  return {
    title: 'The configuration of Ratatosk',
    description: 'Made by `ratatosk config schema` from the options themselves.',
    type: ['object', 'null'],
    properties: {
      hosts: hostsSchema,
      host_types: hostTypesSchema(section),
      bind: optionSchema(addresses(['localhost'])),
      listeners: {
        description: 'Where it listens. Left out: c2s with STARTTLS and direct TLS, and HTTP on loopback.',
        anyOf: [{ type: 'array', items: ref('listener') }, ref('listener')],
      },
      ...propertiesOf(plainSections),
      access: accessSchema,
      shapers: {
        description: 'Named speeds at which connections are read.',
        type: ['object', 'null'],
        propertyNames: { not: { const: 'none' } },
        additionalProperties: groupSchema(shaperOptions),
      },
      auth: { description: 'Authentication, for all host types.', ...groupSchema(authOptions) },
      session: { description: 'Sessions, for all host types.', ...groupSchema(sessionOptions) },
      modules: { description: 'Modules and their options, for all host types.', ...section },
    },
    additionalProperties: false,
    definitions: {
      ...definitions,
      listener: { type: 'object', ...listener },
      matcher: matcherSchema,
      rule_line: ruleLine,
    },
    ...known([...modules.keys()], [...spoken.keys()], isOpen),
  }
}

/** Names of modules and protocols that are not known are mistakes, unless plugins may bring them. */
function known(modules: readonly string[], protocols: readonly string[], isOpen: boolean): JsonSchema {
  const named = { propertyNames: { enum: modules } }
  const speaks = { properties: { protocol: { enum: protocols } } }
  const strict = {
    properties: {
      modules: named,
      host_types: { additionalProperties: { properties: { modules: named } } },
      listeners: { items: speaks, ...speaks },
    },
  }
  if (!isOpen) return { allOf: [strict] }
  const hasPlugins = { properties: { plugins: { not: { type: 'array', maxItems: 0 } } }, required: ['plugins'] }
  return { if: hasPlugins, else: strict }
}

const hostTypeName: JsonSchema = { type: 'string', description: 'Name of a host type.', examples: ['default'] }
const domain: JsonSchema = { type: 'string', minLength: 1 }

const hostsSchema: JsonSchema = {
  description: 'The domains that are served: a list, or a map that gives each its host type.',
  default: ['localhost'],
  anyOf: [
    { type: 'array', items: domain, minItems: 1 },
    domain,
    {
      type: 'object',
      minProperties: 1,
      additionalProperties: {
        anyOf: [
          { type: 'null' },
          hostTypeName,
          { type: 'object', properties: { type: hostTypeName }, additionalProperties: false },
        ],
      },
    },
  ],
}

function hostTypesSchema(modules: JsonSchema): JsonSchema {
  return {
    description: 'Named sets of modules and options, which stand over those at the top of the file.',
    type: ['object', 'null'],
    additionalProperties: {
      type: ['object', 'null'],
      properties: { modules, auth: groupSchema(authOptions), session: groupSchema(sessionOptions) },
      additionalProperties: false,
    },
  }
}

/** Options of a module stand here and in a host type, so that none is required in one of them. */
function modulesSchema(modules: ReadonlyMap<string, OptionSchema>): JsonSchema {
  const type = ['object', 'boolean', 'null']
  const properties = [...modules].map(([name, options]) => {
    return [name, { type, properties: propertiesOf(options), additionalProperties: false }] as const
  })
  return { type: ['object', 'null'], properties: Object.fromEntries(properties), additionalProperties: { type } }
}

function listenerSchema(protocols: ReadonlyMap<string, ListenerProtocol>): JsonSchema {
  const own = [...protocols.values()].map(({ options }) => propertiesOf(options))
  const properties: JsonSchema = {
    ...Object.assign({}, ...own),
    ...propertiesOf(listenerOptions),
    protocol: {
      description: 'What is spoken.',
      type: 'string',
      anyOf: [{ enum: [...protocols.keys()] }, { type: 'string' }],
    },
    // Written without quotes it is a number.
    mode: {
      description: 'Mode of the file of a Unix socket.',
      default: '0660',
      anyOf: [{ type: 'string', pattern: '^0?o?[0-7]{3}$' }, { type: 'integer' }],
    },
  }
  const each = [...protocols].map(([name, { tls, options }]) => ({
    if: { properties: { protocol: { const: name } }, required: ['protocol'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: {
      properties: { tls: { enum: tls } },
      propertyNames: { enum: [...Object.keys(options), ...Object.keys(listenerOptions)] },
      required: Object.entries(options).flatMap(([option, { required }]) => (required ? [option] : [])),
    },
  }))
  // A place is a path, or an address and a port.
  const places = ['port', 'address'].map((name) => ({ not: { required: ['path', name] } }))
  return { type: 'object', properties, required: ['protocol'], allOf: [...places, ...each] }
}

const oneOrMore = (item: JsonSchema): JsonSchema => ({ anyOf: [item, { type: 'array', items: item }] })
const ruleName: JsonSchema = { type: 'string', examples: [...fixedRules, 'admins', ...words] }

const matcherSchema: JsonSchema = {
  description: 'Who is meant: a rule, or a map of which all must match; a list matches when one of its members does.',
  anyOf: [
    ruleName,
    { type: 'array', items: ref('matcher') },
    {
      type: 'object',
      minProperties: 1,
      properties: {
        user: { description: 'Bare JIDs.', ...oneOrMore({ type: 'string', minLength: 1 }) },
        host: { description: 'The hosts that are asked.', ...oneOrMore(domain) },
        domain: { description: 'Domains of users; * stands for any part.', ...oneOrMore(domain) },
        address: { description: 'Addresses or networks.', ...oneOrMore({ type: 'string', minLength: 1 }) },
        rule: { description: 'Names of rules.', ...oneOrMore(ruleName) },
        anonymous: { description: 'Signed in without an account.', const: true },
      },
      additionalProperties: false,
    },
  ],
}

const ruleLine: JsonSchema = {
  type: 'object',
  properties: {
    allow: ref('matcher'),
    deny: ref('matcher'),
    value: { description: 'The value that an option takes, where the line matches.' },
    if: ref('matcher'),
  },
  additionalProperties: false,
  oneOf: ['allow', 'deny', 'value'].map((name) => ({ required: [name] })),
}

const accessSchema: JsonSchema = {
  description: 'Named rules: the first line that matches decides.',
  type: ['object', 'null'],
  propertyNames: { not: { enum: [...fixedRules, ...words] } },
  additionalProperties: { anyOf: [{ type: 'array', items: ref('rule_line') }, ref('rule_line')] },
}
