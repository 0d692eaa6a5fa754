/** Secrets of the server itself that outlive a restart. */
import type { Store } from '../store/define.ts'
import type { secretStore } from './secrets.store.ts'

/** What is in the store under this name; `fresh`, from now on, when nothing was. */
export async function keptSecret(
  store: Store<typeof secretStore>,
  name: string,
  fresh: Uint8Array,
): Promise<Uint8Array> {
  await store.add({ name, value: fresh })
  const row = await store.get({ name })
  if (row === undefined) throw new Error(`the secret '${name}' was not kept`)
  return row.value
}
