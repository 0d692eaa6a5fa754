/**
 * Circles of a graph: one for each strongly connected component (Tarjan 1972), told as a path that ends where it began.
 */
export function circles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const onStack = new Set<string>()
  const found: string[][] = []

  const visit = (node: string) => {
    index.set(node, index.size)
    low.set(node, index.get(node) as number)
    stack.push(node)
    onStack.add(node)
    for (const next of graph.get(node) ?? []) {
      if (!index.has(next)) visit(next)
      else if (!onStack.has(next)) continue
      low.set(node, Math.min(low.get(node) as number, (onStack.has(next) ? low.get(next) : undefined) ?? Infinity))
    }
    if (low.get(node) !== index.get(node)) return
    const component = stack.splice(stack.indexOf(node))
    for (const member of component) onStack.delete(member)
    if (component.length > 1 || graph.get(node)?.includes(node)) found.push(walk(graph, node, new Set(component)))
  }
  for (const node of graph.keys()) if (!index.has(node)) visit(node)
  return found
}

/** The shortest way from a node back to itself inside its component. */
function walk(graph: ReadonlyMap<string, readonly string[]>, start: string, component: ReadonlySet<string>): string[] {
  const paths: string[][] = [[start]]
  const seen = new Set<string>()
  for (const path of paths) {
    for (const next of graph.get(path.at(-1) as string) ?? []) {
      if (next === start) return [...path, start]
      if (component.has(next) && !seen.has(next)) {
        seen.add(next)
        paths.push([...path, next])
      }
    }
  }
  return [start]
}
