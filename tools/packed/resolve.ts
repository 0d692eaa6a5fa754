/**
 * Preloaded by `npm run test:packed`: lets the plays run on the packed code. What they import from `src/` comes from the
 * installed package, their tools and development dependencies from the checkout.
 */
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const folder = process.env['RATATOSK_PACKED_FOLDER'] ?? ''
const checkout = process.env['RATATOSK_CHECKOUT'] ?? ''
const sources = pathToFileURL(join(folder, 'src/')).href
const tools = pathToFileURL(join(folder, 'tools/')).href
const packed = pathToFileURL(join(folder, 'node_modules/ratatosk/')).href
const borrower = pathToFileURL(join(checkout, 'package.json')).href

registerHooks({
  resolve(specifier, context, next) {
    if (/^\.{1,2}\//.test(specifier) && context.parentURL) {
      const url = new URL(specifier, context.parentURL).href
      if (url.startsWith(sources)) return next(packed + url.slice(sources.length).replace(/\.ts$/, '.js'), context)
      if (url.startsWith(tools)) return next(join(checkout, 'tools', url.slice(tools.length)), context)
      return next(specifier, context)
    }
    try {
      return next(specifier, context)
    } catch (error) {
      if (context.parentURL?.startsWith(packed)) throw error
      return next(specifier, { ...context, parentURL: borrower })
    }
  },
})
