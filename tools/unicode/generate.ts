/**
 * Writes src/jid/unicode.generated.ts. Run it with `bin/node tools/unicode/generate.ts` after the Unicode package was
 * replaced by a newer one; a test compares the committed file with what `render` gives.
 */
import { writeFileSync } from 'node:fs'
import { CODE_POINTS, having, idnaProperty, mapping, precisProperty, UNICODE, viramas } from './properties.ts'

export const TARGET = new URL('../../src/jid/unicode.generated.ts', import.meta.url)

/** Runs of equal value from U+0000 on: a capital letter for the value, then the length in base 36. */
export function pack(values: Uint8Array): string {
  let packed = ''
  let start = 0
  for (let cp = 1; cp <= CODE_POINTS; cp++) {
    if (cp < CODE_POINTS && values[cp] === values[start]) continue
    packed += String.fromCharCode(0x41 + (values[start] ?? 0)) + (cp - start).toString(36)
    start = cp
  }
  return packed
}

/** One value for each of several sets; the first is 1. */
async function enumerate(properties: readonly string[]): Promise<Uint8Array> {
  const values = new Uint8Array(CODE_POINTS)
  for (const [index, property] of properties.entries()) {
    const set = await having(property)
    for (let cp = 0; cp < CODE_POINTS; cp++) if (set[cp]) values[cp] = index + 1
  }
  return values
}

const BIDI = [
  'Left_To_Right',
  'Right_To_Left',
  'Arabic_Letter',
  'Arabic_Number',
  'European_Number',
  'European_Separator',
  'Common_Separator',
  'European_Terminator',
  'Other_Neutral',
  'Boundary_Neutral',
  'Nonspacing_Mark',
]
const JOINING = ['Left_Joining', 'Right_Joining', 'Dual_Joining', 'Transparent']
const SCRIPTS = ['Greek', 'Hebrew', 'Hiragana', 'Katakana', 'Han']
const MARKS = ['Nonspacing_Mark', 'Spacing_Mark', 'Enclosing_Mark']

/** Fullwidth and halfwidth code points and what they decompose to, all of one code point (RFC 8264 section 5.2.1). */
async function widths(): Promise<string> {
  const pairs: string[] = []
  for (const kind of ['Wide', 'Narrow']) {
    for (const [from, to] of await mapping(`Decomposition_Mapping/${kind}`)) {
      if (to.length !== 1 || to[0] === undefined) throw new Error(`U+${from.toString(16)} decomposes to several`)
      pairs.push(`${from.toString(36)}:${to[0].toString(36)}`)
    }
  }
  return pairs.join(' ')
}

function constant(name: string, comment: string, text: string): string {
  const lines = text.match(/.{1,112}/g) ?? ['']
  return `\n/** ${comment} */\nexport const ${name} =\n${lines.map((line) => `  '${line}'`).join(' +\n')}\n`
}

export async function render(): Promise<string> {
  if (process.versions['unicode'] !== UNICODE) throw new Error(`this Node normalises another Unicode than ${UNICODE}`)
  const runs = 'Runs from U+0000: a letter for the value, then the length in base 36.'
  const flag = async (set: Promise<Uint8Array>) => pack(await set)
  return [
    '// Made by tools/unicode/generate.ts; do not edit.\n',
    `\nexport const UNICODE = '${UNICODE}'\n`,
    constant(
      'PRECIS',
      `RFC 8264: A disallowed, B PVALID, C contextual, D FREE_PVAL. ${runs}`,
      pack(await precisProperty()),
    ),
    constant('IDNA', `RFC 5892: A disallowed, B PVALID, C contextual. ${runs}`, pack(await idnaProperty())),
    constant(
      'BIDI',
      `Bidi_Class: A other, B L, C R, D AL, E AN, F EN, G ES, H CS, I ET, J ON, K BN, L NSM. ${runs}`,
      pack(await enumerate(BIDI.map((name) => `Bidi_Class/${name}`))),
    ),
    constant(
      'JOINING',
      `Joining_Type: A other, B L, C R, D D, E T. ${runs}`,
      pack(await enumerate(JOINING.map((name) => `Joining_Type/${name}`))),
    ),
    constant(
      'SCRIPT',
      `A other, B Greek, C Hebrew, D Hiragana, E Katakana, F Han. ${runs}`,
      pack(await enumerate(SCRIPTS.map((name) => `Script/${name}`))),
    ),
    constant(
      'MARK',
      `B General_Category M. ${runs}`,
      await flag(having(...MARKS.map((name) => `General_Category/${name}`))),
    ),
    constant('VIRAMA', `B Canonical_Combining_Class 9. ${runs}`, await flag(viramas())),
    constant('SPACE', `B General_Category Zs. ${runs}`, await flag(having('General_Category/Space_Separator'))),
    constant('WIDTH', 'Fullwidth and halfwidth forms: from:to in base 36.', await widths()),
  ].join('')
}

if (import.meta.main) writeFileSync(TARGET, await render())
