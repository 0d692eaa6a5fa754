/** RFC 6121 sections 5 and 8.5: messages between two people. */
import { play, xml } from './language/index.ts'

export default [
  play(
    'a message to a full JID',
    { cast: { romeo: 'romeo@localhost/orchard', juliet: 'juliet@localhost/balcony' } },
    async ({ romeo, juliet }) => {
      await romeo.connects()
      await juliet.connects()
      romeo.sends(
        xml`<message to='${juliet.full}' type='chat' id='1'><body>Wherefore &lt;art&gt; thou, Ромео?</body></message>`,
      )
      await juliet.receives(
        xml`<message from='${romeo.full}' to='${juliet.full}' type='chat' id='1'><body>Wherefore &lt;art&gt; thou, Ромео?</body></message>`,
      )
    },
  ),
]
