// `Math.random` as scripts of governance see it: xoshiro256** (https://prng.di.unimi.it), whose four words are the
// SHA-256 of the seed, each read as u64 LE; a number is the upper 53 bits of a step, divided by 2^53.

import { sha256 } from "./ledger.mjs";

const MASK = (1n << 64n) - 1n;
const rotate = (word, by) => ((word << by) | (word >> (64n - by))) & MASK;

// A function that gives the next number.
export function randomFrom(seed) {
  const mixed = sha256(seed);
  let [a, b, c, d] = [0, 8, 16, 24].map((at) => mixed.readBigUInt64LE(at));
  return () => {
    const result = (rotate((b * 5n) & MASK, 7n) * 9n) & MASK;
    const shifted = (b << 17n) & MASK;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 45n);
    return Number(result >> 11n) / 2 ** 53;
  };
}
