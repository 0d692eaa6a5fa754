/** RFC 6120 section 7.7.2.2 and the limit of sessions: what happens when one more comes. */
import { play, xml } from './language/index.ts'

const policy = (session: Readonly<Record<string, unknown>>) => ({ session })

const cast = { romeo: 'romeo@localhost/orchard', again: 'romeo@localhost/orchard', juliet: 'juliet@localhost/balcony' }

export default [
  play('SM-04: the newer session replaces the older', { cast }, async ({ romeo, again, juliet }) => {
    await juliet.connects()
    await romeo.comesOnline()
    await again.connects()
    await romeo.isClosed('conflict')
    juliet.sends(xml`<message to='${again.full}'><body>Which Romeo?</body></message>`)
    await again.receives(xml`<message from='${juliet.full}'><body>Which Romeo?</body></message>`)
  }),

  play(
    'SM-04: the newer session is refused',
    { cast, server: policy({ conflict: 'refuse' }) },
    async ({ romeo, again }) => {
      await romeo.connects()
      await again.isRefused('conflict')
      await romeo.catchesUp()
      await romeo.closes()
      await again.connects()
    },
  ),

  play(
    'SM-04: the newer session gets another name',
    { cast, server: policy({ conflict: 'rename' }) },
    async (actors) => {
      const { romeo, again } = actors
      await romeo.connects()
      await again.connects()
      if (again.full === romeo.full || !again.resource.startsWith('orchard')) throw new Error(`named ${again.full}`)
      again.sends(xml`<message to='${romeo.full}'><body>It is I</body></message>`)
      await romeo.receives(xml`<message from='${again.full}'><body>It is I</body></message>`)
    },
  ),

  play(
    'SM-03: one session too many replaces the oldest',
    {
      cast: { first: 'romeo@localhost/1', second: 'romeo@localhost/2', third: 'romeo@localhost/3' },
      server: policy({ max_per_user: 2, max_per_user_policy: 'replace-oldest' }),
    },
    async ({ first, second, third }) => {
      await first.connects()
      await second.connects()
      await third.connects()
      await first.isClosed('conflict')
      await second.catchesUp()
    },
  ),

  play(
    'SM-03: one session too many is refused',
    {
      cast: { first: 'romeo@localhost/1', second: 'romeo@localhost/2', other: 'juliet@localhost/1' },
      server: policy({ max_per_user: 1, max_per_user_policy: 'refuse' }),
    },
    async ({ first, second, other }) => {
      await first.connects()
      await second.isRefused('resource-constraint')
      await other.connects()
      await first.vanishes()
      await other.catchesUp()
      await second.connects()
    },
  ),
]
