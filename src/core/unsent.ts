/** What was written for a client and has not left, as stanzas again. */
import { stanzaKind } from '../stanza/stanza.ts'
import type { ChildName, Element } from '../xml/element.types.ts'
import { trustedLimits } from '../xml/limits.ts'
import type { Octets } from '../xml/octets.ts'
import { Scanner } from '../xml/scanner.ts'
import type { LinkRest } from './session-link.ts'

const open = Buffer.from(
  `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>`,
)

/** Reads the stanzas whose last byte the kernel had not taken, in order: the client cannot have had them whole. */
export class UnsentReader {
  #rest: Buffer
  #taken: number
  #next: Octets
  #scanner: Scanner
  #stanza: Element | undefined
  #isOver = false
  #start = 0
  /** Where the stanza began that was read last. */
  #begin = 0
  /** Bytes that were read. */
  read = 0

  constructor({ bytes, taken, heldBack, until }: LinkRest) {
    this.#rest = Buffer.from(bytes, 'latin1')
    this.#taken = taken
    this.#next = heldBack
    this.#scanner = this.#opened()
    if (until !== undefined) this.#cutAt(until)
  }

  #cutAt({ name, ns }: ChildName): void {
    let el = this.#element()
    while (el !== undefined && !(el.name === name && el.ns === ns)) el = this.#element()
    this.#rest = this.#rest.subarray(0, el === undefined ? 0 : this.#begin)
    this.#next = '' as Octets
    this.#restart()
  }

  /** The next; undefined at the end. What is no stanza (a stream error, the closing tag) is passed over. */
  next(): Element | undefined {
    do {
      const found = this.#nextOfPart()
      if (found !== undefined) return found
    } while (this.#nextPart())
    return undefined
  }

  /** The bytes of the stanza that was read last, as they were written. */
  get written(): Octets {
    return this.#rest.toString('latin1', this.#begin, this.#start) as Octets
  }

  #nextPart(): boolean {
    if (this.#next.length === 0) return false
    this.#rest = Buffer.from(this.#next, 'latin1')
    this.#next = '' as Octets
    this.#taken = 0
    this.#restart()
    return true
  }

  #restart(): void {
    this.#start = 0
    this.#isOver = false
    this.#scanner = this.#opened()
  }

  #nextOfPart(): Element | undefined {
    for (;;) {
      const el = this.#element()
      if (el === undefined) return undefined
      if (stanzaKind(el) !== undefined && this.#start > this.#taken) return el
    }
  }

  /** The next first-level element. */
  #element(): Element | undefined {
    const { length } = this.#rest
    while (this.#start < length && !this.#isOver) {
      const bytes = this.#scanner.write(this.#rest, this.#start, length)
      const found = this.#stanza
      this.#stanza = undefined
      this.#begin = this.#start
      this.#start += bytes
      this.read += bytes
      if (bytes === 0) return undefined
      if (found !== undefined) return found
    }
    return undefined
  }

  #opened(): Scanner {
    const scanner = new Scanner('stream', trustedLimits, {
      streamOpen: () => undefined,
      stanza: (el) => {
        this.#stanza = el
        // So that its end is known.
        scanner.stop()
      },
      streamClose: () => {
        this.#isOver = true
      },
      fault: () => {
        this.#isOver = true
      },
    })
    scanner.write(open)
    return scanner
  }
}
