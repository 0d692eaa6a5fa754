/** What is measured: groups of rows that share one start of the server and one run of the generator. */

export interface Row {
  /** Unique; the transport is part of it. */
  readonly id: string
  readonly title: string
  /** Of the figure: `cpu_us` or another column of the results. */
  readonly figure: 'cpu_us' | 'session_kb' | 'server_core_pct' | 'latency_p99_us'
  readonly unit: string
  /** Our budget (DESIGN.md section 12), in the unit; a row without one is to be no worse than the better peer. */
  readonly budget?: number
  /** At least so many times less than the better peer. */
  readonly ratio?: number
}

export interface Group {
  readonly id: string
  readonly secured: boolean
  /** Accounts that must exist. */
  readonly users: number
  /** Arguments of `load` beyond address, accounts and processes. */
  readonly load: readonly string[]
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

function storm(secured: boolean, scale: Scale): Group {
  const transport = secured ? 'tls' : 'tcp'
  const title = `log-in storm, to initial presence, ${transport.toUpperCase()}`
  const row: Row = {
    id: `storm-${transport}`,
    title,
    figure: 'cpu_us',
    unit: 'µs a log-in',
    ratio: 3,
    budget: secured ? 750 : 350,
  }
  const sizes = ['--count', String(scale.storm), '--rounds', String(scale.rounds), '--concurrency', '100']
  return {
    id: `storm-${transport}`,
    secured,
    users: scale.storm * scale.rounds,
    load: ['storm', ...sizes],
    rows: { storm: [row] },
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

export function groupsOf(scale: Scale): Group[] {
  const both = [false, true]
  return [
    ...both.map((secured) => chat(secured, scale)),
    ...both.map((secured) => storm(secured, scale)),
    ...scale.idle.flatMap((count) => both.map((secured) => idle(secured, count, scale))),
  ]
}
