/** Domainparts (RFC 7622 section 3.2). */
import { checkAsciiDomain, OK } from './ascii.ts'
import { FAULT, type JidFault } from './fault.ts'

export function enforceDomain(text: string): string | JidFault {
  if (checkAsciiDomain(text) === OK) return text
  const lower = (text.endsWith('.') ? text.slice(0, -1) : text).toLowerCase()
  return checkAsciiDomain(lower) === OK ? lower : FAULT.domainCharacter
}

export function prepDomain(text: string): string | undefined {
  const prepared = enforceDomain(text)
  return typeof prepared === 'string' ? prepared : undefined
}
