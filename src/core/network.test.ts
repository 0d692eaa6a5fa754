import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inNetwork, parseAddress, parseNetwork } from './network.ts'

test('addresses are read, mapped ones as IPv4', () => {
  assert.deepEqual(parseAddress('192.0.2.1'), [192, 0, 2, 1])
  assert.deepEqual(parseAddress('::ffff:192.0.2.1'), [192, 0, 2, 1])
  assert.deepEqual(parseAddress('::ffff:c000:201'), [192, 0, 2, 1])
  assert.deepEqual(parseAddress('2001:db8::1'), [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  assert.deepEqual(parseAddress('fe80::1%eth0'), parseAddress('fe80:0:0:0:0:0:0:1'))
  assert.deepEqual(parseAddress('64:ff9b::192.0.2.1'), parseAddress('64:ff9b::c000:201'))
  assert.deepEqual(parseAddress('::'), Array(16).fill(0))
  assert.deepEqual(parseAddress('1:2:3:4:5:6:192.0.2.1'), parseAddress('1:2:3:4:5:6:c000:201'))
})

test('what is no address is refused', () => {
  for (const text of [
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '256.0.0.1',
    '01.2.3.4',
    '1.2.3.-4',
    'localhost',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    '::1.2.3',
    '1.2.3.4::',
    '1:2:3:4:5:6:7::8:9',
    'g::',
    '0:0:0:0:0:0:0:0::',
  ]) {
    assert.equal(parseAddress(text), undefined, text)
  }
})

test('networks hold their addresses and no others', () => {
  const rows: [string, string, boolean][] = [
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['192.0.2.128/25', '192.0.2.127', false],
    ['192.0.2.128/25', '192.0.2.255', true],
    ['192.0.2.1', '192.0.2.1', true],
    ['0.0.0.0/0', '198.51.100.7', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['2001:db8::/33', '2001:db8:7fff::', true],
    ['2001:db8::/33', '2001:db8:8000::', false],
    ['10.0.0.0/8', '::ffff:10.1.1.1', true],
  ]
  for (const [network, address, inside] of rows) {
    const net = parseNetwork(network)
    const bytes = parseAddress(address)
    assert(net !== undefined && bytes !== undefined)
    assert.equal(inNetwork(bytes, net), inside, `${address} in ${network}`)
  }
  for (const text of ['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/-1', '10.0.0/8', '/8']) {
    assert.equal(parseNetwork(text), undefined, text)
  }
})
