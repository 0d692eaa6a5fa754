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
  /** Time that a connection is kept without a request; Node adds a second. */
  readonly keepAliveMs: number
  /** How often is looked who has passed `requestMs`. */
  readonly checkMs: number
}

export const defaultHttpLimits: HttpLimits = {
  headerBytes: 16_384,
  requestMs: 30_000,
  keepAliveMs: 5_000,
  checkMs: 5_000,
}

/** With what a request is refused that never came to the handler. */
export type HttpRefusal = 400 | 408 | 413 | 431

const reasons: Readonly<Record<HttpRefusal, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Payload Too Large',
  431: 'Request Header Fields Too Large',
}

/** By the codes of Node's parser; all others are 400. */
const refusalOf: Readonly<Record<string, HttpRefusal>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
}

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

  /** `refused` is told of requests that were refused before the handler, and of connections that never made one. */
  constructor(
    handler: HttpHandler,
    refused: (status: HttpRefusal) => void = () => undefined,
    limits: HttpLimits = defaultHttpLimits,
  ) {
    this.#server = createServer(
      {
        maxHeaderSize: limits.headerBytes,
        headersTimeout: limits.requestMs,
        requestTimeout: limits.requestMs,
        keepAliveTimeout: limits.keepAliveMs,
        connectionsCheckingInterval: limits.checkMs,
      },
      getRequestListener((request, { incoming }) => handler(request, incoming.socket.remoteAddress ?? ''), {
        overrideGlobalObjects: false,
        hostname: NO_HOST,
      }),
    )
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const status = refusalOf[error.code ?? ''] ?? 400
      if (!socket.writable || error.code === 'ECONNRESET') {
        socket.destroy()
        return
      }
      refused(status)
      socket.end(`HTTP/1.1 ${status} ${reasons[status]}\r\nConnection: close\r\n\r\n`, () => socket.destroy())
    })
    // It never listens itself, and looks at its time-outs only once it does.
    this.#server.emit('listening')
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
  #idle: NodeJS.Timeout | undefined
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
        this.#idle?.refresh()
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

  /** As of a socket: `timeout` is told after so long without a byte from the other end. Node's server ends it then. */
  setTimeout(ms: number): this {
    clearTimeout(this.#idle)
    this.#idle = ms > 0 ? setTimeout(() => this.emit('timeout'), ms) : undefined
    this.#idle?.unref()
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
    clearTimeout(this.#idle)
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
