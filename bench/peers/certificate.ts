/** One CA and one ECDSA P-256 certificate for all servers of a run (rule 3 of the measuring rules). */

import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Certificate } from './peer.ts'

function openssl(args: readonly string[]): void {
  const result = spawnSync('openssl', args, { encoding: 'utf8' })
  if (result.error) throw new Error(`openssl: ${result.error.message} (apt-get install openssl)`)
  if (result.status !== 0) throw new Error(`openssl ${args[0]}: ${result.stderr}`)
}

/** Makes `ca.pem`, `cert.pem` and `key.pem` in the directory, valid for `domain` and localhost; keeps those it finds. */
export function makeCertificate(directory: string, domain: string): Certificate {
  mkdirSync(directory, { recursive: true })
  const at = (name: string): string => join(directory, name)
  const made = { ca: at('ca.pem'), cert: at('cert.pem'), key: at('key.pem') }
  if (existsSync(made.cert)) return made
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl(['req', '-x509', ...key, '-keyout', at('ca.key'), '-out', made.ca, '-days', '30', '-subj', '/CN=bench CA'])
  openssl(['req', ...key, '-keyout', made.key, '-out', at('request.pem'), '-subj', `/CN=${domain}`])
  writeFileSync(at('extensions'), `subjectAltName=DNS:${domain},DNS:localhost\nbasicConstraints=CA:FALSE\n`)
  const signer = ['-CA', made.ca, '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at('extensions')]
  openssl(['x509', '-req', '-in', at('request.pem'), ...signer, '-days', '30', '-out', made.cert])
  return made
}

/** A server's own copy, so that its user can read it. `both.pem` is certificate and key in one file. */
export function copyCertificate(from: Certificate, directory: string): void {
  mkdirSync(directory, { recursive: true })
  copyFileSync(from.cert, join(directory, 'cert.pem'))
  copyFileSync(from.key, join(directory, 'key.pem'))
  writeFileSync(join(directory, 'both.pem'), readFileSync(from.cert, 'utf8') + readFileSync(from.key, 'utf8'))
}
