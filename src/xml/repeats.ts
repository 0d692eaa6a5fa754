/** Whether an attribute stands twice on a tag, at a cost an attribute that does not grow with their number. */
import { nameSignature, sameBytes } from './own-tag.ts'
import { ATTR_STRIDE, type Work } from './work.ts'

/** So many are compared one by one; beyond, each is put into a slot, and compared with those in the same. */
const FEW = 8
const SLOTS = 1024
/** An entry of a slot: the number of its tag above the attribute's index in `at`; the limits never allow more than fit. */
const PLACE_BITS = 16
const PLACE = 0xffff
const LAST_TAG = 0xffff

/**
 * By names as written; or, with `resolved`, by local name and the number of the namespace (`namespaces.ts`). Called when the tag is
 * complete.
 */
export function isRepeated(w: Work, b: Uint8Array, base: number, resolved: boolean): boolean {
  const { at } = w
  const last = w.attrs * ATTR_STRIDE
  let met = 0
  let capitals = 0
  let letters = 0
  for (let k = 0; k < last; k += ATTR_STRIDE) {
    const number = resolved ? at[k + 6]! : 0
    const start = resolved && at[k + 5]! >= 0 ? at[k + 5]! + 1 : at[k + 1]!
    const end = at[k + 2]!
    const c = b[base + start]!
    if (end - start === 1 && !resolved) {
      // A bit for each of them that there is in ASCII, 0x41 to 0x7a.
      const bit = 1 << c
      if (((c < 0x60 ? capitals : letters) & bit) !== 0) return true
      if (c < 0x60) capitals |= bit
      else letters |= bit
      continue
    }
    // First and last letter and length tell nearly all names apart that stand on one tag.
    const bit = 1 << (c + 5 * b[base + end - 1]! + end - start + number)
    if ((met & bit) !== 0) return isFoundTwice(w, b, base, resolved)
    met |= bit
  }
  return false
}

function isFoundTwice(w: Work, b: Uint8Array, base: number, resolved: boolean): boolean {
  const { at } = w
  const last = w.attrs * ATTR_STRIDE
  const slots = last > FEW * ATTR_STRIDE ? emptied(w) : undefined
  const tag = w.slotTag
  for (let k = 0; k < last; k += ATTR_STRIDE) {
    const number = resolved ? at[k + 6]! : 0
    const start = resolved && at[k + 5]! >= 0 ? at[k + 5]! + 1 : at[k + 1]!
    const length = at[k + 2]! - start
    const from = base + start
    // The shortest names come in the greatest numbers: they are their own signature.
    let signature = length
    if (length > 3) signature = nameSignature(b, from, length)
    else for (let i = 0; i < length; i++) signature = (signature << 8) | b[from + i]!
    signature ^= Math.imul(number, 0x9e3779b1)
    at[k] = signature
    let j = k - ATTR_STRIDE
    if (slots !== undefined) {
      const slot = (signature ^ (signature >>> 5)) & (SLOTS - 1)
      const entry = slots[slot]!
      j = entry >>> PLACE_BITS === tag ? entry & PLACE : -1
      at[k + 7] = j
      slots[slot] = (tag << PLACE_BITS) | k
    }
    while (j >= 0) {
      if (at[j] === signature && isSame(at, b, base, j, k, resolved)) return true
      j = slots === undefined ? j - ATTR_STRIDE : at[j + 7]!
    }
  }
  return false
}

function isSame(at: Int32Array, b: Uint8Array, base: number, j: number, k: number, resolved: boolean): boolean {
  if (resolved && at[j + 6] !== at[k + 6]) return false
  const one = resolved && at[j + 5]! >= 0 ? at[j + 5]! + 1 : at[j + 1]!
  const two = resolved && at[k + 5]! >= 0 ? at[k + 5]! + 1 : at[k + 1]!
  const length = at[k + 2]! - two
  return at[j + 2]! - one === length && sameBytes(b, base + one, base + two, length)
}

/** The slots, all of them free: an entry of another tag counts for nothing. */
function emptied(w: Work): Int32Array {
  w.slots ??= new Int32Array(SLOTS)
  if (w.slotTag === LAST_TAG) {
    w.slotTag = 0
    w.slots.fill(0)
  }
  w.slotTag++
  return w.slots
}
