/**
 * Tries the fast socket door over loopback before it is used: bytes both ways, a TLS layer on the live connection, the
 * end of the stream. It takes a few milliseconds and uses public sockets on the other side.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import {
  type ConnectionOptions,
  connect as connectTls,
  createSecureContext,
  type SecureContextOptions,
  type TLSSocketOptions,
} from 'node:tls'
import type { Octets } from '../xml/octets.ts'
import type { Clock } from './clock.types.ts'
import type { Accepted } from './door.ts'
import type { CloseCause, TransportHandler } from './net.types.ts'
import type { FastDoor, FastTransport } from './socket.ts'

/** Long enough for a machine that is busy; a door that fails does so at once. */
const LIMIT_MS = 5_000

/** A TLS layer to try: what both sides need to agree without a certificate, and how ours is put on. */
interface Layer {
  readonly ours: SecureContextOptions & ConnectionOptions
  readonly theirs: ConnectionOptions
  /** False: it cannot be. */
  put(transport: FastTransport, options: TLSSocketOptions): boolean
}

/** A pre-shared key (RFC 4279); it is worth nothing, the connection is our own. */
const PSK = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' } as const
const PSK_IDENTITY = 'self-test'
const PSK_KEY = Buffer.alloc(16, 1)

/** That of `TLSSocket`. */
const whole: Layer = {
  ours: { ...PSK, pskCallback: () => PSK_KEY as never },
  theirs: { ...PSK, pskCallback: () => ({ identity: PSK_IDENTITY, psk: PSK_KEY }) },
  put: (transport, options) => transport.wrap(options) !== undefined,
}

/** Keys agreed upon with nobody knows whom (RFC 8422 section 2.5): the callbacks of a pre-shared one are `TLSSocket`'s. */
const ANONYMOUS = { ciphers: 'AECDH-AES128-SHA@SECLEVEL=0', maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' } as const

/** That of `socket-tls.ts`. */
const lean: Layer = {
  ours: ANONYMOUS,
  theirs: { ...ANONYMOUS, rejectUnauthorized: false },
  put: (transport, options) => transport.layBare(options, () => undefined),
}

/** Undefined when the door works, else what went wrong. Where only its leaner TLS layer does not, the door does without that. */
export async function selfTest(door: FastDoor, clock: Clock): Promise<string | undefined> {
  const [fault, fault2] = await Promise.all([tryOut(door, clock, whole), tryOut(door, clock, lean)])
  if (fault2 !== undefined) door.forgoBareTls()
  return fault
}

async function tryOut(door: FastDoor, clock: Clock, layer: Layer): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const leavings: { destroy(): void }[] = []
  const server = createServer({ allowHalfOpen: true })
  const timer = clock.after(LIMIT_MS, resolve, 'the self-test took too long')
  // The clock does not keep the process alive, but the listening server does.
  server.once('error', (error) => resolve(error.message))
  server.listen(0, '127.0.0.1', () => {
    try {
      const take = (connection: Accepted): void => {
        const transport = door.transport(connection, silent)
        leavings.push(transport)
        serve(transport, layer, resolve)
      }
      door.watch(server, take, resolve)
      leavings.push(visit((server.address() as AddressInfo).port, layer, resolve))
    } catch (error) {
      resolve(String(error))
    }
  })
  const fault = await promise
  timer.cancel()
  server.close()
  // A failed test leaves nothing open that would keep the process alive.
  for (const socket of leavings) socket.destroy()
  return fault
}

const silent: TransportHandler = { data() {}, drained() {}, secured() {}, ended() {}, closed() {} }

type Resolve = (fault: string | undefined) => void

/** Our side: answers 'ping' with 'pong' in the clear, then 'secret' with 'echo' under TLS, then awaits the end. */
function serve(transport: FastTransport, layer: Layer, resolve: Resolve): void {
  let heard = ''
  let echoed = false
  transport.handler = {
    ...silent,
    data(bytes, start, end) {
      heard += Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
      if (heard === 'ping') {
        transport.write('pong' as Octets)
        transport.flush()
        const options: TLSSocketOptions & ConnectionOptions = {
          ...layer.ours,
          isServer: true,
          secureContext: createSecureContext({ ...layer.ours, ca: [] }),
        }
        if (!layer.put(transport, options)) resolve('the TLS layer could not be put on')
      }
      if (heard === 'pingsecret') {
        echoed = true
        transport.write('echo' as Octets)
      }
    },
    ended() {
      transport.close()
    },
    closed(cause: CloseCause) {
      resolve(echoed && cause.kind === 'peer' ? undefined : `the connection closed early (${JSON.stringify(cause)})`)
    },
  }
  transport.begin()
}

/** The other side, on public sockets. */
function visit(port: number, layer: Layer, resolve: Resolve): Socket {
  const failed = (error: Error): void => resolve(error.message)
  const socket = connect(port, '127.0.0.1', () => socket.write('ping'))
  socket.on('error', failed)
  socket.once('data', (bytes) => {
    if (bytes.toString('latin1') !== 'pong') {
      resolve('other bytes came than were sent')
      return
    }
    const secure = connectTls({ ...layer.theirs, socket, checkServerIdentity: () => undefined }, () =>
      secure.write('secret'),
    )
    secure.on('error', failed)
    secure.once('data', (echo) => {
      if (echo.toString('latin1') !== 'echo') resolve('other bytes came than were sent under TLS')
      else secure.end()
    })
  })
  return socket
}
