/**
 * XEP-0157: Contact Addresses for XMPP Services, version 1.1.1: where the operator of a host can be reached, as an extension
 * (XEP-0128, version 1.0.1) of what disco tells of the host. Without addresses nothing is told.
 */
import { type OptionSchema, type OptionsOf, opt } from '../../core/config/opt.ts'
import { defineModule } from '../../core/module.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'

const NS_FORM = 'jabber:x:data'
export const serverInfo = 'http://jabber.org/network/serverinfo'

/** §3: for the status addresses a must, for the others a should, and a slip of the pen is found when it is read. */
function uriFault(text: string): string | undefined {
  if (/[\s\p{C}]/u.test(text)) return `'${text}' holds blanks or characters that no URI may have`
  return URL.canParse(text) ? undefined : `'${text}' is no URI; write it as in mailto:abuse@example.org`
}

const addresses = (what: string) =>
  opt.list(opt.string({ check: uriFault, description: 'A URI.' }), {
    default: [],
    description: `URIs for ${what}, such as mailto:xmpp@example.org or xmpp:help@example.org; disco tells everybody.`,
    reload: 'hot',
  })

// §7.1, in the order of the registry.
const options = {
  abuse: addresses('reports of abuse'),
  admin: addresses('the administrators'),
  feedback: addresses('feedback'),
  sales: addresses('sales and marketing'),
  security: addresses('security concerns'),
  status: addresses('the state of the service'),
  support: addresses('support'),
} satisfies OptionSchema

export default defineModule({
  name: 'contact',
  xeps: [{ xep: 157, version: '1.1.1', status: 'complete' }],
  options,
  setup(ctx) {
    let form = formOf(ctx.options)
    ctx.onReload(() => {
      form = formOf(ctx.options)
    })

    ctx.on('disco:info', (info, { account, node }) => {
      if (info === undefined || form === undefined || account !== '' || node !== '') return info
      return { ...info, extensions: [...info.extensions, form] }
    })
  },
})

/** Undefined when there are no addresses. */
function formOf(given: OptionsOf<typeof options>): Element | undefined {
  const fields: Element[] = []
  for (const [name, uris] of Object.entries(given)) {
    if (uris.length > 0) fields.push(field(`${name}-addresses`, undefined, uris))
  }
  if (fields.length === 0) return undefined
  return x('x', NS_FORM, { type: 'result' }, field('FORM_TYPE', 'hidden', [serverInfo]), ...fields)
}

function field(name: string, type: string | undefined, values: readonly string[]): Element {
  return x('field', NS_FORM, { var: name, type }, ...values.map((value) => x('value', NS_FORM, value)))
}
