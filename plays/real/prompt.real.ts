// needs: slixmpp
/** The command on a terminal, a pseudo terminal as `ssh` has one: what is typed as a password is never shown. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { root } from '../../tools/lib/repository.ts'
import { Place } from '../../tools/real/foreign.ts'
import { program } from '../../tools/real/programs.ts'
import { Started } from './started.ts'

const command = `${root}/bin/ratatosk`

/** What a person sees who types these answers. */
async function typed(place: Place, answers: readonly string[], argv: readonly string[]) {
  const script = `${root}/plays/real/clients/typist.py`
  // The Python of slixmpp is Debian's, which every user may run.
  const typist = place.start(program('slixmpp'), [script, JSON.stringify(answers), ...argv])
  assert.equal(await typist.ended, 0, typist.output)
  const line = typist.output.split('\n').find((text) => text.startsWith('{')) ?? ''
  return JSON.parse(line) as { readonly shown: string; readonly exit: number }
}

it('a password that is typed as fast as a machine types is not echoed', async () => {
  await using place = new Place('real-prompt')
  await Started.start(place, ['juliet'])
  const config = ['--config', place.path('ratatosk.yaml')]
  for (let i = 0; i < 3; i++) {
    const secret = `geheim${i}`
    const argv = [command, 'account', 'passwd', 'juliet@localhost', ...config]
    const { shown, exit } = await typed(place, [secret, secret], argv)
    assert.equal(exit, 0, shown)
    assert.match(shown, /^password: \r\npassword again: \r\nAccount +juliet@localhost\r\nResult +changed\r\n$/)
  }
  const differ = await typed(place, ['one', 'another'], [command, 'account', 'add', 'romeo@localhost', ...config])
  assert.equal(differ.exit, 2)
  assert.match(differ.shown, /^password: \r\npassword again: \r\nratatosk: the two are not the same /)
  const interrupted = await typed(place, ['half\u0003'], [command, 'account', 'add', 'romeo@localhost', ...config])
  assert.deepEqual(interrupted, { shown: 'password: \r\n', exit: 130 })
})

it('a person sees how far a long list is', async () => {
  await using place = new Place('real-list')
  await Started.start(place, [])
  const people = Array.from({ length: 150 }, (_, n) => `name${n}@localhost the password of ${n}`)
  const file = place.write('people.txt', [...people, 'name7@localhost again', ''].join('\n'))
  const line = `"$0" account add --config ${place.path('ratatosk.yaml')} < ${file}`
  const { shown, exit } = await typed(place, [], ['/bin/sh', '-c', line, command])
  assert.equal(exit, 1, shown)
  assert.match(shown, /\r\u001b\[K\d+ done, 0 refused, \d+ a second/)
  assert.match(shown, /line 151: name7@localhost exists already \(RTK_ACCOUNT_EXISTS\)\r\n/)
  assert.match(shown, /\n150 done, 1 refused\r\n$/)
})
