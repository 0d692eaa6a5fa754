/** One breach of a law of the house: where, which rule, and what to know about it. */
export type Fault = { readonly file: string; readonly line: number; readonly rule: string; readonly text: string }
