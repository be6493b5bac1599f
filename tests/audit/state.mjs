// The public tables as of one transaction, and a transaction in the making on top of them.
//
// Keys and values are binary strings, see ledger.mjs.

const DEEPEST = 100;

export const ONLY = "\0".repeat(8);

export class State {
  #tables = new Map();

  // The value of a key, or undefined.
  get(table, key) {
    return this.#tables.get(table)?.get(key)?.value;
  }

  // The seqno of the transaction that last wrote a key, or undefined.
  written(table, key) {
    return this.#tables.get(table)?.get(key)?.seqno;
  }

  // Keys and values, in the order of the bytes of the keys.
  entries(table) {
    const rows = [...(this.#tables.get(table) ?? [])].map(([key, { value }]) => [key, value]);
    return rows.sort(byKey);
  }

  apply(seqno, tables) {
    for (const [name, writes] of tables) {
      const table = this.#tables.get(name) ?? new Map();
      this.#tables.set(name, table);
      for (const [key, value] of writes) {
        if (value === null) {
          table.delete(key);
        } else {
          table.set(key, { value, seqno });
        }
      }
    }
  }
}

// A view of a state that sees its own writes, and collects them: table to key to value, or to null for a removal.
export class Draft {
  #base;
  writes = new Map();

  constructor(base) {
    this.#base = base;
  }

  get(table, key) {
    const own = this.writes.get(table);
    return own?.has(key) ? (own.get(key) ?? undefined) : this.#base.get(table, key);
  }

  has(table, key) {
    return this.get(table, key) !== undefined;
  }

  entries(table) {
    const rows = new Map(this.#base.entries(table));
    for (const [key, value] of this.writes.get(table) ?? []) {
      if (value === null) {
        rows.delete(key);
      } else {
        rows.set(key, value);
      }
    }
    return [...rows].sort(byKey);
  }

  // The value before this transaction.
  before(table, key) {
    return this.#base.get(table, key);
  }

  // Who wrote it before this transaction.
  written(table, key) {
    return this.#base.written(table, key);
  }

  put(table, key, value) {
    const own = this.writes.get(table) ?? new Map();
    this.writes.set(table, own);
    own.set(key, value);
  }

  remove(table, key) {
    this.put(table, key, null);
  }

  copyOfWrites() {
    return new Map([...this.writes].map(([table, writes]) => [table, new Map(writes)]));
  }
}

export function byKey([one], [other]) {
  return one < other ? -1 : Number(one > other);
}

// The text behind a binary string, and back.
export function textOf(binary) {
  return Buffer.from(binary, "latin1").toString("utf8");
}

export function binaryOf(text) {
  return Buffer.from(text, "utf8").toString("latin1");
}

// The JSON behind a binary string; undefined stays what it is.
export function jsonOf(binary) {
  return binary === undefined ? undefined : JSON.parse(textOf(binary));
}

// JSON as the service itself writes it: compact, members in the order of their names.
export function sortedJson(value) {
  if (Array.isArray(value)) {
    return `[${value.map(sortedJson).join(",")}]`;
  }
  if (value === null || typeof value !== "object") {
    return JSON.stringify(value);
  }
  const members = Object.keys(value).filter((name) => value[name] !== undefined);
  const ordered = members.map((name) => [binaryOf(name), name]).sort(byKey);
  return `{${ordered.map(([, name]) => `${JSON.stringify(name)}:${sortedJson(value[name])}`).join(",")}}`;
}

// Whether the service reads what JSON.stringify wrote: no halves of characters, and not nested too deeply.
export function isReadable(json) {
  let [depth, deepest] = [0, 0];
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[{]|[\]}]/g)) {
    depth += token === "[" || token === "{" ? 1 : token === "]" || token === "}" ? -1 : 0;
    deepest = Math.max(deepest, depth);
  }
  return deepest <= DEEPEST && !/(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(json);
}
