/** XEP-0198 (requirements SES-09): stanzas that are counted, and sessions that go on over another connection. */
import { play, xml } from './language/index.ts'

const cast = { romeo: 'romeo@localhost/orchard', juliet: 'juliet@localhost/balcony' }

const said = (from: string, to: string, n: number) =>
  xml`<message from='${from}' to='${to}' id='${String(n)}' type='chat'><body>${String(n)}</body></message>`

export default [
  play(
    'SES-09: what was said while the connection was gone arrives once, in order',
    { cast },
    async ({ romeo, juliet }) => {
      await juliet.comesOnline()
      await juliet.counts()
      await romeo.connects()
      romeo.sends(said(romeo.full, juliet.full, 1))
      await juliet.receives(said(romeo.full, juliet.full, 1))
      await juliet.vanishes()
      for (const n of [2, 3, 4]) romeo.sends(said(romeo.full, juliet.bare, n))
      await romeo.catchesUp()
      await juliet.resumes()
      for (const n of [2, 3, 4]) await juliet.receives(said(romeo.full, juliet.bare, n))
      juliet.sends(said(juliet.full, romeo.full, 5))
      await romeo.receives(said(juliet.full, romeo.full, 5))
    },
  ),

  play('again and again, in both directions', { cast }, async ({ romeo, juliet }) => {
    await romeo.comesOnline()
    await romeo.counts()
    await juliet.comesOnline()
    await juliet.counts()
    for (let n = 0; n < 6; n++) {
      romeo.sends(said(romeo.full, juliet.full, 2 * n))
      juliet.sends(said(juliet.full, romeo.full, 2 * n + 1))
      const goer = n % 2 === 0 ? romeo : juliet
      await goer.vanishes()
      await goer.resumes()
      await juliet.receives(said(romeo.full, juliet.full, 2 * n))
      await romeo.receives(said(juliet.full, romeo.full, 2 * n + 1))
    }
  }),

  play('a client that never comes back', { cast, only: 'simulated' }, async ({ romeo, juliet }, stage) => {
    await juliet.comesOnline()
    await juliet.counts()
    await romeo.connects()
    await juliet.vanishes()
    romeo.sends(said(romeo.full, juliet.full, 1))
    await stage.passes(301_000)
    await juliet.comesOnline()
    await juliet.receives(
      xml`<message from='${romeo.full}' to='${juliet.full}' id='1' type='chat'><body>1</body><delay xmlns='urn:xmpp:delay' from='localhost' stamp='*'/></message>`,
    )
  }),
]
