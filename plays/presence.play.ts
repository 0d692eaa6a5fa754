/** RFC 6121 section 4: who is there. */
import { befriend, play, xml } from './language/index.ts'

const cast = { romeo: 'romeo@localhost/orchard', juliet: 'juliet@localhost/balcony', phone: 'juliet@localhost/phone' }

export default [
  play('a friend who comes online sees those who are', { cast }, async ({ romeo, juliet, phone }, stage) => {
    await befriend(romeo, juliet, stage)
    await phone.connects()
    const away = xml`<presence><show>away</show><status>будильник</status><priority>3</priority></presence>`
    juliet.sends(away)
    await juliet.receives(away.withAttrs({ from: juliet.full }))
    phone.sends(xml`<presence><priority>-1</priority></presence>`)
    await phone.receives(
      xml`<presence from='${phone.full}'><priority>-1</priority></presence>`,
      away.withAttrs({ from: juliet.full }),
    )
    await juliet.receives(xml`<presence from='${phone.full}'><priority>-1</priority></presence>`)

    romeo.sends(xml`<presence/>`)
    await romeo.receives(
      xml`<presence from='${romeo.full}'/>`,
      away.withAttrs({ from: juliet.full }),
      xml`<presence from='${phone.full}'><priority>-1</priority></presence>`,
    )
    for (const actor of [juliet, phone]) await actor.receives(xml`<presence from='${romeo.full}'/>`)

    // Section 4.4: a later presence goes to the same people.
    juliet.sends(xml`<presence><show>dnd</show></presence>`)
    for (const actor of [romeo, juliet, phone]) {
      await actor.receives(xml`<presence from='${juliet.full}'><show>dnd</show></presence>`)
    }

    // Section 4.5: everybody who saw her learns once that she left.
    juliet.sends(xml`<presence type='unavailable'><status>good night</status></presence>`)
    for (const actor of [romeo, juliet, phone]) {
      await actor.receives(
        xml`<presence from='${juliet.full}' type='unavailable'><status>good night</status></presence>`,
      )
    }
    await juliet.closes()
    await phone.vanishes()
    await romeo.receives(xml`<presence from='${phone.full}' type='unavailable'/>`)
  }),

  // Section 4.3.2.
  play('a probe is answered for those who may know', { cast }, async ({ romeo, juliet }, stage) => {
    await befriend(romeo, juliet, stage)
    juliet.sends(xml`<presence><show>chat</show></presence>`)
    await juliet.receives(xml`<presence from='${juliet.full}'><show>chat</show></presence>`)
    romeo.sends(xml`<presence to='${juliet.bare}' type='probe'/>`)
    await romeo.receives(xml`<presence from='${juliet.full}'><show>chat</show></presence>`)
  }),

  // The answer is `unsubscribed`, which changes nothing with him and so does not reach his client (appendix A.3.4).
  play('a probe of a stranger tells nothing', { cast }, async ({ romeo, juliet }) => {
    await romeo.connects()
    await juliet.comesOnline()
    romeo.sends(xml`<presence to='${juliet.bare}' type='probe'/>`, xml`<presence to='${juliet.full}' type='probe'/>`)
  }),

  // Section 4.6.
  play('SES-03: directed presence, and its end exactly once', { cast }, async ({ romeo, juliet }) => {
    await romeo.comesOnline()
    await juliet.comesOnline()
    romeo.sends(xml`<presence to='${juliet.full}'><status>only for thee</status></presence>`)
    await juliet.receives(xml`<presence from='${romeo.full}'><status>only for thee</status></presence>`)
    // She does not see what everybody else does.
    romeo.sends(xml`<presence><show>xa</show></presence>`)
    await romeo.receives(xml`<presence from='${romeo.full}'><show>xa</show></presence>`)
    await romeo.closes()
    await juliet.receives(xml`<presence from='${romeo.full}' type='unavailable'/>`)
  }),

  play('directed presence that was taken back is not taken back again', { cast }, async ({ romeo, juliet }) => {
    await romeo.comesOnline()
    await juliet.comesOnline()
    romeo.sends(xml`<presence to='${juliet.full}'/>`, xml`<presence to='${juliet.full}' type='unavailable'/>`)
    await juliet.receives(xml`<presence from='${romeo.full}'/>`)
    await juliet.receives(xml`<presence from='${romeo.full}' type='unavailable'/>`)
    await romeo.vanishes()
  }),
]
