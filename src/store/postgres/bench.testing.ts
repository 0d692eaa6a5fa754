/** The PostgreSQL engine for the contract of engines: a database for each test, a relay that can be stopped between. */
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import type { RealPostgres } from '../../../tools/real/postgres.ts'
import { BaseBench } from '../contract/harness.test.ts'
import type { Engine } from '../link.types.ts'
import { defaultStoreLimits, type StoreLimits, type Stores } from '../store.types.ts'
import { postgresEngine } from './engine.ts'

/** Between a client and its server: what comes while it is held goes on later, or never. */
export class Relay {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #held: (() => void)[] | undefined

  private constructor(server: Server) {
    this.#server = server
  }

  static listen(port: number): Promise<Relay> {
    return new Promise((resolve) => {
      const server = createServer((client) => relay.#join(client, dial(port, '127.0.0.1')))
      const relay = new Relay(server)
      server.listen(0, '127.0.0.1', () => resolve(relay))
    })
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  #join(client: Socket, server: Socket): void {
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from)
      from.setNoDelay(true)
      from.on('data', (chunk) => {
        if (this.#held === undefined) to.write(chunk)
        else this.#held.push(() => to.write(chunk))
      })
      from.on('error', () => undefined)
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
    }
  }

  hold(): void {
    this.#held ??= []
  }

  letGo(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const pass of held) pass()
  }

  /** Every connection breaks; what was held is lost. */
  cut(): void {
    if (this.#held !== undefined) this.#held = []
    for (const socket of this.#sockets) socket.destroy()
  }

  close(): Promise<void> {
    this.cut()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }
}

/** A table `block` that is full at a size: what `store_database_bytes` is to SQLite, said as a full disk says it. */
const fullAt = (bytes: number) => `
  create function test_full() returns trigger language plpgsql as $$ begin
    if pg_total_relation_size(tg_relid) + length(new.body) > ${bytes} then
      raise sqlstate '53100' using message = 'could not extend file: No space left on device';
    end if;
    return new;
  end $$;
  create function test_watch() returns event_trigger language plpgsql as $$ declare made record; begin
    for made in select object_identity from pg_event_trigger_ddl_commands() where object_identity like '%.block' loop
      execute format('create trigger test_full before insert on %s for each row execute function test_full()', made.object_identity);
    end loop;
  end $$;
  create event trigger test_watch on ddl_command_end when tag in ('CREATE TABLE') execute function test_watch()`

export class PostgresBench extends BaseBench {
  readonly #server: RealPostgres
  #relay: Relay | undefined
  #database = ''

  constructor(server: RealPostgres) {
    super()
    this.#server = server
  }

  override async open(limits: Partial<StoreLimits> = {}): Promise<Stores> {
    this.#relay ??= await Relay.listen(this.#server.port)
    if (this.#database === '') {
      this.#database = await this.#server.database()
      const { databaseBytes = 0 } = limits
      if (databaseBytes > 0) await this.#server.sql(this.#database, fullAt(databaseBytes))
    }
    return super.open(limits)
  }

  engine(limits: Partial<StoreLimits>): Engine {
    return postgresEngine(this.clock, {
      servers: [{ ...this.#server.address(this.#database), port: this.#relay?.port ?? 0 }],
      password: this.#server.password,
      tls: 'off',
      operationTimeoutMs: limits.operationTimeoutMs ?? defaultStoreLimits.operationTimeoutMs,
    })
  }

  hang(): void {
    this.#relay?.hold()
  }

  resume(): void {
    this.#relay?.letGo()
  }

  die(): void {
    this.#relay?.cut()
  }

  override async dispose(): Promise<void> {
    await super.dispose()
    await this.#relay?.close()
    if (this.#database !== '') await this.#server.sql('postgres', `drop database ${this.#database} with (force)`)
  }
}
