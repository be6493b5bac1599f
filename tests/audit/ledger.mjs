// The ledger files of CCF: chunks of entries, read with nothing but the documented layout.
//
// A chunk is 8 bytes (u64 LE: where the table of positions begins, 0 while the chunk is being written), entries back to
// back, and the table of positions. An entry is
//
//   u8 version = 1 | u8 flags | u48 LE size of the rest | 16 tag | 12 iv | u64 LE P | P bytes in the clear | ciphertext
//
// and its clear part is
//
//   u8 type | u64 seqno | 32 claims digest | 32 commit evidence digest | u64 | maps to the end
//   map: name | u64 | u64 | u64 n | n * (key value) | u64 m | m * key        (name, key, value: u64 LE length, bytes)
//
// Keys and values are kept as strings with one character per byte ("binary strings"): they compare like bytes.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const HEADER = 8;
const FILE = /^ledger_(\d+)(-\d+)?(\.committed)?(\.recovery)?$/;

// All entries of a ledger directory in order, those of the chunk that is being written included.
export function* readLedger(directory) {
  let expected = 1;
  for (const name of chunkNames(directory)) {
    for (const entry of readChunk(readFileSync(join(directory, name)), name)) {
      if (entry.seqno !== expected) {
        throw new Error(`${name}: found seqno ${entry.seqno} where ${expected} must be`);
      }
      expected += 1;
      yield entry;
    }
  }
}

function chunkNames(directory) {
  const chunks = readdirSync(directory).flatMap((name) => {
    const match = FILE.exec(name);
    return match === null ? [] : [{ name, start: Number(match[1]) }];
  });
  if (chunks.length === 0) {
    throw new Error(`${directory} has no file ledger_N`);
  }
  return chunks.sort((one, other) => one.start - other.start).map(({ name }) => name);
}

function* readChunk(bytes, name) {
  const table = new Cursor(bytes, name).u64();
  const end = table === 0 ? bytes.length : table;
  for (let at = HEADER; at < end; ) {
    // A crash may leave half an entry at the end of the chunk that was being written: it was never answered.
    if (table === 0 && (at + HEADER > end || at + HEADER + bytes.readUIntLE(at + 2, 6) > end)) {
      return;
    }
    const size = HEADER + bytes.readUIntLE(at + 2, 6);
    yield readEntry(bytes.subarray(at, at + size), name);
    at += size;
  }
}

function readEntry(bytes, name) {
  const iv = bytes.subarray(24, 36);
  const view = iv.readUInt32LE(8) & 0x7fffffff;
  const length = Number(bytes.readBigUInt64LE(36));
  const cursor = new Cursor(bytes.subarray(44, 44 + length), name);
  const type = cursor.take(1)[0];
  const seqno = cursor.u64();
  const claims = [2, 4].includes(type) ? cursor.take(32) : undefined;
  const evidence = [3, 4].includes(type) ? cursor.take(32) : undefined;
  if (![0, 2, 3, 4].includes(type)) {
    throw new Error(`${name}: the entry at seqno ${seqno} has type ${type}`);
  }
  cursor.u64();
  const tables = new Map();
  while (!cursor.isAtEnd()) {
    tables.set(cursor.text(), readWrites(cursor));
  }
  const digests = [evidence, claims].filter((digest) => digest !== undefined);
  return { seqno, view, tables, leaf: () => leaf(bytes, digests) };
}

// Key to value, or to null where the key was removed.
function readWrites(cursor) {
  cursor.u64();
  cursor.u64();
  const writes = new Map();
  for (let left = cursor.u64(); left > 0; left--) {
    const key = cursor.text();
    writes.set(key, cursor.text());
  }
  for (let left = cursor.u64(); left > 0; left--) {
    writes.set(cursor.text(), null);
  }
  return writes;
}

// What the Merkle tree has of an entry.
function leaf(bytes, digests) {
  return sha256(sha256(bytes), ...digests);
}

export function sha256(...parts) {
  const hash = createHash("sha256");
  parts.forEach((part) => hash.update(part));
  return hash.digest();
}

class Cursor {
  #bytes;
  #at = 0;
  #name;

  constructor(bytes, name) {
    this.#bytes = bytes;
    this.#name = name;
  }

  isAtEnd() {
    return this.#at === this.#bytes.length;
  }

  take(count) {
    if (this.#at + count > this.#bytes.length) {
      throw new Error(`${this.#name}: an entry ends too early`);
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  u64() {
    return Number(this.take(8).readBigUInt64LE());
  }

  text() {
    return this.take(this.u64()).toString("latin1");
  }
}
