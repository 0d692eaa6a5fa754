/** Standard input, output and error, as the command uses them. Tests hand in another. */
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { EXIT } from './exit.ts'

export interface Terminal {
  /** Whole lines, ends included. */
  out(text: string): void
  err(text: string): void
  /** In place of ending the program: `told` is called at each write to a standard output that nobody reads any more. */
  whenOutEnds?(told: () => void): void
  /**
   * In place of ending the program with `EXIT.refused`: `failed` is called with the system's name of the error when standard output
   * takes nothing any more, as on a full disk; `works` when it takes something again, with how many texts were lost.
   */
  whenOutFails?(failed: (code: string) => void, works: (lost: number) => void): void
  /** True when a person reads standard output. */
  readonly isOutTty: boolean
  /** Of the terminal behind standard output; undefined where there is none. */
  readonly size?: { readonly columns: number; readonly rows: number } | undefined
  /** True when a person reads standard error. */
  readonly isErrTty: boolean
  /** True when a person types. */
  readonly isInTty: boolean
  lines(): AsyncIterable<string>
  /**
   * Asks for a line each without echo; undefined when one ended with nothing typed (Ctrl-D). Rejects with `Interrupted` on
   * Ctrl-C.
   */
  askSecrets(labels: readonly string[]): Promise<readonly string[] | undefined>
}

/** Of a standard output whose reader has gone; what is written after that fails by the second. */
const goneCodes: ReadonlySet<string | undefined> = new Set(['EPIPE', 'ERR_STREAM_DESTROYED'])

export class Interrupted extends Error {}

/** What `RealTerminal` uses of the process; tests hand in another. */
export interface Streams {
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(isRaw: boolean): unknown }
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number }
  readonly stderr: Writable & { readonly isTTY?: boolean }
}

export class RealTerminal implements Terminal {
  readonly #streams: Streams
  // `ratatosk account list | head`: the reader has gone, and nobody wants to hear of it.
  #outEnds: () => void = () => process.exit(0)

  #outFails: (code: string) => void = (code) => {
    this.err(`ratatosk: standard output cannot be written: ${code} [RTK_CLI_OUTPUT]\n`)
    process.exit(EXIT.refused)
  }
  #outWorks: (lost: number) => void = () => undefined
  #lost = 0

  constructor(streams: Streams = process) {
    this.#streams = streams
    streams.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (goneCodes.has(code)) this.#outEnds()
    })
    // Nobody is left who could be told.
    streams.stderr.on('error', () => undefined)
  }

  readonly #wrote = (error?: Error | null) => {
    if (error === undefined || error === null) {
      const lost = this.#lost
      this.#lost = 0
      if (lost > 0) this.#outWorks(lost)
      return
    }
    const { code = error.message } = error as NodeJS.ErrnoException
    if (!goneCodes.has(code) && this.#lost++ === 0) this.#outFails(code)
  }

  whenOutFails(failed: (code: string) => void, works: (lost: number) => void): void {
    this.#outFails = failed
    this.#outWorks = works
  }

  whenOutEnds(told: () => void): void {
    this.#outEnds = told
  }

  get isOutTty(): boolean {
    return this.#streams.stdout.isTTY === true
  }

  get size(): { readonly columns: number; readonly rows: number } | undefined {
    const { columns = 0, rows = 0 } = this.#streams.stdout
    // 0 is what a terminal says that was told no size.
    return columns > 0 && rows > 0 ? { columns, rows } : undefined
  }

  get isErrTty(): boolean {
    return this.#streams.stderr.isTTY === true
  }

  get isInTty(): boolean {
    return this.#streams.stdin.isTTY === true
  }

  out(text: string): void {
    // Of the first text that was lost a part may have been written: what comes now begins a line all the same.
    this.#streams.stdout.write(this.#lost > 0 ? `\n${text}` : text, this.#wrote)
  }

  err(text: string): void {
    this.#streams.stderr.write(text)
  }

  lines(): AsyncIterable<string> {
    return createInterface({ input: this.#streams.stdin, crlfDelay: Number.POSITIVE_INFINITY, terminal: false })
  }

  async askSecrets(labels: readonly string[]): Promise<readonly string[] | undefined> {
    const { stdin } = this.#streams
    if (!this.isInTty || stdin.setRawMode === undefined) return undefined
    // Before anything is asked, and until all is answered: who types fast, or ahead, is not echoed.
    stdin.setRawMode(true)
    stdin.setEncoding('utf8')
    try {
      return await this.#ask(labels)
    } finally {
      stdin.pause()
      stdin.setRawMode(false)
    }
  }

  async #ask(labels: readonly string[]): Promise<readonly string[] | undefined> {
    const { stdin } = this.#streams
    const answers: string[] = []
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[] | undefined>()
    let line = new SecretLine()
    const ask = () => this.err(labels[answers.length] ?? '')
    const listen = (text: string) => {
      for (let rest = text; rest !== ''; ) {
        const typed = line.type(rest)
        rest = typed.rest
        if (typed.end === undefined) continue
        this.err('\n')
        if (typed.end === 'interrupted') return reject(new Interrupted())
        if (typed.end === 'nothing') return resolve(undefined)
        answers.push(line.text)
        if (answers.length === labels.length) return resolve(answers)
        line = new SecretLine()
        ask()
      }
    }
    const ended = () => resolve(undefined)
    stdin.on('data', listen).on('end', ended)
    ask()
    stdin.resume()
    try {
      return await promise
    } finally {
      stdin.off('data', listen).off('end', ended)
    }
  }
}

/** A line typed in raw mode: nothing is echoed, so the keys that edit it are ours to obey. */
export class SecretLine {
  #characters: string[] = []

  get text(): string {
    return this.#characters.join('')
  }

  /** What was typed or pasted; says when the line is at its end, and what came behind it. */
  type(text: string): Typed {
    const characters = [...text]
    for (const [i, character] of characters.entries()) {
      const end = this.#key(character)
      if (end === undefined) continue
      // Both of CR LF end the same line.
      const isPair = character === '\r' && characters[i + 1] === '\n'
      return { end, rest: characters.slice(i + (isPair ? 2 : 1)).join('') }
    }
    return { end: undefined, rest: '' }
  }

  #key(character: string): Typed['end'] {
    switch (character) {
      case '\r':
      case '\n':
        return 'done'
      case '\u0003':
        return 'interrupted'
      case '\u0004':
        return this.#characters.length === 0 ? 'nothing' : 'done'
      case '\u0008':
      case '\u007f':
        this.#characters.pop()
        break
      case '\u0015':
        this.#characters = []
        break
      default:
        if (character >= ' ') this.#characters.push(character)
    }
    return undefined
  }
}

interface Typed {
  readonly end: 'done' | 'interrupted' | 'nothing' | undefined
  readonly rest: string
}
