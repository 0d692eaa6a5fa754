import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RealHashing, STRETCHING_AT_ONCE } from './hashing.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1')

describe('real hashing', () => {
  const hashing = new RealHashing()

  it('hashes (FIPS 180-4 examples)', () => {
    assert.equal(hex(hashing.hash('sha1', ascii('abc'))), 'a9993e364706816aba3e25717850c26c9cd0d89d')
    assert.equal(
      hex(hashing.hash('sha256', ascii('abc'))),
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
    assert.equal(hashing.hash('sha512', ascii('')).length, 64)
  })

  it('authenticates (RFC 2202 and 4231, case 2)', () => {
    const key = ascii('Jefe')
    const data = ascii('what do ya want for nothing?')
    assert.equal(hex(hashing.hmac('sha1', key, data)), 'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79')
    assert.equal(
      hex(hashing.hmac('sha256', key, data)),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    )
  })

  it('stretches (RFC 6070), a few at a time, all in the end', async () => {
    const vectors = [
      hashing.pbkdf2('sha1', 'password', ascii('salt'), 1),
      hashing.pbkdf2('sha1', 'password', ascii('salt'), 2),
      hashing.pbkdf2('sha1', 'password', ascii('salt'), 4096),
      hashing.pbkdf2('sha256', 'password', ascii('salt'), 1),
    ]
    assert.equal(hashing.waiting, vectors.length - STRETCHING_AT_ONCE)
    const bad = assert.rejects(hashing.pbkdf2('sha1', 'password', ascii('salt'), 0), RangeError)
    assert.deepEqual((await Promise.all(vectors)).map(hex), [
      '0c60c80f961f0e71f3a9b524af6012062fe037a6',
      'ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957',
      '4b007901b765489abead49d926f721d065a429c1',
      '120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b',
    ])
    await bad
    assert.equal(hashing.waiting, 0)
    assert.equal(
      hex(await hashing.pbkdf2('sha1', 'password', ascii('salt'), 1)),
      '0c60c80f961f0e71f3a9b524af6012062fe037a6',
    )
  })

  it('SES-06: the loop turns while a password is stretched, and a crowd waits without holding it', async () => {
    let turns = 0
    let isOver = false
    const turn = () => {
      turns++
      if (!isOver) setImmediate(turn)
    }
    // One that stretched at once, and only answered later, would answer before the loop's next turn.
    setImmediate(turn)
    await hashing.pbkdf2('sha512', 'password', ascii('salt'), 20_000)
    const alone = turns
    await Promise.all(Array.from({ length: 20 }, () => hashing.pbkdf2('sha512', 'password', ascii('salt'), 2_000)))
    isOver = true
    assert.ok(alone > 0 && turns > alone + 20 / STRETCHING_AT_ONCE / 2, `${alone} and ${turns} turns`)
  })

  it('compares', () => {
    assert.equal(hashing.equal(ascii('abc'), ascii('abc')), true)
    assert.equal(hashing.equal(ascii('abc'), ascii('abd')), false)
    assert.equal(hashing.equal(ascii('abc'), ascii('abcd')), false)
    assert.equal(hashing.equal(ascii(''), ascii('')), true)
  })
})
