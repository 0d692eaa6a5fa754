/** PRECIS profiles (RFC 8264, RFC 8265) as RFC 7622 uses them. */
import { checkAsciiLocal, checkAsciiResource, OK } from './ascii.ts'
import { FAULT, type JidFault } from './fault.ts'

export function enforceLocal(text: string): string | JidFault {
  if (checkAsciiLocal(text) === OK) return text
  const lower = text.toLowerCase()
  return checkAsciiLocal(lower) === OK ? lower : FAULT.localCharacter
}

export function enforceResource(text: string): string | JidFault {
  return checkAsciiResource(text) === OK ? text : FAULT.resourceCharacter
}

function orUndefined(prepared: string | JidFault): string | undefined {
  return typeof prepared === 'string' ? prepared : undefined
}

export function prepLocal(text: string): string | undefined {
  return orUndefined(enforceLocal(text))
}

export function prepResource(text: string): string | undefined {
  return orUndefined(enforceResource(text))
}
