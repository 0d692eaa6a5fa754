/**
 * One direction of a simulated connection: what the sender's kernel took, what travels, and what the receiver's kernel
 * holds until it is read. The window bounds all three together, so that a reader who stops stops the writer.
 */

import type { SimRandom } from './random.ts'
import type { Life, Scheduler } from './scheduler.ts'
import type { Handshake } from './tls.ts'

/** How bytes travel between two hosts. */
export interface LinkProfile {
  /** Milliseconds one way; each parcel takes a random time between the two, order kept. */
  readonly latencyMs: readonly [least: number, most: number]
  /** Bytes a second, 0 for no limit. */
  readonly bytesPerSecond: number
  /** Whether what was written together may arrive in pieces, and what was written apart together. */
  readonly chop: boolean
  /** Bytes that may be under way or unread. */
  readonly windowBytes: number
}

/** `layer` 0 is clear text, else the number of the TLS layer that the bytes belong to. */
export type Parcel =
  | { readonly kind: 'bytes'; readonly bytes: string; readonly layer: number }
  | { readonly kind: 'tls'; readonly message: Handshake }
  | { readonly kind: 'end' }
  | { readonly kind: 'reset' }

export interface LinkEnd {
  readonly life: Life
  /** Parcels have arrived. */
  arrived(parcel: Parcel): void
  /** The peer has read; there may be room now. */
  room(): void
}

/** What a link needs of its network. */
export interface LinkNetwork {
  readonly scheduler: Scheduler
  readonly random: SimRandom
  readonly life: Life
  profile(a: string, b: string): LinkProfile
  parted(a: string, b: string): boolean
}

export class SimLink {
  readonly #network: LinkNetwork
  readonly #from: string
  readonly #to: string
  readonly #sender: () => LinkEnd
  readonly #receiver: () => LinkEnd
  /** Bytes taken from the sender that the receiver has not read. */
  #held = 0
  #travelling: Parcel[] = []
  #stalled = 0
  #lastArrival = 0
  #lost = false

  constructor(network: LinkNetwork, from: string, to: string, sender: () => LinkEnd, receiver: () => LinkEnd) {
    this.#network = network
    this.#from = from
    this.#to = to
    this.#sender = sender
    this.#receiver = receiver
  }

  get profile(): LinkProfile {
    return this.#network.profile(this.#from, this.#to)
  }

  connects(a: string, b: string): boolean {
    return (this.#from === a && this.#to === b) || (this.#from === b && this.#to === a)
  }

  /** Bytes that the sender's kernel would take now. */
  get space(): number {
    return Math.max(0, this.profile.windowBytes - this.#held)
  }

  send(parcel: Parcel): void {
    const { scheduler, random } = this.#network
    const { latencyMs, bytesPerSecond } = this.profile
    const size = parcel.kind === 'bytes' ? parcel.bytes.length : 0
    this.#held += size
    const begin = Math.max(scheduler.now + random.between(latencyMs[0], latencyMs[1]), this.#lastArrival)
    const arrival = begin + (bytesPerSecond === 0 ? 0 : (size * 1000) / bytesPerSecond)
    this.#lastArrival = arrival
    this.#travelling.push(parcel)
    scheduler.after(arrival - scheduler.now, 'work', this.#network.life, arrive, this)
  }

  /** The receiver has read this many bytes; the sender learns of it after the way back. */
  read(count: number): void {
    this.#held -= count
    const { scheduler, random } = this.#network
    const { latencyMs } = this.profile
    scheduler.after(random.between(latencyMs[0], latencyMs[1]), 'work', this.#sender().life, room, this.#sender())
  }

  /** From now on nothing arrives and nobody learns of it. */
  lose(): void {
    this.#lost = true
  }

  /** What was stalled by a partition goes on. */
  heal(): void {
    const stalled = this.#stalled
    this.#stalled = 0
    for (let i = 0; i < stalled; i++) {
      this.#network.scheduler.after(this.profile.latencyMs[0], 'work', this.#network.life, arrive, this)
    }
  }

  arrive(): void {
    if (this.#lost) return
    if (this.#network.parted(this.#from, this.#to)) {
      this.#stalled++
      return
    }
    const parcel = this.#travelling.shift()
    const receiver = this.#receiver()
    if (parcel !== undefined && receiver.life.alive) receiver.arrived(parcel)
  }
}

function arrive(link: SimLink): void {
  link.arrive()
}

function room(end: LinkEnd): void {
  end.room()
}
