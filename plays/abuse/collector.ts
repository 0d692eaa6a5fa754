/** A plugin for the abuse tests: the command `memory collect`, after which all that is resident is in use. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { defineCommand, defineModule, field } from '../../src/plugin.ts'

interface Collection {
  readonly type: 'major'
  readonly execution: 'sync'
  /** What would be done before an allocation fails: free pages go back to the kernel too. */
  readonly flavor: 'last-resort'
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (how: Collection) => void

export default defineModule({
  name: 'collector',
  setup({ command }) {
    command(
      defineCommand({
        name: 'memory collect',
        summary: 'Frees what nobody uses, and tells what is left of the heap.',
        permission: 'memory:write',
        args: {},
        result: { heap: field.int('Heap', 'Bytes in use.') },
        run() {
          collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
          return { heap: process.memoryUsage().heapUsed }
        },
      }),
    )
  },
})
