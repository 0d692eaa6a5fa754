/** XEP-0115: what a client can do is asked for once, whoever advertises it; the server tells of itself likewise. */
import assert from 'node:assert/strict'
import { type Actor, play, type Stage, xml } from './language/index.ts'

const cast = { romeo: 'romeo@localhost/orchard', nurse: 'nurse@localhost/chamber' }

/** Section 5.2: its verification string. */
const exodus = xml`<presence>
  <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://code.google.com/p/exodus' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>
</presence>`
const question = xml`<iq from='localhost' type='get'>
  <query xmlns='http://jabber.org/protocol/disco#info' node='http://code.google.com/p/exodus#QgayPKawpkPSDYmwT/WM94uAlu0='/>
</iq>`

/** The id of the question that has come. */
async function asked(actor: Actor, stage: Stage): Promise<string> {
  await stage.settles()
  return actor.unread.find((el) => el.name === 'iq')?.attr('id') ?? assert.fail(`${actor.name} was not asked`)
}

const answer = (id: string) => xml`<iq to='localhost' type='result' id='${id}'>
  <query xmlns='http://jabber.org/protocol/disco#info' node='http://code.google.com/p/exodus#QgayPKawpkPSDYmwT/WM94uAlu0='>
    <identity category='client' name='Exodus 0.9.1' type='pc'/>
    <feature var='http://jabber.org/protocol/caps'/>
    <feature var='http://jabber.org/protocol/disco#info'/>
    <feature var='http://jabber.org/protocol/disco#items'/>
    <feature var='http://jabber.org/protocol/muc'/>
  </query>
</iq>`

export default [
  play(
    'one client is asked what it can do, and the next of its kind is not',
    { cast },
    async ({ romeo, nurse }, stage) => {
      await romeo.connects()
      romeo.sends(exodus)
      const id = await asked(romeo, stage)
      await romeo.receives(question, exodus.withAttrs({ from: romeo.full }))
      romeo.sends(answer(id))
      await stage.settles()
      await nurse.comesOnline(exodus)
    },
  ),

  play(
    'who lies about it is not believed: the next of its kind is asked',
    { cast },
    async ({ romeo, nurse }, stage) => {
      await romeo.connects()
      romeo.sends(exodus)
      const id = await asked(romeo, stage)
      await romeo.receives(question, exodus.withAttrs({ from: romeo.full }))
      romeo.sends(xml`<iq to='localhost' type='result' id='${id}'>
      <query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='pc'/><feature var='urn:example:evil'/></query>
    </iq>`)
      await stage.settles()
      await nurse.connects()
      nurse.sends(exodus)
      const next = await asked(nurse, stage)
      await nurse.receives(question, exodus.withAttrs({ from: nurse.full }))
      nurse.sends(answer(next))
    },
  ),
]
