/** Standard input, output and error, as the command uses them. Tests hand in another. */
import { createInterface } from 'node:readline'
import { ReadStream } from 'node:tty'

export interface Terminal {
  /** Whole lines, ends included. */
  out(text: string): void
  err(text: string): void
  /** True when a person reads standard output. */
  readonly isOutTty: boolean
  /** True when a person types. */
  readonly isInTty: boolean
  lines(): AsyncIterable<string>
  /** Asks without echo; undefined when nothing was typed but the end (Ctrl-D). Rejects with `Interrupted` on Ctrl-C. */
  askSecret(label: string): Promise<string | undefined>
}

export class Interrupted extends Error {}

export class RealTerminal implements Terminal {
  constructor() {
    // `ratatosk account list | head`: the reader has gone, and nobody wants to hear of it.
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      throw error
    })
  }

  get isOutTty(): boolean {
    return process.stdout.isTTY === true
  }

  get isInTty(): boolean {
    return process.stdin.isTTY === true
  }

  out(text: string): void {
    process.stdout.write(text)
  }

  err(text: string): void {
    process.stderr.write(text)
  }

  lines(): AsyncIterable<string> {
    return createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY, terminal: false })
  }

  async askSecret(label: string): Promise<string | undefined> {
    const { stdin } = process
    if (!(stdin instanceof ReadStream)) return undefined
    this.err(label)
    stdin.setRawMode(true)
    stdin.setEncoding('utf8')
    stdin.resume()
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>()
    const typed = new SecretLine()
    const listen = (text: string) => {
      const end = typed.type(text)
      if (end === 'done') resolve(typed.text)
      else if (end === 'nothing') resolve(undefined)
      else if (end === 'interrupted') reject(new Interrupted())
    }
    stdin.on('data', listen)
    try {
      return await promise
    } finally {
      stdin.off('data', listen)
      stdin.setRawMode(false)
      stdin.pause()
      this.err('\n')
    }
  }
}

/** A line typed in raw mode: nothing is echoed, so the keys that edit it are ours to obey. */
export class SecretLine {
  #characters: string[] = []

  get text(): string {
    return this.#characters.join('')
  }

  /** What was typed or pasted; says when the line is at its end. */
  type(text: string): 'done' | 'interrupted' | 'nothing' | undefined {
    for (const character of text) {
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
    }
    return undefined
  }
}
