/** The parts of ltx 3 that the bench uses; it ships no types. */
declare module 'ltx/src/Element.js' {
  export default class Element {
    constructor(name: string, attrs: Record<string, string>)
    parent: Element | null
    cnode(child: Element): Element
    t(text: string): Element
  }
}

declare module 'ltx/src/parsers/ltx.js' {
  export default class Parser {
    on(event: 'startElement', listener: (name: string, attrs: Record<string, string>) => void): this
    on(event: 'endElement', listener: (name: string) => void): this
    on(event: 'text', listener: (text: string) => void): this
    write(text: string): void
  }
}
