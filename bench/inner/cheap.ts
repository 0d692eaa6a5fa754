/** A world that stretches passwords once instead of thousands of times: for rows that measure sessions, not sign-ins. */

import type { Hashing } from '../../src/world/hashing.types.ts'
import { createWorld } from '../../src/world/index.ts'
import type { World } from '../../src/world/world.types.ts'

export function cheapWorld(): World {
  const world = createWorld()
  const { hashing } = world
  const cheap: Hashing = {
    hmac: (...given) => hashing.hmac(...given),
    hash: (...given) => hashing.hash(...given),
    equal: (...given) => hashing.equal(...given),
    pbkdf2: (name, password, salt) => hashing.pbkdf2(name, password, salt, 1),
  }
  return { ...world, hashing: cheap }
}
