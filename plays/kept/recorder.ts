/** A plugin for the test of the *kept* promise: a line in a file for each message that was settled as kept. */
import { appendFileSync } from 'node:fs'
import { defineModule, opt } from '../../src/plugin.ts'

export default defineModule({
  name: 'recorder',
  options: { file: opt.path({ description: 'Where the lines go: the id and the recipient.' }) },
  setup({ on, options }) {
    // Written at once: what the kernel has is not lost with the process.
    on('message:outcome', ({ packet, offline }) => {
      if (offline) appendFileSync(options.file, `${packet.el.attr('id')} ${packet.to.local}\n`)
    })
  },
})
