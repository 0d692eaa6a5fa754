/** What is told of a command that took many rows: those that were refused, how far it is, and how it ended. */
import type { Row } from '../core/command-result.ts'
import type { InputRows } from './input-rows.ts'
import type { Surroundings } from './settings.ts'

/** Milliseconds between two texts of the progress on a terminal. */
const PROGRESS_MS = 250
/** Puts the cursor at the beginning of its line and clears it (ECMA-48 section 8.3.41, EL). */
const CLEAR = '\r\u001b[K'

export class Summary {
  readonly #input: InputRows
  readonly #around: Surroundings
  readonly #startedMs: number
  #shownMs: number
  #isShown = false
  #rows = 0
  #refused = 0

  constructor(input: InputRows, around: Surroundings) {
    this.#input = input
    this.#around = around
    this.#startedMs = around.world.clock.monoMs()
    this.#shownMs = this.#startedMs
  }

  row(row: Row): void {
    this.#rows++
    const line = this.#input.answered()
    const { result, text } = row
    if (typeof result === 'string' && result.startsWith('RTK_')) {
      this.#refused++
      this.#clear()
      this.#around.terminal.err(`line ${line}: ${String(text)} (${result})\n`)
    }
    this.#progress()
  }

  end(failed = this.#refused): void {
    this.#clear()
    this.#around.terminal.out(`${this.#rows - failed} done, ${failed} refused\n`)
  }

  /** Only for a person: a file or a pipe gets none of it. */
  #progress(): void {
    const { terminal, world } = this.#around
    const nowMs = world.clock.monoMs()
    if (!terminal.isErrTty || nowMs - this.#shownMs < PROGRESS_MS) return
    this.#shownMs = nowMs
    this.#isShown = true
    const rate = Math.round((this.#rows * 1_000) / (nowMs - this.#startedMs))
    terminal.err(`${CLEAR}${this.#rows - this.#refused} done, ${this.#refused} refused, ${rate} a second`)
  }

  #clear(): void {
    if (this.#isShown) this.#around.terminal.err(CLEAR)
    this.#isShown = false
  }
}
