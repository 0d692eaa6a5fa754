/**
 * The server's side of Node's TLS layer (`TLSWrap`, in C++) straight on a connection's handle. `TLSSocket` around it is a
 * stream with events of which nobody here uses anything. Belongs to `socket.ts`, which says when.
 */
import { CLIENT_RENEG_LIMIT, CLIENT_RENEG_WINDOW, type SecureContext, type TLSSocketOptions } from 'node:tls'
import type { TlsLayer } from './tls.ts'

/** What `process.binding('tls_wrap')` makes, as far as it is used. */
export interface TlsHandle {
  layer?: BareTls
  onhandshakestart: (this: TlsHandle, nowMs: number) => void
  onhandshakedone: (this: TlsHandle) => void
  onerror: (this: TlsHandle, error: Error) => void
  oncertcb?: (asked: { readonly servername?: string | false }) => void
  ALPNCallback?: (protocols: Buffer) => number | undefined
  sni_context?: unknown
  receive(bytes: Buffer): void
  enableCertCb(): void
  enableALPNCb(): void
  certCbDone(): void
  destroySSL(): void
  getProtocol(): string | null
  getCipher(): { readonly name: string }
  getServername(): string | false | undefined
  getALPNNegotiatedProtocol(): string | false
  exportKeyingMaterial(length: number, label: string, context: Buffer | undefined): Buffer
}

export interface TlsBinding {
  wrap(handle: unknown, context: unknown, isServer: boolean, hasActiveWrite: boolean): TlsHandle
}

/** Undefined where this Node has none, or shows it to nobody. */
export function tlsBinding(): TlsBinding | undefined {
  try {
    const { wrap, TLSWrap } = (
      process as unknown as { binding(name: string): TlsBinding & { TLSWrap: unknown } }
    ).binding('tls_wrap')
    if (typeof wrap !== 'function' || typeof TLSWrap !== 'function') return undefined
    const parts = TLSWrap.prototype as Record<string, unknown>
    return used.every((name) => typeof parts[name] === 'function') ? { wrap } : undefined
  } catch {
    // As in `socket.ts`.
    return undefined
  }
}

const used: readonly (keyof TlsHandle)[] = [
  'receive',
  'enableCertCb',
  'enableALPNCb',
  'certCbDone',
  'destroySSL',
  'getProtocol',
  'getCipher',
  'getServername',
  'getALPNNegotiatedProtocol',
  'exportKeyingMaterial',
]

export interface BareTlsEvents {
  /** The handshake is complete. */
  secured(): void
  failed(error: unknown): void
}

/** It can serve these: a certificate of the peer is asked for and shown by `TLSSocket` only. */
export function servesBare({ isServer, requestCert }: TLSSocketOptions): boolean {
  return isServer === true && requestCert !== true
}

function native(context: unknown): unknown {
  return (context as { readonly context: unknown }).context
}

export class BareTls implements TlsLayer {
  readonly handle: TlsHandle
  readonly #events: BareTlsEvents
  destroyed = false
  /** When the last handshake began, in milliseconds; and how many have since the first, as `TLSSocket` counts them. */
  #begunMs = 0
  #again = 0

  /** Throws what OpenSSL says about the context. */
  constructor(binding: TlsBinding, below: unknown, options: TLSSocketOptions, events: BareTlsEvents) {
    this.#events = events
    const handle = binding.wrap(below, native(options.secureContext), true, false)
    this.handle = handle
    handle.layer = this
    handle.onhandshakestart = begun
    handle.onhandshakedone = done
    handle.onerror = failed
    if (options.SNICallback !== undefined) this.#choosesContext(options.SNICallback)
    if (options.ALPNCallback !== undefined) this.#choosesProtocol(options.ALPNCallback)
  }

  /** Up to TLS 1.2 a peer may ask for other handshakes on the connection, which cost us more than him. */
  begins(nowMs: number): void {
    const isFirst = this.#begunMs === 0
    this.#again = nowMs - this.#begunMs >= CLIENT_RENEG_WINDOW * 1000 ? 1 : this.#again + 1
    this.#begunMs = nowMs
    if (isFirst) this.#again = 0
    else if (this.#again > CLIENT_RENEG_LIMIT) this.failed(new Error('too many handshakes on one connection'))
  }

  done(): void {
    this.#events.secured()
  }

  failed(error: Error): void {
    this.#events.failed(error)
  }

  #choosesContext(choose: NonNullable<TLSSocketOptions['SNICallback']>): void {
    const { handle } = this
    handle.oncertcb = ({ servername }) => {
      if (typeof servername === 'string' && servername !== '') {
        choose(servername, (_error, context?: SecureContext) => {
          if (context !== undefined) handle.sni_context = native(context)
        })
      }
      handle.certCbDone()
    }
    handle.enableCertCb()
  }

  #choosesProtocol(choose: NonNullable<TLSSocketOptions['ALPNCallback']>): void {
    const { handle } = this
    handle.ALPNCallback = (bytes) => {
      const protocols: string[] = []
      for (let at = 0; at < bytes.length; at += 1 + (bytes[at] as number))
        protocols.push(bytes.toString('latin1', at + 1, at + 1 + (bytes[at] as number)))
      const chosen = choose({ servername: handle.getServername() || '', protocols })
      const index = chosen === undefined ? -1 : protocols.indexOf(chosen)
      if (index < 0) return undefined
      // Where it stands among the bytes.
      return protocols.slice(0, index).reduce((at, name) => at + 1 + name.length, 0)
    }
    handle.enableALPNCb()
  }

  /** Once the connection below is closed. */
  end(): void {
    this.destroyed = true
    this.handle.destroySSL()
  }

  getProtocol(): string | null {
    return this.handle.getProtocol()
  }

  getCipher(): { readonly name: string } {
    return this.handle.getCipher()
  }

  get alpnProtocol(): string | false {
    return this.handle.getALPNNegotiatedProtocol()
  }

  get servername(): string | false | undefined {
    return this.handle.getServername()
  }

  exportKeyingMaterial(length: number, label: string, context: Buffer): Buffer {
    return this.handle.exportKeyingMaterial(length, label, context)
  }

  getPeerX509Certificate(): undefined {
    return undefined
  }
}

function begun(this: TlsHandle, nowMs: number): void {
  this.layer?.begins(nowMs)
}

function done(this: TlsHandle): void {
  this.layer?.done()
}

function failed(this: TlsHandle, error: Error): void {
  this.layer?.failed(error)
}
