import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jid } from '../jid/jid.ts'
import { StanzaError } from '../stanza/error.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { x } from '../xml/build.ts'
import type { Element } from '../xml/element.types.ts'
import type { Octets } from '../xml/octets.ts'
import { parseOctets } from '../xml/parse.ts'
import { serialise } from '../xml/serialise.ts'
import { bench } from './core.testing.ts'
import { hopsMax, Packet, type Settlement } from './packet.ts'
import { RouteConflict, type RouteOwner } from './router.ts'

function collector(name: string): RouteOwner & { readonly got: Packet[] } {
  const got: Packet[] = []
  return {
    name,
    got,
    receive(packet) {
      got.push(packet)
      return undefined
    },
  }
}

const message = x('message', NS_CLIENT, { id: 'm1' }, x('body', NS_CLIENT, 'hi'))

describe('router', () => {
  it('RTR-01: adds and removes routes at run time; the longest match wins', () => {
    const { core } = bench()
    const wide = collector('wide')
    const exact = collector('exact')
    const removeWide = core.router.add('example.net', wide, { subdomains: true })
    const removeExact = core.router.add('rooms.example.net', exact)
    core.send(message, jid('a@montague.net'), jid('r@rooms.example.net'))
    core.send(message, jid('a@montague.net'), jid('r@deep.other.example.net'))
    assert.deepEqual([wide.got.length, exact.got.length], [1, 1])
    removeExact()
    core.send(message, jid('a@montague.net'), jid('r@rooms.example.net'))
    assert.equal(wide.got.length, 2)
    removeWide()
    assert.equal(core.router.ownerOf(jid('a@montague.net'), jid('r@rooms.example.net')), undefined)
  })

  it('RTR-01: a domain is replaced by giving it up and taking it; of two that take subdomains the nearer one has them', () => {
    const { core } = bench()
    const [first, second, far, near] = ['first', 'second', 'far', 'near'].map(collector)
    assert.ok(first && second && far && near)
    const say = (to: string) => core.send(message, jid('a@montague.net'), jid(to))
    const giveUp = core.router.add('rooms.example', first)
    say('rooms.example')
    giveUp()
    core.router.add('rooms.example', second)
    giveUp()
    say('rooms.example')
    assert.deepEqual([first.got.length, second.got.length], [1, 1], 'a removal that comes again takes nothing away')
    core.router.add('example.net', far, { subdomains: true })
    core.router.add('near.example.net', near, { subdomains: true })
    for (const to of ['a.near.example.net', 'b.example.net', 'near.example.net']) say(to)
    assert.deepEqual([far.got.length, near.got.length], [1, 2])
  })

  it('RTR-01: domains that are equal under IDNA are one', () => {
    const { core } = bench(['montague.net'])
    const owner = collector('owner')
    core.router.add(jid('BÜCHER.example').domain, owner)
    core.send(message, jid('a@montague.net'), jid('xn--bcher-kva.example'))
    assert.equal(owner.got.length, 1)
  })

  it('refuses a second owner of a domain, unless both share it', () => {
    const { core } = bench()
    core.router.add('a.example', collector('one'))
    assert.throws(() => core.router.add('a.example', collector('two')), RouteConflict)
    assert.throws(() => core.router.add('montague.net', collector('two')), RouteConflict)
  })

  it('RTR-08: spreads over several owners, and the same address always finds the same one', () => {
    for (const balance of ['sender', 'sender-bare', 'recipient', 'recipient-bare'] as const) {
      const { core } = bench()
      const owners = [collector('one'), collector('two'), collector('three')]
      for (const owner of owners) core.router.add('b.example', owner, { balance })
      const isBySender = balance.startsWith('sender')
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 300; i++) {
          const from = isBySender ? jid(`u${i}@montague.net/r`) : jid('u@montague.net/r')
          const to = isBySender ? jid('b.example') : jid(`u${i}@b.example/r`)
          core.send(message, from, to)
        }
      }
      for (const owner of owners) {
        assert.ok(owner.got.length > 100, `${balance}: ${owner.got.length} of 600`)
        const seen = new Map<string, number>()
        for (const packet of owner.got) {
          const key = isBySender ? packet.from.toString() : packet.to.toString()
          seen.set(key, (seen.get(key) ?? 0) + 1)
        }
        assert.ok([...seen.values()].every((count) => count === 2))
      }
    }
  })

  it('RTR-03: an owner that throws, or refuses, costs one stanza', async () => {
    const { core, client, log } = bench()
    const romeo = client('romeo@montague.net/orchard')
    core.router.add('broken.example', {
      name: 'broken',
      receive() {
        throw new Error('out of order')
      },
    })
    core.router.add('strict.example', {
      name: 'strict',
      receive: () => Promise.reject(new StanzaError('RTK_TEST', 'forbidden')),
    })
    romeo.send(`<message to='broken.example' id='1'><body>x</body></message>`)
    romeo.send(`<message to='strict.example' id='2'><body>x</body></message>`)
    await new Promise((resolve) => setImmediate(resolve))
    const conditions = romeo.take().map((el) => [el.attr('id'), el.child('error')?.elements[0]?.name])
    assert.deepEqual(conditions, [
      ['1', 'internal-server-error'],
      ['2', 'forbidden'],
    ])
    assert.equal(log.lines.filter((line) => line.fields['code'] === 'RTK_HANDLER_FAILED').length, 1)
  })

  it('RTR-02, RTR-03: a service in the process and one beyond a connection own a subdomain alike; the sender cannot tell', async () => {
    const answers: (string | undefined)[][] = []
    for (const kind of ['here', 'beyond']) {
      const { core, client } = bench()
      const romeo = client('romeo@montague.net/orchard')
      const answer = (el: Element, packet: Packet) =>
        core.send(el.withAttrs({ id: `${el.attr('id')} too` }), packet.to, packet.from)
      const wire: Octets[] = []
      const owner: RouteOwner = {
        name: 'rooms',
        receive(packet) {
          if (kind === 'here') {
            answer(packet.el, packet)
            return undefined
          }
          wire.push(serialise(packet.el, ''))
          // What is beyond answers when its bytes have come back, in a later turn.
          return Promise.resolve().then(() => answer(parseOctets(wire.shift() as Octets), packet))
        },
      }
      core.router.add('rooms.montague.net', owner)
      for (const id of ['1', '2']) romeo.send(`<message to='r@rooms.montague.net' id='${id}'><body>x</body></message>`)
      await new Promise((resolve) => setImmediate(resolve))
      answers.push(romeo.take().map((el) => `${el.attr('from')} ${el.attr('id')} ${el.childText('body')}`))
    }
    assert.deepEqual(answers[0], ['r@rooms.montague.net 1 too x', 'r@rooms.montague.net 2 too x'])
    assert.deepEqual(answers[1], answers[0])
  })

  it('without a route: remote-server-not-found; the fallback takes it when there is one', () => {
    const { core, client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    romeo.send(`<message to='a@elsewhere.example' id='1'><body>x</body></message>`)
    assert.equal(romeo.take()[0]?.child('error')?.elements[0]?.name, 'remote-server-not-found')
    const s2s = collector('s2s')
    core.router.fallback = s2s
    romeo.send(`<message to='a@elsewhere.example' id='2'><body>x</body></message>`)
    assert.deepEqual(romeo.take(), [])
    assert.equal(s2s.got.length, 1)
  })

  it('RTR-07: never answers an error with an error', () => {
    const { client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    romeo.send(`<message type='error' to='a@elsewhere.example'/>`)
    romeo.send(`<iq type='result' id='1' to='a@elsewhere.example'/>`)
    assert.deepEqual(romeo.take(), [])
  })

  it('RTR-07: the route hook sees every stanza and may change or stop it', () => {
    const { core, client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    const juliet = client('juliet@capulet.com/balcony')
    const seen: string[] = []
    const { hooks } = core.hostType('default')
    hooks.on('stanza:route', 'watch', (packet) => {
      seen.push(packet.el.attr('id') ?? '')
      return undefined
    })
    hooks.on('stanza:route', 'change', (packet) =>
      packet.el.attr('id') === '2' ? { kind: 'replace', el: packet.el.withAttrs({ id: 'two' }) } : undefined,
    )
    hooks.on('stanza:route', 'stop', (packet) =>
      packet.el.attr('id') === '3' ? { kind: 'drop', reason: 'RTK_TEST' } : undefined,
    )
    const behind: (string | undefined)[] = []
    hooks.on('stanza:route', 'behind', (packet) => {
      behind.push(packet.el.attr('id'))
      return undefined
    })
    for (const id of ['1', '2', '3']) romeo.send(`<message to='juliet@capulet.com/balcony' id='${id}'/>`)
    assert.deepEqual(seen, ['1', '2', '3'])
    assert.deepEqual(behind, ['1', 'two'], 'who stands behind a change sees it, and nothing that was stopped')
    assert.deepEqual(
      juliet.take().map((el) => el.attr('id')),
      ['1', 'two'],
    )
  })

  it('ends loops: two services that answer each other stop at the hop limit', () => {
    const { core, client, log } = bench()
    const romeo = client('romeo@montague.net/orchard')
    let count = 0
    for (const [domain, other] of [
      ['x.example', 'y.example'],
      ['y.example', 'x.example'],
    ] as const) {
      core.router.add(domain, {
        name: domain,
        receive(packet) {
          count++
          core.send(packet.el, jid(domain), jid(other))
          return undefined
        },
      })
    }
    romeo.send(`<message to='x.example' id='1'/>`)
    assert.equal(count, hopsMax + 1)
    assert.ok(log.lines.some((line) => line.fields['code'] === 'RTK_ROUTE_LOOP'))
  })

  it('runs to completion: what a handler sends is delivered after the stanza it answers', () => {
    const { core, client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    const order: string[] = []
    core.router.add('s.example', {
      name: 's',
      receive(packet) {
        order.push(`begin ${packet.el.attr('id')}`)
        if (packet.el.attr('id') === '1') {
          core.send(packet.el.withAttrs({ id: '2' }), jid('s.example'), jid('s.example'))
          core.send(packet.el.withAttrs({ id: '3' }), jid('s.example'), jid('s.example'))
        }
        order.push(`end ${packet.el.attr('id')}`)
        return undefined
      },
    })
    romeo.send(`<message to='s.example' id='1'/>`)
    assert.deepEqual(order, ['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3'])
  })

  it('tells any source how its stanza ended', () => {
    const { core, client } = bench(['montague.net', 'capulet.com'], { accounts: ['juliet@capulet.com'] })
    const told: [string, Settlement][] = []
    const origin = {
      kind: 'service' as const,
      label: 'test',
      settled: (packet: Packet, how: Settlement) => told.push([packet.el.attr('id') ?? '', how]),
    }
    client('juliet@capulet.com/balcony')
    const send = (id: string, to: string, type?: string) => {
      const packet = new Packet('message', message.withAttrs({ id, type }), jid('s.example'), jid(to), origin)
      packet.wantsSettlement = true
      core.router.submit(packet)
    }
    send('handed', 'juliet@capulet.com/balcony')
    send('bounced', 'nobody@capulet.com')
    send('dropped', 'juliet@capulet.com', 'headline')
    core.hostType('default').hooks.on('message:undelivered', 'test', () => ({ kind: 'done', how: 'kept' }))
    send('kept', 'juliet@capulet.com')
    assert.deepEqual(told, [
      ['handed', 'handed'],
      ['bounced', 'bounced'],
      ['dropped', 'dropped'],
      ['kept', 'kept'],
    ])
  })
})
