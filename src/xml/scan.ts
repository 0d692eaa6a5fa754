/**
 * The scan: one loop over bytes that checks what RFC 6120 section 11 and XML demand, and can stop and go on at any byte. One long
 * function on purpose: state is in local variables, and no ordinary byte makes a call. States are numbers with their names (`work.ts`)
 * beside them: a switch over literals becomes a jump table, one over imports a chain of loads that costs a sixth of the scan.
 */
import {
  CDATA_PLAIN,
  charsLength,
  MORE,
  NAME_PART,
  NAME_START,
  nameCharsLength,
  referenceLength,
  SPACE,
  TEXT_PLAIN,
  VALUE_PLAIN,
} from './chars.ts'
import type { XmlCode } from './errors.ts'
import type { ScannerLimits } from './limits.ts'
import { isNameBound, isQualified, popBindings, tagFault } from './namespaces.ts'
import { isText, isXmlns, keepKid, keepOwnTag } from './own-tag.ts'
import type { Scope } from './tag.ts'
import { declares, misplaced, stateBehindLess, unnameable, unnamed, unreadable } from './why.ts'
import { ATTR_STRIDE, DECLARES, grown, HAS_PREFIX, HAS_REFERENCE, HAS_XMLNS, UNBOUND, type Work } from './work.ts'
/**
 * Scans on from `from` (behind the "<" when `w` has just begun), returns how far it came; `base` is where the "<" is. Then `w.state`
 * is DONE, CLOSING, DECLARATION or FAULT, or the bytes ran out.
 */
export function scan(
  w: Work,
  b: Uint8Array,
  from: number,
  end: number,
  base: number,
  scope: Scope,
  content: string,
  limits: ScannerLimits,
): number {
  const nameMax = limits.nameBytes
  const textPlain = TEXT_PLAIN
  const nameStart = NAME_START
  const namePart = NAME_PART
  const valuePlain = VALUE_PLAIN
  const space = SPACE
  const stride = ATTR_STRIDE
  let i = from
  let state = w.state
  let depth = w.depth
  let mark = w.mark
  let colon = w.colon
  let attrs = w.attrs
  let tag = w.tag
  let quote = w.quote
  let elements = w.elements
  let open = w.open
  let at = w.at
  let code: XmlCode | undefined
  let c = 0
  let n = 0
  run: while (i < end) {
    switch (state) {
      case 0: // TEXT
        c = b[i]!
        while (textPlain[c] === 1) {
          if (++i === end) break run
          c = b[i]!
        }
        if (c === 0x3c) {
          i++
          if (i < end && nameStart[b[i]!] === 1) {
            mark = i - base
            colon = -1
            attrs = 0
            tag = 0
            state = 2 /* NAME */
            do {
              if (++i === end) break run
              c = b[i]!
            } while (namePart[c] === 1)
            if (c === 0x3a) {
              colon = i - base
              do {
                if (++i === end) break run
                c = b[i]!
              } while (namePart[c] === 1)
              if (nameStart[b[base + colon + 1]!] === 0) continue
              tag = HAS_PREFIX
            }
            // A name in ASCII with its end at hand needs no state of its own.
            if ((c === 0x3e || c === 0x20 || c === 0x2f) && 2 * depth < open.length && i - base - mark <= nameMax) {
              w.nameColon = colon
              open[2 * depth] = mark
              open[2 * depth + 1] = i - base
              if (c === 0x3e) state = 10 /* OPEN */
              else if (++i < end && c === 0x20 && nameStart[b[i]!] === 1) {
                mark = i - base
                colon = -1
                state = 4 /* ATTR */
              } else state = c === 0x20 ? 3 /* GAP */ : i < end && b[i] === 0x3e ? 11 /* EMPTY */ : 9 /* SLASH */
            }
          } else if (i < end && b[i] === 0x2f) {
            i++
            depth--
            mark = i - base
            state = 12 /* END */
          } else state = 1 /* LT */
        } else if (c >= 0x80) {
          n = charsLength(b, i, end)
          break
        } else if (c === 0x26) {
          n = referenceLength(b, i, end)
          break
        } else if (c === 0x3e && !(b[i - 1] === 0x5d && b[i - 2] === 0x5d)) i++
        else {
          code = misplaced(c, 'RTK_XML_CDATA_END')
          break run
        }
        continue

      case 1: // LT
        state = stateBehindLess(b[i]!, depth)
        if (state === 19 /* FAULT */) {
          code = unnamed(b[i]!)
          break run
        }
        if (state !== 2 /* NAME */) i++
        if (state > 16) break run
        if (state === 12 /* END */) depth--
        mark = i - base
        colon = -1
        attrs = 0
        tag = 0
        continue

      case 2: // NAME
        c = b[i]!
        while (namePart[c] === 1) {
          if (++i === end) break run
          c = b[i]!
        }
        if (c === 0x3a && colon < 0) {
          colon = i - base
          do {
            if (++i === end) break run
            c = b[i]!
          } while (namePart[c] === 1)
        }
        if (i - base - mark > nameMax) break run
        if (c >= 0x80) {
          n = nameCharsLength(b, i, end, i - base === mark)
          break
        }
        if (colon >= 0) {
          if (
            (nameStart[b[base + colon + 1]!] === 0 || colon === mark) &&
            !isQualified(b, base + mark, base + colon, i)
          ) {
            code = 'RTK_XML_BAD_NAME'
            break run
          }
          tag = HAS_PREFIX
        }
        w.nameColon = colon
        if (2 * depth === open.length) open = w.open = grown(open)
        open[2 * depth] = mark
        open[2 * depth + 1] = i - base
        if (c === 0x3e) state = 10 /* OPEN */
        else if (space[c] === 1) {
          i++
          state = 3 /* GAP */
        } else if (c === 0x2f) {
          i++
          state = i < end && b[i] === 0x3e ? 11 /* EMPTY */ : 9 /* SLASH */
        } else {
          code = misplaced(c, 'RTK_XML_BAD_NAME')
          break run
        }
        continue

      case 3: // GAP
        c = b[i]!
        while (space[c] === 1) {
          if (++i === end) break run
          c = b[i]!
        }
        if (nameStart[c] === 1 || c >= 0x80) {
          if (attrs === limits.attributes) {
            code = 'RTK_XML_ATTRIBUTES'
            break run
          }
          mark = i - base
          colon = -1
          state = 4 /* ATTR */
        } else if (c === 0x3e) state = 10 /* OPEN */
        else if (c === 0x2f) {
          i++
          state = i < end && b[i] === 0x3e ? 11 /* EMPTY */ : 9 /* SLASH */
        } else {
          code = misplaced(c, 'RTK_XML_BAD_TAG')
          break run
        }
        continue

      case 4: {
        // ATTR
        c = b[i]!
        while (namePart[c] === 1) {
          if (++i === end) break run
          c = b[i]!
        }
        if (c === 0x3a && colon < 0) {
          colon = i - base
          do {
            if (++i === end) break run
            c = b[i]!
          } while (namePart[c] === 1)
        }
        if (i - base - mark > nameMax) break run
        if (c >= 0x80) {
          n = nameCharsLength(b, i, end, i - base === mark)
          break
        }
        if (c !== 0x3d && space[c] === 0) {
          code = misplaced(c, c === 0x3a ? 'RTK_XML_BAD_NAME' : 'RTK_XML_BAD_TAG')
          break run
        }
        const start = base + mark
        const length = i - start
        let number = UNBOUND
        if (colon >= 0) {
          if ((nameStart[b[base + colon + 1]!] === 0 || colon === mark) && !isQualified(b, start, base + colon, i)) {
            code = 'RTK_XML_BAD_NAME'
            break run
          }
          // xml:lang alone needs no resolving: its prefix cannot mean anything else.
          if (length !== 8 || !isText(b, start, 'xml:lang')) tag |= HAS_PREFIX
        }
        if ((colon < 0 ? length : colon - mark) === 5 && isXmlns(b, start)) {
          tag |= HAS_XMLNS
          number = DECLARES
          if (colon < 0) w.nsAttr = attrs * stride
        }
        const k = attrs * stride
        if (k === at.length) at = w.at = grown(at)
        at[k + 1] = mark
        at[k + 2] = i - base
        at[k + 5] = colon
        at[k + 6] = number
        if (c !== 0x3d) {
          state = 5 /* EQ */
          continue
        }
        i++
        quote = i < end ? b[i]! : 0
        if (quote !== 0x27 && quote !== 0x22) {
          state = 6 /* QUOTE */
          continue
        }
        i++
        at[k + 3] = i - base
        state = 7 /* VALUE */
        if (i === end) break run
        c = b[i]!
        while (valuePlain[c] === 1) {
          if (++i === end) break run
          c = b[i]!
        }
        if (c !== quote) continue
        // A value in ASCII without references, and nearly always what follows it, needs no state of its own.
        at[k + 4] = i - base
        attrs++
        c = ++i < end ? b[i]! : 0
        if (c === 0x3e) state = 10 /* OPEN */
        else if (c === 0x20 && ++i < end && nameStart[b[i]!] === 1 && attrs !== limits.attributes) {
          mark = i - base
          colon = -1
          state = 4 /* ATTR */
        } else if (c === 0x2f && ++i < end && b[i] === 0x3e) state = 11 /* EMPTY */
        else state = c === 0x20 ? 3 /* GAP */ : c === 0x2f ? 9 /* SLASH */ : 8 /* AFTER */
        continue
      }

      case 5: // EQ
        c = b[i]!
        if (space[c] === 1) i++
        else if (c === 0x3d) {
          i++
          state = 6 /* QUOTE */
        } else {
          code = misplaced(c, 'RTK_XML_BAD_TAG')
          break run
        }
        continue

      case 6: // QUOTE
        c = b[i]!
        if (c === 0x27 || c === 0x22) {
          quote = c
          i++
          at[attrs * stride + 3] = i - base
          state = 7 /* VALUE */
        } else if (space[c] === 1) i++
        else {
          code = misplaced(c, 'RTK_XML_BAD_TAG')
          break run
        }
        continue

      case 7: // VALUE
        c = b[i]!
        while (valuePlain[c] === 1) {
          if (++i === end) break run
          c = b[i]!
        }
        if (c === quote) {
          at[attrs * stride + 4] = i - base
          attrs++
          c = ++i < end ? b[i]! : 0
          if (c === 0x2f && i + 1 < end && b[i + 1] === 0x3e) {
            i++
            state = 11 /* EMPTY */
          } else state = c === 0x3e ? 10 /* OPEN */ : 8 /* AFTER */
        } else if (c === 0x27 || c === 0x22) i++
        else if (c >= 0x80) {
          n = charsLength(b, i, end)
          break
        } else if (c === 0x26) {
          tag |= HAS_REFERENCE
          n = referenceLength(b, i, end)
          break
        } else {
          code = misplaced(c, 'RTK_XML_LT_IN_VALUE')
          break run
        }
        continue

      case 8: // AFTER
        c = b[i]!
        if (space[c] === 1) {
          i++
          state = 3 /* GAP */
        } else if (c === 0x3e) state = 10 /* OPEN */
        else if (c === 0x2f) {
          i++
          state = i < end && b[i] === 0x3e ? 11 /* EMPTY */ : 9 /* SLASH */
        } else {
          code = misplaced(c, 'RTK_XML_BAD_TAG')
          break run
        }
        continue

      case 9: // SLASH
        c = b[i]!
        if (c !== 0x3e) {
          code = misplaced(c, 'RTK_XML_BAD_TAG')
          break run
        }
        state = 11 /* EMPTY */
        continue

      case 10: // OPEN
      case 11: // EMPTY
        if (++elements > limits.elements) {
          code = 'RTK_XML_ELEMENTS'
          break run
        }
        if (depth === limits.depth) {
          code = 'RTK_XML_DEPTH'
          break run
        }
        if (attrs > 1 || (attrs === 1 && (tag & (HAS_PREFIX | HAS_XMLNS)) !== 0)) {
          code = tagFault(w, b, base, tag, attrs, depth, state === 11 /* EMPTY */, scope, content, limits)
          if (code !== undefined) break run
        } else if ((tag & HAS_PREFIX) !== 0 && !isNameBound(w, b, base, open[2 * depth]!, depth, scope)) {
          code = 'RTK_XML_UNBOUND_PREFIX'
          break run
        }
        i++
        if (depth === 0) {
          keepOwnTag(w, b, base, tag, attrs, i - base)
          if (w.headerOnly) {
            w.selfClosed = state === 11 /* EMPTY */
            state = 16 /* DONE */
            break run
          }
        } else if (depth === 1 && w.kidCount >= 0) keepKid(w, open[2]!, open[3]!, tag)
        if (state === 10 /* OPEN */) depth++
        else {
          if (depth === 0) {
            state = 16 /* DONE */
            break run
          }
          if (depth === w.bindLevel) popBindings(w, depth)
          if (depth === w.foreign) w.foreign = -1
        }
        state = 0 /* TEXT */
        continue

      case 12: {
        // END
        const start = base + open[2 * depth]! - (base + mark)
        const stop = base + mark + open[2 * depth + 1]! - open[2 * depth]!
        while (i < stop) {
          if (i === end) break run
          if (b[i] !== b[i + start]) {
            code = 'RTK_XML_TAG_MISMATCH'
            break run
          }
          i++
        }
        if (i === end || b[i] !== 0x3e || depth === 0) {
          state = 13 /* END_GAP */
          continue
        }
        i++
        if (depth === w.bindLevel) popBindings(w, depth)
        if (depth === w.foreign) w.foreign = -1
        state = 0 /* TEXT */
        continue
      }

      case 13: // END_GAP
        c = b[i]!
        if (c === 0x3e) {
          i++
          if (depth === 0) {
            w.bodyEnd = mark - 2
            state = 16 /* DONE */
            break run
          }
          if (depth === w.bindLevel) popBindings(w, depth)
          if (depth === w.foreign) w.foreign = -1
          state = 0 /* TEXT */
        } else if (space[c] === 1) i++
        else {
          code = 'RTK_XML_TAG_MISMATCH'
          break run
        }
        continue

      case 14: {
        // BANG
        c = b[i]!
        const k = i - base - mark
        if (depth === 0 || c !== '[CDATA['.charCodeAt(k)) {
          code = declares(c, k)
          break run
        }
        i++
        if (k === 6) state = 15 /* CDATA */
        continue
      }

      case 15: // CDATA
        c = b[i]!
        while (CDATA_PLAIN[c] === 1) {
          if (++i === end) break run
          c = b[i]!
        }
        if (c === 0x3e) {
          if (b[i - 1] === 0x5d && b[i - 2] === 0x5d) state = 0 /* TEXT */
          i++
        } else if (c >= 0x80) {
          n = charsLength(b, i, end)
          break
        } else {
          code = 'RTK_XML_BAD_CHARACTER'
          break run
        }
        continue

      default:
        break run
    }
    // Here come those of the states that have met characters or a reference of `n` bytes.
    if (n <= 0) {
      if (n !== MORE) code = state === 2 || state === 4 ? unnameable(n) : unreadable(n)
      break
    }
    i += n
  }

  if ((state === 2 /* NAME */ || state === 4) /* ATTR */ && i - base - mark > nameMax) {
    code = 'RTK_XML_NAME_BYTES'
    i = base + mark + nameMax
  }
  if (code !== undefined) {
    state = 19 /* FAULT */
    w.fault = code
  }
  w.state = state
  w.depth = depth
  w.mark = mark
  w.colon = colon
  w.attrs = attrs
  w.tag = tag
  w.quote = quote
  w.elements = elements
  return i
}
