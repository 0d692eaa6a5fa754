/**
 * HTTP over transports of ours, so that an HTTP listener has what every listener has (PROXY headers, Unix sockets,
 * limits): Node's parser on a stream made of a `Transport`, requests and responses as the web has them.
 */
import { createServer, type Server } from 'node:http'
import { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { fromBytes } from '../xml/octets.ts'
import type { CloseCause, Endpoint, Transport, TransportHandler } from './net.types.ts'

export interface HttpLimits {
  /** Bytes of a request's header fields; more get 431. */
  readonly headerBytes: number
  /** Time for a whole request; then 408. */
  readonly requestMs: number
  /** Time that an idle connection is kept. */
  readonly keepAliveMs: number
}

export const defaultHttpLimits: HttpLimits = { headerBytes: 16_384, requestMs: 30_000, keepAliveMs: 5_000 }

/**
 * The host in the URL of a request that names none, as HTTP/1.0 allows (RFC 9112 section 3.2 wants one from 1.1 on only):
 * a URL needs one, and nobody can have this (RFC 6761 section 6.4).
 */
export const NO_HOST = 'none.invalid'

/** Bytes that may wait for a slow reader before the response is held. */
const writeAhead = 65_536

/** `address` is the client's, as `accept` was told; '' for a Unix socket. */
export type HttpHandler = (request: Request, address: string) => Response | Promise<Response>

export class HttpDoor {
  readonly #server: Server

  constructor(handler: HttpHandler, limits: HttpLimits = defaultHttpLimits) {
    this.#server = createServer(
      { maxHeaderSize: limits.headerBytes, requestTimeout: limits.requestMs, keepAliveTimeout: limits.keepAliveMs },
      getRequestListener((request, { incoming }) => handler(request, incoming.socket.remoteAddress ?? ''), {
        overrideGlobalObjects: false,
        hostname: NO_HOST,
      }),
    )
  }

  /**
   * Serves a connection that is ready (its TLS, if any, stands). The handler takes its bytes from now on. `client` is
   * whom a PROXY header names; default: the other end.
   */
  accept(transport: Transport, client: Endpoint = transport.remote): TransportHandler {
    const stream = new TransportStream(transport, client)
    this.#server.emit('connection', stream)
    return stream.handler
  }

  /** Ends idle connections; those with a request under way end with it. */
  close(): void {
    this.#server.closeIdleConnections()
    this.#server.close()
  }
}

class TransportStream extends Duplex {
  readonly handler: TransportHandler
  readonly #transport: Transport
  #blocked: (() => void) | undefined
  // What Node's HTTP server reads of a socket.
  readonly remoteAddress: string
  readonly remotePort: number
  readonly encrypted: boolean

  constructor(transport: Transport, client: Endpoint) {
    super({ allowHalfOpen: true, emitClose: true })
    this.#transport = transport
    this.remoteAddress = client.host
    this.remotePort = client.port
    this.encrypted = transport.tls !== undefined
    this.handler = {
      data: (bytes, start, end) => {
        if (!this.push(Buffer.from(bytes.subarray(start, end)))) transport.pause()
      },
      drained: () => this.#drained(),
      secured: () => undefined,
      ended: () => {
        this.push(null)
      },
      closed: (cause) => this.#closed(cause),
    }
  }

  /** Node's server sets time-outs on sockets; ours are on requests. */
  setTimeout(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  setNoDelay(): this {
    return this
  }

  override _read(): void {
    this.#transport.resume()
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#transport.write(fromBytes(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk))
    if (this.#transport.queuedBytes <= writeAhead) {
      done()
      return
    }
    this.#blocked = () => done()
    // The kernel may take all at the turn's end; then nothing was left over, and nobody is told that it drained.
    setImmediate(() => {
      if (this.#transport.queuedBytes <= writeAhead) this.#drained()
    })
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#transport.close()
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#transport.close()
    done(error)
  }

  #drained(): void {
    const go = this.#blocked
    this.#blocked = undefined
    go?.()
  }

  #closed(cause: CloseCause): void {
    this.#drained()
    if (!this.readableEnded) this.push(null)
    if (cause.kind === 'error' || cause.kind === 'tls') this.destroy()
    else if (!this.writableFinished) this.destroy()
  }
}
