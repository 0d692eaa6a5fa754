import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readProxyHeader } from './proxy-header.ts'

const ascii = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0))
const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
const binary = (command: number, family: number, body: readonly number[]) =>
  Uint8Array.from([...signature, command, family, body.length >> 8, body.length & 255, ...body])

const good: readonly (readonly [string, Uint8Array, string | undefined, number])[] = [
  ['version 1, IPv4', ascii('PROXY TCP4 192.0.2.7 192.0.2.1 56324 5222\r\n'), '192.0.2.7', 56_324],
  ['version 1, IPv6', ascii('PROXY TCP6 2001:db8::7 2001:db8::1 56324 5222\r\n'), '2001:db8::7', 56_324],
  ['version 1, IPv6, mapped', ascii('PROXY TCP6 ::ffff:192.0.2.7 ::1 56324 5222\r\n'), '::ffff:192.0.2.7', 56_324],
  ['version 1, the ends of the ranges', ascii('PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n'), '0.0.0.0', 0],
  ['version 1, unknown', ascii('PROXY UNKNOWN ffff:f:f ffff:f:f 65535 65535\r\n'), undefined, 0],
  ['version 2, IPv4', binary(0x21, 0x11, [192, 0, 2, 7, 192, 0, 2, 1, 0xdc, 4, 0x14, 0x66]), '192.0.2.7', 56_324],
  [
    'version 2, IPv6 with a TLV',
    binary(0x21, 0x21, [...new Array(15).fill(0), 1, ...new Array(15).fill(0), 2, 0xdc, 4, 0x14, 0x66, 4, 0, 1, 0]),
    '0:0:0:0:0:0:0:1',
    56_324,
  ],
  ['version 2, local', binary(0x20, 0, []), undefined, 0],
  ['version 2, Unix', binary(0x21, 0x31, new Array(216).fill(0)), undefined, 0],
]

const bad: readonly (readonly [string, Uint8Array])[] = [
  ['no header', ascii('<?xml version')],
  ['half a signature, then other bytes', Uint8Array.from([0x0d, 0x0a, 0x41])],
  ['a line without CR', ascii('PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n')],
  ['a line without end', ascii(`PROXY TCP4 ${'1'.repeat(120)}`)],
  ['a port too high', ascii('PROXY TCP4 192.0.2.7 192.0.2.1 65536 5222\r\n')],
  ['an address that is none', ascii('PROXY TCP4 nobody 192.0.2.1 1 5222\r\n')],
  ['a number too high in an address', ascii('PROXY TCP4 999.0.2.1 192.0.2.1 1 5222\r\n')],
  ['a leading zero in an address', ascii('PROXY TCP4 192.0.02.7 192.0.2.1 1 5222\r\n')],
  ['a leading zero in a port', ascii('PROXY TCP4 192.0.2.7 192.0.2.1 01 5222\r\n')],
  ['a destination that is none', ascii('PROXY TCP4 192.0.2.7 192.0.2.256 1 5222\r\n')],
  ['colons that are no address', ascii('PROXY TCP6 :::: 2001:db8::1 1 5222\r\n')],
  ['an IPv6 address too long', ascii('PROXY TCP6 1:2:3:4:5:6:7:8:9 2001:db8::1 1 5222\r\n')],
  ['an IPv6 address with a zone', ascii('PROXY TCP6 fe80::1%eth0 2001:db8::1 1 5222\r\n')],
  ['an IPv6 destination that is none', ascii('PROXY TCP6 2001:db8::1 2001:db8 1 5222\r\n')],
  ['IPv4 as TCP6', ascii('PROXY TCP6 192.0.2.7 192.0.2.1 1 5222\r\n')],
  ['IPv6 as TCP4', ascii('PROXY TCP4 2001:db8::7 2001:db8::1 1 5222\r\n')],
  ['too many words', ascii('PROXY TCP4 192.0.2.7 192.0.2.1 1 5222 more\r\n')],
  ['another family', ascii('PROXY UDP4 192.0.2.7 192.0.2.1 1 5222\r\n')],
  ['version 3', binary(0x31, 0x11, new Array(12).fill(0))],
  ['an unknown command', binary(0x22, 0x11, new Array(12).fill(0))],
  ['too short for its family', binary(0x21, 0x21, new Array(12).fill(0))],
  ['longer than any', Uint8Array.from([...signature, 0x21, 0x11, 0xff, 0xff])],
]

describe('PROXY header', () => {
  for (const [name, bytes, host, port] of good) {
    it(`is read: ${name}; whole or cut anywhere, and what follows is left`, () => {
      const followed = Uint8Array.from([...bytes, ...ascii('<stream')])
      const reading = readProxyHeader(followed)
      assert.equal(reading.kind, 'header')
      if (reading.kind !== 'header') return
      assert.equal(reading.length, bytes.length)
      assert.deepEqual(reading.source, host === undefined ? undefined : { host, port })
      for (let cut = 0; cut < bytes.length; cut++) assert.equal(readProxyHeader(bytes.subarray(0, cut)).kind, 'more')
    })
  }

  for (const [name, bytes] of bad) {
    it(`is refused: ${name}`, () => assert.equal(readProxyHeader(bytes).kind, 'fault'))
  }

  it('garbage never throws and never asks for more than a header can have', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        readProxyHeader(bytes)
        readProxyHeader(Uint8Array.from([...signature, ...bytes]))
        readProxyHeader(Uint8Array.from([...ascii('PROXY '), ...bytes]))
      }),
    )
    assert.notEqual(readProxyHeader(new Uint8Array(5000).fill(0x50)).kind, 'more')
  })
})
