/** XEP-0092: Software Version, version 1.1. */
import { opt } from '../../core/config/opt.ts'
import { defineModule } from '../../core/module.ts'
import { softwareName, softwareVersion } from '../../core/software.ts'
import { x } from '../../xml/build.ts'

export const NS = 'jabber:iq:version'

export default defineModule({
  name: 'version',
  xeps: [{ xep: 92, version: '1.1', status: 'complete' }],
  options: {
    // §5: telling the operating system or an exact version can help an attacker, so both are the operator's choice.
    show_version: opt.bool({ default: true, description: 'Tell the version of the program.', reload: 'hot' }),
  },
  setup({ features, iq, options }) {
    features.add(NS)
    iq.get({ name: 'query', ns: NS }, () =>
      x('query', NS, x('name', NS, softwareName), x('version', NS, options.show_version ? softwareVersion : 'hidden')),
    )
  },
})
