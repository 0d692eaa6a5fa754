/** A plugin for the abuse tests: a handler that throws. */
import { defineModule } from '../../src/plugin.ts'

export default defineModule({
  name: 'poison',
  setup({ on }) {
    on(
      'stanza:route',
      () => {
        throw new Error('poisoned')
      },
      { kinds: ['message'], wants: [{ name: 'poison', ns: 'urn:example:poison' }] },
    )
  },
})
