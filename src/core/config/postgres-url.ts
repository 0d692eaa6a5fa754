/** `postgres://USER@HOST:PORT/DATABASE`, as libpq writes it, but for passwords: those have an option of their own. */

export interface PostgresPlace {
  /** A name, an address without brackets, or the folder of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
}

const PORT = 5432

/** The place, or what is wrong with the text. The text is not quoted: it may hold a password. */
export function parsePostgresUrl(text: string): PostgresPlace | string {
  if (!/^postgres(?:ql)?:\/\//.test(text)) return 'this is no URL of PostgreSQL: postgres://USER@HOST/DATABASE'
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return 'this is no URL: postgres://USER@HOST:PORT/DATABASE, one for each server'
  }
  if (url.password !== '') return 'a password does not belong into the URL: write it under store.password'
  if (url.search !== '' || url.hash !== '') return 'what follows the name of the database is not understood'
  const host = decoded(url.hostname.replace(/^\[(.*)\]$/, '$1'))
  const database = decoded(url.pathname.slice(1))
  const user = decoded(url.username)
  if (host === undefined || database === undefined || user === undefined)
    return 'a % in it is not followed by two digits'
  if (host === '') return 'the host is missing: postgres://USER@HOST/DATABASE'
  if (user === '') return 'the user is missing: postgres://USER@HOST/DATABASE'
  if (database === '' || database.includes('/')) return 'the database is missing: postgres://USER@HOST/DATABASE'
  return { host, port: url.port === '' ? PORT : Number(url.port), database, user }
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}
