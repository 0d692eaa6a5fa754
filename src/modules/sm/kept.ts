/** Sessions in the store: for the core, which keeps them and makes them again, and for whoever removes an account. */
import type { SessionKeeper } from '../../core/durable.ts'
import type { Host } from '../../core/host.ts'
import type { KeptStanzas } from '../../core/kept-session.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { Store } from '../../store/define.ts'
import type { smStore } from './sm.store.ts'

const pageSize = 100

type SmStore = Store<typeof smStore>

export function keeperOf(store: SmStore, hosts: () => readonly Host[]): SessionKeeper {
  return {
    keep: (changes) => store.keep({}, changes),
    async load(each) {
      for (const { domain: host } of hosts()) {
        let local = ''
        let id = ''
        for (;;) {
          const page = await store.sessions({ host, local, id, limit: pageSize })
          for (const one of page) each({ host, ...one, parts: await partsOf(store, host, one.local, one.id) })
          const last = page.at(-1)
          if (last === undefined) break
          local = last.local
          id = last.id
        }
      }
    },
  }
}

async function partsOf(store: SmStore, host: string, local: string, id: string): Promise<readonly KeptStanzas[]> {
  const parts: KeptStanzas[] = []
  for (let after = -1; ; ) {
    const page = await store.parts({ host, local, id, after, limit: pageSize })
    parts.push(...page)
    const last = page.at(-1)
    if (last === undefined) return parts
    after = last.first
  }
}

/** A session is of this server alone: it is neither exported nor imported. Who removes an account ends its sessions before. */
export function accountData(ctx: Pick<ModuleContext, 'on'>, store: SmStore): void {
  ctx.on('account:export', (data) => data)
  ctx.on('account:import', () => undefined)
  ctx.on('account:delete', async ({ host, local }) => {
    await store.deleteAccount({ host: host.domain, local })
  })
}
