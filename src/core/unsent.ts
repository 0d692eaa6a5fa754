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
  readonly #until: ChildName | undefined
  #start = 0
  /** Where the stanza began that was read last. */
  #begin = 0
  /** Bytes that were read. */
  read = 0

  constructor({ bytes, taken, heldBack, until }: LinkRest) {
    this.#until = until
    this.#rest = Buffer.from(bytes, 'latin1')
    this.#taken = taken
    this.#next = heldBack
    this.#scanner = this.#opened()
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
    this.#start = 0
    this.#isOver = false
    this.#scanner = this.#opened()
    return true
  }

  #nextOfPart(): Element | undefined {
    const { length } = this.#rest
    while (this.#start < length && !this.#isOver) {
      const bytes = this.#scanner.write(this.#rest, this.#start, length)
      const stanza = this.#stanza
      this.#stanza = undefined
      this.#begin = this.#start
      this.#start += bytes
      this.read += bytes
      if (bytes === 0) return undefined
      if (stanza !== undefined && stanza.name === this.#until?.name && stanza.ns === this.#until.ns) this.#isOver = true
      else if (stanza !== undefined && stanzaKind(stanza) !== undefined && this.#start > this.#taken) return stanza
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
