/** XEP-0494: somebody loses her phone, and signs it out from her laptop. */
import assert from 'node:assert/strict'
import { StanzaError } from '../src/stanza/error.ts'
import type { Actor } from './language/actor.ts'
import { play, xml } from './language/index.ts'

const agent = (id: string, device: string) => ({ sasl: { agent: { id, software: 'Awesome', device } } })
const cast = {
  romeo: 'romeo@localhost/orchard',
  laptop: { as: 'juliet@localhost', ...agent('0b0c0f2e-3f4c-4c15-9f3e-6a4f5a1b2c3d', 'laptop') },
  phone: { as: 'juliet@localhost', ...agent('d4565fa7-4d72-4749-b3d3-740edbf87770', 'phone') },
}

/** The names of the devices that have access, with their ids. */
async function devices(asker: Actor): Promise<ReadonlyMap<string, string>> {
  const answer = await asker.client.request(xml`<iq type='get'><list xmlns='urn:xmpp:cam:0'/></iq>`)
  assert.ok(!(answer instanceof StanzaError))
  const clients = answer.child('clients', 'urn:xmpp:cam:0')?.elements ?? []
  return new Map(
    clients.map((el) => [
      el.child('user-agent', 'urn:xmpp:cam:0')?.childText('device', 'urn:xmpp:cam:0') ?? '',
      el.attr('id') ?? '',
    ]),
  )
}

export default [
  play('a lost phone is signed out', { cast }, async ({ romeo, laptop, phone }) => {
    await phone.connects()
    await phone.counts()
    await laptop.connects()
    const id = (await devices(laptop)).get('phone') ?? assert.fail('the phone is not listed')
    const revoke = xml`<iq type='set' id='r'><revoke xmlns='urn:xmpp:cam:0' id='${id}'/></iq>`

    // It knows the password.
    laptop.sends(revoke)
    await laptop.receives(
      xml`<iq from='${laptop.bare}' type='error' id='r'>
        <error type='cancel'>
          <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>
          <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>this client knows the password: change it</text>
          <password-reset-required xmlns='urn:xmpp:cam:0'/>
        </error>
      </iq>`,
    )
    laptop.sends(
      xml`<iq type='set' to='localhost' id='p'>
        <query xmlns='jabber:iq:register'><username>juliet</username><password>new</password></query>
      </iq>`,
    )
    await laptop.receives(xml`<iq from='localhost' type='result' id='p'/>`)

    await romeo.connects()
    romeo.sends(xml`<iq type='set' to='${laptop.bare}' id='r'><revoke xmlns='urn:xmpp:cam:0' id='${id}'/></iq>`)
    await romeo.receives(
      xml`<iq from='${laptop.bare}' type='error' id='r'>
        <error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>
      </iq>`,
    )

    laptop.sends(revoke)
    await laptop.receives(xml`<iq from='${laptop.bare}' type='result' id='r'/>`)
    await phone.isClosed('not-authorized')
    await phone.isRefused('not-authorized')
    assert.deepEqual([...(await devices(laptop)).keys()], ['laptop'])
    await laptop.closes()
    await laptop.connects({ password: 'new' })
  }),
]
