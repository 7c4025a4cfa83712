// Random numbers that a seed brings back.

/** A generator of numbers in [0, 1) (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit) => Math.floor(next() * limit);
  return { next, below, pick: (list) => list[below(list.length)], chance: (share) => next() < share };
}

/** The seed: TIDINGS_TEST_SEED, or one drawn now; said aloud so that a failure can be brought back. */
export function seed() {
  const drawn = Number(process.env.TIDINGS_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`seed ${drawn} (TIDINGS_TEST_SEED)`);
  return drawn;
}
