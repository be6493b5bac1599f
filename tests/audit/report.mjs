// What was found, for people and for programs.

export class Report {
  transactions = 0;
  proposals = new Set();
  ballots = 0;
  decisions = {};
  states = {};
  taken = {};
  limits = [];
  differences = [];

  decided(kind, { id, state, ballots, taken }) {
    this.decisions[kind] = (this.decisions[kind] ?? 0) + 1;
    this.states[state] = (this.states[state] ?? 0) + 1;
    this.ballots += ballots;
    this.proposals.add(id);
    taken.forEach((table) => (this.taken[table] = (this.taken[table] ?? 0) + 1));
  }

  limited({ view, seqno }, proposal, what) {
    this.limits.push({ seqno, transaction: `${view}.${seqno}`, proposal, what });
  }

  difference({ view, seqno }, proposal, what, expected, found) {
    this.differences.push({ seqno, transaction: `${view}.${seqno}`, proposal, what, expected, found });
  }

  agrees() {
    return this.differences.length === 0;
  }

  asJson() {
    return JSON.stringify({
      agrees: this.agrees(),
      transactions: this.transactions,
      proposals: this.proposals.size,
      decisions: this.decisions,
      decisionsRecomputed: this.count(),
      states: this.states,
      ballotsRun: this.ballots,
      takenFromTheLedger: this.taken,
      limits: this.limits,
      differences: this.differences,
    });
  }

  count() {
    return Object.values(this.decisions).reduce((sum, count) => sum + count, 0);
  }

  asText() {
    return [
      `${this.transactions} transactions, ${this.proposals.size} proposals`,
      `${this.count()} decisions recomputed: ${counted(this.decisions)}`,
      `  they left the proposals: ${counted(this.states)}`,
      `  ballots run: ${this.ballots}`,
      ...Object.entries(this.taken).map(([table, count]) => `  taken from the ledger: ${table} (${count})`),
      ...this.limits.map(({ transaction, proposal, what }) => `  a limit at ${transaction}, ${proposal}: ${what}`),
      ...this.differences.map(describe),
      this.agrees() ? "Everything agrees." : `${this.differences.length} differences.`,
    ].join("\n");
  }
}

function counted(counts) {
  return Object.entries(counts).map(([name, count]) => `${count} ${name}`).join(", ") || "none";
}

function describe({ transaction, proposal, what, expected, found }) {
  const subject = proposal === undefined ? "" : `, proposal ${proposal}`;
  const sides = `    expected: ${short(expected)}\n    found:    ${short(found)}`;
  return `DIFFERENCE at ${transaction}${subject}: ${what}\n${sides}`;
}

function short(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text === undefined ? "nothing" : text.length > 600 ? `${text.slice(0, 600)}…` : text;
}
