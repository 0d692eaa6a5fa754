/** Rosters that are written into the servers' stores before a row. bench/load/contacts.c knows the same ones: keep them alike. */

import type { Accounts } from './peer.ts'
import { userName } from './scram.ts'

const STRIDE = 7919

/**
 * The bare JIDs in the roster of account `index`, all of them subscribed both ways: those at `contacts` / 2 distances on either
 * side, around the circle of all accounts. So the rosters are symmetric, and neighbours in one are no neighbours in the next.
 */
export function contactsOf(accounts: Accounts, domain: string, index: number): string[] {
  const { count, contacts = 0 } = accounts
  const half = Math.floor((count - 1) / 2)
  if (contacts % 2 !== 0 || contacts / 2 > half) throw new Error(`${contacts} contacts among ${count} accounts`)
  return Array.from({ length: contacts }, (_, i) => {
    const distance = 1 + (((i >> 1) * STRIDE) % half)
    const other = (index + (i % 2 === 0 ? distance : count - distance)) % count
    return `${userName(accounts, other)}@${domain}`
  })
}
