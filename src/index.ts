/** The door of the package: starts a server inside any Node program. */
export type { Mistake } from './core/config/index.ts'
export { ConfigError } from './core/config/index.ts'
export { configure, createServer, type ServerOptions } from './server/create.ts'
export type { OpenListener } from './server/listeners.ts'
export { Server } from './server/server.ts'
