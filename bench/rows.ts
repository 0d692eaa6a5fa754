/** What is measured: groups of rows that share one start of the server and one run of the generator. */

export interface Row {
  /** Unique; the transport is part of it. */
  readonly id: string
  readonly title: string
  /** Of the figure: `cpu_us` or another column of the results. */
  readonly figure: 'cpu_us' | 'session_kb' | 'server_core_pct' | 'latency_p99_us' | 'loop_p99_us'
  readonly unit: string
  /** Our budget (DESIGN.md section 12), in the unit; a row without one is to be no worse than the better peer. */
  readonly budget?: number
  /** At least so many times less than the better peer. */
  readonly ratio?: number
  /** The peers cannot do it: beside ours stands what they need for this row of the same group. */
  readonly beside?: string
}

export interface Group {
  readonly id: string
  readonly secured: boolean
  /** Accounts that must exist. */
  readonly users: number
  /** Arguments of `load` beyond address, accounts and processes. */
  readonly load: readonly string[]
  /** More arguments for our own server, which can do what the peers cannot. */
  readonly ours?: readonly string[]
  /** Contacts in each roster: such a group has its own copy of every server's directory. */
  readonly contacts?: number
  /** Whether our server tells how late its event loop was (inner/loop-plugin.ts); it is then warmed by a run of its own. */
  readonly loop?: boolean
  /** By the name that `load` reports, the rows read from it. */
  readonly rows: Readonly<Record<string, readonly Row[]>>
  /** Whether the yardstick can run it. */
  readonly relay: boolean
  /** An upper bound of the generator's run in seconds. */
  readonly limit: number
}

export interface Scale {
  readonly users: number
  readonly pairs: number
  readonly warm: number
  readonly seconds: number
  readonly storm: number
  readonly rounds: number
  readonly idle: readonly number[]
  readonly idleSeconds: number
  readonly idleSettle: number
  /** Accounts in the rows of presence, and contacts in each of their rosters. */
  readonly presence: number
  readonly contacts: number
  /** Pairs that talk with stream management on, and with three resources each. */
  readonly smPairs: number
  readonly carbonPairs: number
  /** Accounts that are offline and written to, and messages to each. */
  readonly offline: number
  readonly messages: number
  /** Accounts that sign in while somebody pings. */
  readonly delay: number
  /** Idle sessions with stream management, and contacts in each roster. */
  readonly idleSm: number
  readonly idleContacts: number
  /** Seconds until all has been acknowledged that came with the log-ins: ours asks who has been silent for ten. */
  readonly idleSmSettle: number
}

export const FULL: Scale = {
  users: 10_000,
  pairs: 1000,
  warm: 3,
  seconds: 6,
  storm: 1000,
  rounds: 3,
  idle: [2000, 10_000],
  idleSeconds: 20,
  idleSettle: 8,
  presence: 1000,
  contacts: 50,
  smPairs: 1000,
  carbonPairs: 500,
  offline: 250,
  messages: 40,
  delay: 1000,
  idleSm: 10_000,
  idleContacts: 10,
  idleSmSettle: 15,
}

/** One short repetition, to see that everything works. */
export const QUICK: Scale = {
  users: 400,
  pairs: 200,
  warm: 1,
  seconds: 2,
  storm: 200,
  rounds: 1,
  idle: [300],
  idleSeconds: 3,
  idleSettle: 1,
  presence: 120,
  contacts: 50,
  smPairs: 100,
  carbonPairs: 60,
  offline: 40,
  messages: 16,
  delay: 100,
  idleSm: 300,
  idleContacts: 10,
  idleSmSettle: 1,
}

const figures = { tcp: [11, 6, 32], tls: [13, 8, undefined] } as const

function budgeted(row: Row, budget: number | undefined): Row {
  return budget === undefined ? row : { ...row, budget }
}

function chat(secured: boolean, scale: Scale): Group {
  const transport = secured ? 'tls' : 'tcp'
  const [alone, window, paced] = figures[transport]
  const row = (id: string, title: string): Row => {
    return {
      id: `${id}-${transport}`,
      title: `${title}, ${transport.toUpperCase()}`,
      figure: 'cpu_us',
      unit: 'µs a message',
      ratio: 3,
    }
  }
  const latency: Row = {
    ...row('chat-5000-p99', 'p99 latency at 5,000 a second'),
    figure: 'latency_p99_us',
    unit: 'µs',
    ratio: 1,
  }
  return {
    id: `chat-${transport}`,
    secured,
    users: scale.users,
    load: [
      ...[
        'chat',
        '--pairs',
        String(scale.pairs),
        '--rows',
        'alone/64,window:16/50,paced:1000,paced:5000',
        '--turn',
        '64',
      ],
      ...['--warm', String(scale.warm), '--seconds', String(scale.seconds), '--settle', '2', '--concurrency', '64'],
      ...['--drain', '5'],
    ],
    rows: {
      'alone/64': [budgeted(row('chat-alone', 'chat, each alone (64 pairs)'), alone)],
      'window:16/50': [budgeted(row('chat-window', 'chat, window 16 (50 pairs at a time)'), window)],
      'paced:1000': [budgeted(row('chat-1000', 'chat at 1,000 a second'), paced)],
      'paced:5000': [row('chat-5000', 'chat at 5,000 a second'), latency],
    },
    relay: true,
    limit: 900,
  }
}

/** Ours by SASL2, too, with a password and with a token: the peers of Debian 12 have only the classic way. None without TLS. */
function storm(secured: boolean, scale: Scale): Group {
  const transport = secured ? 'tls' : 'tcp'
  const row = (id: string, how: string): Row => ({
    id: `${id}-${transport}`,
    title: `log-in storm${how}, to initial presence, ${transport.toUpperCase()}`,
    figure: 'cpu_us',
    unit: 'µs a log-in',
    ratio: 3,
  })
  const newer: Group['rows'] = {
    'storm:sasl2': [{ ...row('storm-sasl2', ' by SASL2 and Bind 2 (peers: classic SCRAM)'), beside: 'storm' }],
    'storm:fast': [{ ...row('storm-fast', ' by SASL2, Bind 2 and FAST (peers: classic SCRAM)'), beside: 'storm' }],
  }
  const sizes = ['--count', String(scale.storm), '--rounds', String(scale.rounds), '--concurrency', '100']
  return {
    id: `storm-${transport}`,
    secured,
    users: scale.storm * scale.rounds,
    load: ['storm', ...sizes],
    rows: {
      storm: [{ ...row('storm', ''), budget: secured ? 750 : 350 }],
      ...(secured ? newer : {}),
    },
    ...(secured ? { ours: ['--logins', 'classic,sasl2,fast'] } : {}),
    relay: true,
    limit: 600,
  }
}

function idle(secured: boolean, count: number, scale: Scale): Group {
  const transport = secured ? 'tls' : 'tcp'
  const words = `${count.toLocaleString('en')} idle sessions, ${transport.toUpperCase()}`
  const memory: Row = {
    ...{
      id: `idle-${count}-memory-${transport}`,
      title: `${words}: memory`,
      figure: 'session_kb',
      unit: 'KB a session',
    },
    ...{ ratio: 3, budget: secured ? 54 : 8 },
  }
  const cpu: Row = {
    id: `idle-${count}-cpu-${transport}`,
    title: `${words}: CPU`,
    figure: 'server_core_pct',
    unit: '% of a core',
    budget: 0.5,
  }
  return {
    id: `idle-${count}-${transport}`,
    secured,
    users: count,
    load: [
      'idle',
      '--count',
      String(count),
      '--seconds',
      String(scale.idleSeconds),
      '--settle',
      String(scale.idleSettle),
      '--concurrency',
      '64',
    ],
    rows: { idle: [memory, cpu] },
    relay: false,
    limit: 900,
  }
}

/** Idle sessions as they are: with contacts, who have seen one another, and stream management. */
function idleManaged(secured: boolean, scale: Scale): Group {
  const transport = secured ? 'tls' : 'tcp'
  const plain = idle(secured, scale.idleSm, { ...scale, idleSettle: scale.idleSmSettle })
  const words = `${scale.idleSm.toLocaleString('en')} idle sessions with SM and ${scale.idleContacts} contacts, ${transport.toUpperCase()}`
  const cost = { id: `idle-sm-memory-${transport}`, title: `${words}: memory`, unit: 'KB a session', ratio: 3 }
  return {
    ...plain,
    id: `idle-sm-${transport}`,
    contacts: scale.idleContacts,
    load: [...plain.load, '--sm', '--contacts', String(scale.idleContacts)],
    rows: {
      idle: [
        { ...cost, figure: 'session_kb' },
        {
          ...{ id: `idle-sm-cpu-${transport}`, title: `${words}: CPU`, figure: 'server_core_pct', unit: '% of a core' },
          budget: 0.5,
        },
      ],
    },
  }
}

function presence(secured: boolean, scale: Scale): Group {
  const transport = secured ? 'tls' : 'tcp'
  const row: Row = {
    id: `presence-${transport}`,
    title: `presence, ${scale.contacts} contacts each, ${transport.toUpperCase()}`,
    figure: 'cpu_us',
    unit: 'µs a presence delivered',
    ratio: 3,
    budget: secured ? 8 : 6,
  }
  return {
    id: `presence-${transport}`,
    secured,
    users: scale.presence,
    contacts: scale.contacts,
    load: [
      ...['presence', '--contacts', String(scale.contacts), '--active', '16', '--warm', String(scale.warm)],
      ...['--seconds', String(scale.seconds), '--settle', '1', '--concurrency', '64'],
    ],
    rows: { presence: [row] },
    relay: false,
    limit: 600,
  }
}

interface Talk {
  readonly id: string
  readonly title: string
  readonly unit: string
  readonly budget?: number
  readonly pairs: number
  readonly more: readonly string[]
}

/** Chat in a window of 16 among accounts all of which talk. */
function talk({ id, title, unit, budget, pairs, more }: Talk, secured: boolean, scale: Scale): Group {
  const transport = secured ? 'tls' : 'tcp'
  const row: Row = {
    id: `${id}-${transport}`,
    title: `${title}, ${transport.toUpperCase()}`,
    figure: 'cpu_us',
    unit,
    ratio: 3,
  }
  return {
    id: `${id}-${transport}`,
    secured,
    users: 2 * pairs,
    load: [
      ...['chat', '--pairs', String(pairs), '--rows', 'window:16/50', '--turn', '64', ...more],
      ...['--warm', String(scale.warm), '--seconds', String(scale.seconds), '--settle', '2', '--concurrency', '64'],
      ...['--drain', '5'],
    ],
    rows: { 'window:16/50': [budgeted(row, budget)] },
    relay: false,
    limit: 600,
  }
}

function managed(secured: boolean, scale: Scale): Group {
  const what = {
    ...{
      id: 'chat-sm',
      title: 'chat with SM and carbons on, window 16',
      unit: 'µs a message',
      budget: secured ? 10 : 8,
    },
    ...{ pairs: scale.smPairs, more: ['--sm', '--carbons'] },
  }
  return talk(what, secured, scale)
}

function carbons(secured: boolean, scale: Scale): Group {
  const what = {
    ...{ id: 'carbons', title: 'carbons, three resources on both sides (five deliveries), window 16' },
    ...{ unit: 'µs a message', pairs: scale.carbonPairs, more: ['--resources', '3', '--carbons'] },
  }
  return talk(what, secured, scale)
}

function offline(secured: boolean, scale: Scale): Group {
  const transport = secured ? 'tls' : 'tcp'
  const row = (id: string, title: string, unit: string): Row => ({
    ...{ id: `${id}-${transport}`, title: `${title}, ${transport.toUpperCase()}`, figure: 'cpu_us', unit, ratio: 3 },
  })
  const senders = Math.min(50, scale.offline)
  return {
    id: `offline-${transport}`,
    secured,
    users: scale.offline + senders,
    load: [
      ...['offline', '--count', String(scale.offline), '--messages', String(scale.messages)],
      ...['--senders', String(senders), '--concurrency', '50'],
    ],
    rows: {
      keep: [row('offline-keep', 'chat to an offline user', 'µs a message kept')],
      hand: [row('offline-hand', 'what was kept is handed over', 'µs a message handed over')],
    },
    relay: false,
    limit: 900,
  }
}

function delay(secured: boolean, scale: Scale): Group {
  const transport = secured ? 'tls' : 'tcp'
  const words = `${scale.delay.toLocaleString('en')} log-ins at once, ${transport.toUpperCase()}`
  const budget = 20_000
  return {
    id: `delay-${transport}`,
    secured,
    users: scale.delay + 1,
    load: ['delay', '--count', String(scale.delay), '--rounds', String(scale.rounds)],
    loop: true,
    rows: {
      delay: [
        {
          ...{ id: `delay-ping-${transport}`, title: `p99 wait for a ping during ${words}`, figure: 'latency_p99_us' },
          ...{ unit: 'µs', ratio: 1 },
        },
        {
          ...{
            id: `delay-loop-${transport}`,
            title: `p99 delay of the event loop during ${words}`,
            figure: 'loop_p99_us',
          },
          ...{ unit: 'µs', budget },
        },
      ],
    },
    relay: false,
    limit: 900,
  }
}

export function groupsOf(scale: Scale): Group[] {
  const both = [false, true]
  return [
    ...both.map((secured) => chat(secured, scale)),
    ...both.map((secured) => storm(secured, scale)),
    ...scale.idle.flatMap((count) => both.map((secured) => idle(secured, count, scale))),
    ...[presence, managed, carbons, offline, delay, idleManaged].flatMap((make) =>
      both.map((secured) => make(secured, scale)),
    ),
  ]
}

/** Names of the rows that a server has in a group. */
export function rowsFor(group: Group, isOurs: boolean): string[] {
  return Object.entries(group.rows).flatMap(([name, rows]) =>
    isOurs || rows.some((row) => row.beside === undefined) ? [name] : [],
  )
}
