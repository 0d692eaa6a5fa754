/** A simulated connection's end: the queue and closing rules of the real transports over two simulated links. */

import type { CloseCause, Endpoint, TlsClientOptions, TlsServerContext, TransportHandler } from '../world/net.types.ts'
import { errorCause } from '../world/net-error.ts'
import { BaseTransport, type TransportSurroundings } from '../world/transport.ts'
import type { Parcel, SimLink } from './link.ts'
import type { Connection, NetworkEnd, SimNetwork } from './network.ts'
import type { Life } from './scheduler.ts'
import { answer, clientInfo, type Handshake, HELLO_BYTES, hello, serverInfo } from './tls.ts'

/** What a world gives its transports. */
export interface SimSurroundings extends TransportSurroundings {
  readonly network: SimNetwork
  readonly life: Life
  readonly host: string
  /** Handlers read from here, and find rubbish when they come back later. */
  readonly buffer: Buffer
}

export const SIM_BUFFER_BYTES = 65_536
/** Bytes do not always begin at 0 of the buffer. */
const LARGEST_OFFSET = 16
const RUBBISH = 0x3f

type Agreed = Handshake & { step: 'answer' }
type Role =
  | { readonly side: 'server'; readonly context: TlsServerContext }
  | { readonly side: 'client'; readonly options: TlsClientOptions }

export class SimTransport extends BaseTransport implements NetworkEnd {
  readonly local: Endpoint
  readonly life: Life
  readonly number: number
  receivedBytes = 0
  sentBytes = 0
  readonly #around: SimSurroundings
  #out: SimLink | undefined
  #in: SimLink | undefined
  #connection: Connection | undefined
  #unsent = ''
  #saidEnd = false
  #inbox: Parcel[] = []
  #listening = false
  #scheduled = false
  #layer = 0
  #role: Role | undefined
  #agreed: Agreed | undefined
  #asked = ''
  /** A hello that was read as if it were clear text; it may be given back. */
  #heardHello: Handshake | undefined
  /** The peer has reset the connection, whether we have read so far or not. */
  #broken = false

  constructor(around: SimSurroundings, number: number, handler: TransportHandler, local: Endpoint, remote: Endpoint) {
    super(around, handler, remote)
    this.#around = around
    this.life = around.life
    this.local = local
    this.number = number
  }

  /** What has arrived is the kernel's, or the TLS layer's where there is one. */
  get heldBytes(): number {
    if (this.#listening || this.tls === undefined) return 0
    return this.#inbox.reduce((sum, parcel) => sum + (parcel.kind === 'bytes' ? parcel.bytes.length : 0), 0)
  }

  /** Simulated hosts do not vanish without a reset. */
  keepAlive(): void {}

  join(out: SimLink, incoming: SimLink, connection: Connection): void {
    this.#out = out
    this.#in = incoming
    this.#connection = connection
  }

  arrived(parcel: Parcel): void {
    if (this.gone) {
      // A socket that is no longer there answers with a reset.
      if (parcel.kind !== 'reset' && parcel.kind !== 'end') this.#out?.send({ kind: 'reset' })
      return
    }
    if (parcel.kind === 'reset') this.#broken = true
    this.#inbox.push(parcel)
    this.#readLater()
  }

  room(): void {
    if (this.gone || this.#unsent === '') return
    this.#pump()
    if (this.#unsent === '') this.sent()
  }

  /** The process has died: its kernel resets the connection, or nobody is told at all. */
  die(silently: boolean): void {
    if (silently) {
      this.#out?.lose()
      this.#in?.lose()
    } else if (!this.gone) this.#out?.send({ kind: 'reset' })
    this.#forgetConnection()
  }

  #forgetConnection(): void {
    const connection = this.#connection
    this.#connection = undefined
    if (connection !== undefined) this.#around.network.forget(connection)
  }

  /** A fault: the connection breaks for this end. */
  cut(code: string): void {
    this.failed(errorCause(code))
  }

  protected send(bytes: string): boolean {
    if (this.#broken) {
      this.#unsent = bytes
      this.failed(errorCause('EPIPE'))
      return true
    }
    this.#unsent += bytes
    this.sentBytes += bytes.length
    this.#pump()
    return this.#unsent === ''
  }

  protected sending(): number {
    return this.#unsent.length
  }

  protected reading(on: boolean): void {
    this.#listening = on
    if (on) this.#readLater()
  }

  /** Once: the FIN. */
  #sayEnd(): void {
    if (this.#saidEnd) return
    this.#saidEnd = true
    this.#out?.send({ kind: 'end' })
  }

  protected shut(): void {
    this.#sayEnd()
    this.around.turn.soon(shutDown, this)
  }

  wasShut(): void {
    this.shutDone()
  }

  protected release(abrupt: boolean): void {
    if (!this.#broken) {
      if (abrupt) this.#out?.send({ kind: 'reset' })
      else this.#sayEnd()
    }
    this.#inbox = []
    this.#unsent = ''
    this.around.turn.soon(letGo, this)
  }

  wasReleased(): void {
    this.#forgetConnection()
    this.released({ kind: 'local' })
  }

  protected secureServer(context: TlsServerContext): void {
    this.#role = { side: 'server', context }
    if (this.takeUnread() !== undefined && this.#heardHello !== undefined) {
      this.#inbox.unshift({ kind: 'tls', message: this.#heardHello })
    }
    this.reading(true)
  }

  protected secureClient(options: TlsClientOptions): void {
    this.#role = { side: 'client', options }
    this.#out?.send({ kind: 'tls', message: hello(options) })
    this.reading(true)
  }

  #pump(): void {
    const out = this.#out
    while (out !== undefined && this.#unsent !== '' && out.space > 0) {
      const bytes = this.#unsent.slice(0, out.space)
      this.#unsent = this.#unsent.slice(bytes.length)
      out.send({ kind: 'bytes', bytes, layer: this.#layer })
    }
  }

  #readLater(): void {
    if (this.#scheduled || !this.#listening || this.#inbox.length === 0) return
    this.#scheduled = true
    const { network } = this.#around
    const delay = this.#in?.profile.chop === true ? network.random.below(3) : 0
    network.scheduler.after(delay, 'work', this.life, readable, this)
  }

  /** Reads what the loop of a real system would in one go: up to a buffer of bytes, or one thing that is not bytes. */
  read(): void {
    this.#scheduled = false
    const first = this.#inbox[0]
    if (first === undefined || !this.#listening || this.gone) return
    if (first.kind === 'bytes') this.#readBytes(first.layer)
    else {
      this.#inbox.shift()
      if (first.kind === 'end') this.peerEnded()
      else if (first.kind === 'reset') this.failed(errorCause('ECONNRESET'))
      else this.#shakeHands(first.message)
    }
    this.#readLater()
  }

  #readBytes(layer: number): void {
    if (layer !== this.#layer || this.shaking) {
      this.#failTls('ERR_SSL_WRONG_VERSION_NUMBER', true)
      return
    }
    const { random } = this.#around.network
    const chop = this.#in?.profile.chop === true
    let most = SIM_BUFFER_BYTES
    if (chop && random.below(2) === 0) most = 1 + random.below(random.below(2) === 0 ? 8 : 512)
    let bytes = ''
    for (let next = this.#inbox[0]; next?.kind === 'bytes' && next.layer === layer; next = this.#inbox[0]) {
      const part = next.bytes.slice(0, most - bytes.length)
      bytes += part
      if (part.length === next.bytes.length) this.#inbox.shift()
      else this.#inbox[0] = { kind: 'bytes', bytes: next.bytes.slice(part.length), layer }
      if (bytes.length === most) break
    }
    this.#in?.read(bytes.length)
    this.#hand(bytes)
  }

  #hand(bytes: string): void {
    if (!this.open) return
    const { buffer, network } = this.#around
    const start = network.random.below(LARGEST_OFFSET)
    buffer.write(bytes, start, 'latin1')
    this.receivedBytes += bytes.length
    try {
      this.handler.data(buffer, start, start + bytes.length)
    } finally {
      buffer.fill(RUBBISH, start, start + bytes.length)
    }
  }

  #shakeHands(message: Handshake): void {
    const role = this.#role
    if (role === undefined || !this.shaking) {
      if (message.step === 'hello') {
        this.#heardHello = message
        this.#hand(HELLO_BYTES)
      } else if (message.step === 'alert') this.#failTls(message.code, false)
      else this.#failTls('ERR_SSL_UNEXPECTED_MESSAGE', true)
    } else if (message.step === 'alert') this.#failTls(message.code, false)
    else if (message.step === 'hello' && role.side === 'server') this.#answer(role.context, message)
    else if (message.step === 'answer' && role.side === 'client') this.#accept(role.options, message)
    else if (message.step === 'finished' && role.side === 'server' && this.#agreed !== undefined) {
      const peer = this.#agreed.asks ? message.own : undefined
      const info = serverInfo(this.#agreed, this.#asked, peer, role.context, this.#around.clock.now())
      this.#layer = 1
      this.secureDone(info)
    } else this.#failTls('ERR_SSL_UNEXPECTED_MESSAGE', true)
  }

  #answer(context: TlsServerContext, asked: Handshake & { step: 'hello' }): void {
    const secret = Buffer.from(this.#around.network.random.bytes(16)).toString('hex')
    const reply = answer(context, asked, secret)
    if (reply.step === 'alert') {
      this.#failTls(reply.code === NO_PROTOCOL_TOLD ? NO_PROTOCOL_HERE : 'ERR_SSL_NO_SHARED_CIPHER', true, reply.code)
      return
    }
    this.#agreed = reply
    this.#asked = asked.servername
    this.#out?.send({ kind: 'tls', message: reply })
  }

  #accept(options: TlsClientOptions, agreed: Agreed): void {
    const info = clientInfo(agreed, options, this.#around.clock.now())
    const error = info.peerCertificate?.error ?? ''
    if (options.verify && error !== '') {
      this.#failTls(error, true, 'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE')
      return
    }
    const own = hello(options)
    this.#out?.send({ kind: 'tls', message: { step: 'finished', own: own.step === 'hello' ? own.own : undefined } })
    this.#layer = 1
    this.secureDone(info)
  }

  #failTls(code: string, tell: boolean, alert = 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'): void {
    if (tell) {
      this.#out?.send({ kind: 'tls', message: { step: 'alert', code: alert } })
      this.#sayEnd()
    }
    const cause: CloseCause = { kind: 'tls', code, text: code }
    this.failed(cause, false)
  }
}

const NO_PROTOCOL_TOLD = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL'
const NO_PROTOCOL_HERE = 'ERR_SSL_NO_APPLICATION_PROTOCOL'

function readable(transport: SimTransport): void {
  transport.read()
}

function shutDown(transport: SimTransport): void {
  transport.wasShut()
}

function letGo(transport: SimTransport): void {
  transport.wasReleased()
}
