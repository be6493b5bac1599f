// Goes through a ledger, transaction by transaction.

import { recompute } from "./decisions.mjs";
import { readLedger } from "./ledger.mjs";
import { Tree } from "./merkle.mjs";
import { PROPOSALS_INFO, SERVICE_INFO, SIGNATURES } from "./names.mjs";
import { Outside } from "./outside.mjs";
import { Report } from "./report.mjs";
import { ONLY, State, jsonOf } from "./state.mjs";

export class Audit {
  #state = new State();
  #outside = new Outside();
  #report = new Report();
  #tree;

  constructor({ checksIds }) {
    this.#tree = checksIds ? new Tree() : undefined;
  }

  async run(directory) {
    for (const entry of readLedger(directory)) {
      await this.#take(entry);
    }
    return this.#report;
  }

  async #take(entry) {
    this.#report.transactions += 1;
    const root = this.#tree?.root();
    this.#checkRoot(entry, root);
    if (entry.tables.has(PROPOSALS_INFO)) {
      await recompute({ entry, state: this.#state, report: this.#report, root });
    } else if (this.#state.get(SERVICE_INFO, ONLY) !== undefined) {
      this.#outside.check(entry, this.#state, this.#report);
    }
    this.#state.apply(entry.seqno, entry.tables);
    this.#tree?.append(entry.leaf());
  }

  #checkRoot(entry, root) {
    const signature = entry.tables.get(SIGNATURES)?.get(ONLY);
    if (root === undefined || !signature) {
      return;
    }
    const signed = jsonOf(signature).root;
    if (signed !== root.toString("hex")) {
      this.#report.difference(entry, undefined, "signed root", root.toString("hex"), signed);
    }
  }
}
