// The root over all transactions so far. Leaf 0 is 32 zero bytes; an odd last node is promoted.

import { sha256 } from "./ledger.mjs";

export class Tree {
  // Roots of full subtrees, the largest first, with their heights.
  #full = [{ height: 0, digest: Buffer.alloc(32) }];

  append(leaf) {
    this.#full.push({ height: 0, digest: leaf });
    for (;;) {
      const [left, right] = this.#full.slice(-2);
      if (right === undefined || left.height !== right.height) {
        return;
      }
      this.#full.splice(-2, 2, { height: left.height + 1, digest: sha256(left.digest, right.digest) });
    }
  }

  root() {
    return this.#full.map(({ digest }) => digest).reduceRight((right, left) => sha256(left, right));
  }
}
