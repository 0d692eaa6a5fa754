/** What tests of listeners share: a server with the listeners they want, and PROXY headers. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Server } from '../index.ts'
import { jid } from '../jid/index.ts'
import type { Place } from '../world/net.types.ts'

export interface Served extends AsyncDisposable {
  readonly server: Server
  readonly folder: string
  /** PEM of the local authority. */
  readonly ca: string
  place(name: string): Place
}

/** A server on free ports, `listeners` and other sections as in a configuration; it has the account romeo@localhost. */
export async function serveWith(config: Readonly<Record<string, unknown>>, folder = freshFolder()): Promise<Served> {
  const server = await createServer({
    dataDir: folder,
    config: {
      hosts: { localhost: {} },
      auth: { scram_iterations: 4096 },
      store: { engine: 'memory' },
      ...config,
    },
  })
  await server.accounts.add(jid('romeo@localhost'), 'secret')
  return {
    server,
    folder,
    ca: server.authority?.certPem ?? '',
    place(name) {
      const found = server.listening.find((listener) => listener.name === name)
      if (found === undefined) throw new Error(`no listener ${name}`)
      return found.place
    },
    async [Symbol.asyncDispose]() {
      await server.close()
      rmSync(folder, { recursive: true })
    },
  }
}

export function freshFolder(): string {
  return mkdtempSync(join(tmpdir(), 'ratatosk-listeners-'))
}

/** Whom PROXY headers name as the client. */
export const proxied = { host: '192.0.2.7', port: 56_324 } as const

export const proxyHeaders: Readonly<Record<'v1' | 'v2', Uint8Array>> = {
  v1: Buffer.from(`PROXY TCP4 ${proxied.host} 192.0.2.1 ${proxied.port} 5222\r\n`),
  v2: Buffer.from([
    ...[0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0, 12],
    ...[192, 0, 2, 7, 192, 0, 2, 1, proxied.port >> 8, proxied.port & 255, 5222 >> 8, 5222 & 255],
  ]),
}
