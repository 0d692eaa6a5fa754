/** Services: what a module offers to others, by name. Modules never import each other; they meet here (DESIGN.md section 6). */

/** Every declared service. Its interface stands in `core/services/`; a plugin adds its own by declaration merging. */
export interface Services {}

export type ServiceName = keyof Services & string
