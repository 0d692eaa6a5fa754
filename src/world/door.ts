/** How a world gets its sockets: two implementations, the fast one of `socket.ts` and the plain one of `socket-plain.ts`. */
import type { Server, Socket } from 'node:net'
import type { TransportHandler } from './net.types.ts'
import type { RealTls } from './tls.ts'
import type { BaseTransport, TransportSurroundings } from './transport.ts'
import type { Turn } from './turn.ts'

/** What each transport of a world refers to. */
export interface DoorSurroundings extends TransportSurroundings {
  readonly turn: Turn
  readonly tls: RealTls
  /** All transports of the world read into it, one after the other. */
  readonly buffer: Buffer
}

export const READ_BUFFER_BYTES = 65_536

/** Between two questions to a silent peer, at most. A tunnel of a minute or two costs a client that is idle nothing. */
const KEEP_ALIVE_INTERVAL_MS = 15_000
/** Questions without an answer until the peer is gone. */
export const KEEP_ALIVE_PROBES = 8

/** Milliseconds between two questions, whole seconds: all of them take no longer than the silence before them. */
export function keepAliveInterval(idleMs: number): number {
  return Math.min(KEEP_ALIVE_INTERVAL_MS, Math.ceil(idleMs / KEEP_ALIVE_PROBES / 1000) * 1000)
}

declare const accepted: unique symbol
/** A connection that nobody reads yet; only its door knows what it is. */
export type Accepted = { readonly [accepted]: true }

export interface Door {
  readonly name: 'fast' | 'plain'
  /** Called once for a listening server: each connection is handed over unread. */
  watch(server: Server, take: (connection: Accepted) => void, failed: (code: string) => void): void
  /** Takes over an outgoing socket that has just connected and was never read. */
  take(socket: Socket): Accepted
  transport(connection: Accepted, handler: TransportHandler): BaseTransport
  /** Resets a connection that nobody wants. */
  refuse(connection: Accepted): void
}

/** An IPv4 address that came through an IPv6 socket is an IPv4 address. */
export function plainHost(address: string | undefined): string {
  if (address === undefined) return ''
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
