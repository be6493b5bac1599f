// The answers behind the globals of a script (globals.js): tables with their rules, certificates, chance.
//
// Which tables a script may use (CCF, read and write restrictions):
//
//                                   validate, resolve, ballots     apply
//   public:ccf.internal.*           read                           read
//   public:ccf.gov.*                read                           read and write
//   public:cgs.*, public:ccf.*      nothing                        nothing
//   other public tables             nothing                        write
//   private tables                  nothing                        nothing
//
// A table is visited in the order of the bytes of its keys, as it was when the visit began, own writes included. A
// script may read so many times, so many bytes, and write so many.

import { types } from "node:util";

import { idOf, isBundle, isChain, isEncryptionKey } from "./certificates.mjs";
import { isSignature, jwkToPem, pemToJwk } from "./keys.mjs";
import { sha256 } from "./ledger.mjs";
import { randomFrom } from "./random.mjs";
import { binaryOf, isReadable } from "./state.mjs";
import { tcbPolicy } from "./tcb.mjs";

const MOST_READS = 20_000;
const MOST_READ_BYTES = 32 << 20;
const MOST_WRITTEN_BYTES = 8 << 20;
const MOST_EFFECTS = 64;
const MOST_CERTIFICATES = 64;
const MOST_CERTIFICATE_REQUEST_BYTES = 16 << 10;
const DOCUMENTATION = "https://microsoft.github.io/CCF/main/audit/read_write_restrictions.html";

// What a host function throws into the script.
class Refusal extends Error {
  constructor(kind, text) {
    super(text);
    this.kind = kind;
  }
}

export class Host {
  #draft;
  #applies;
  #random;
  #constitutions;
  #certify;
  #certificates = 0;
  #effectBytes = 0;
  #tables = new Map();
  #reads = 0;
  #readBytes = 0;
  #writtenBytes = 0;
  effects = [];
  // True while the module is evaluated: its top level may not look at tables.
  isEvaluating = true;
  // How the call ended.
  result = undefined;
  // The constitution that must be judged before this call can be answered.
  unjudged = undefined;

  // `constitutions` maps texts that were judged to what is wrong with them, or to null; `certify` gives the certificate
  // that `apply` asks for.
  constructor({ draft, applies, seed, constitutions, certify }) {
    this.#draft = draft;
    this.#applies = applies;
    this.#random = randomFrom(seed);
    this.#constitutions = constitutions;
    this.#certify = certify;
  }

  // The bridge of globals.js.
  bridge = (name, ...details) => {
    try {
      const value = this.#answer(name, details);
      return value === undefined ? '["nothing"]' : JSON.stringify(["value", value]);
    } catch (error) {
      const kind = error instanceof Refusal ? error.kind : "Error";
      return JSON.stringify(["throw", kind, String(error.message)]);
    }
  };

  // What the script wrote: table, key, value or null.
  writes() {
    return [...this.#tables].flatMap(([table, { own }]) => [...own].map(([key, value]) => [table, key, value]));
  }

  #answer(name, [one, two, three, four]) {
    switch (name) {
      case "open":
        return this.#beforeTables(() => checkName(one));
      case "has":
        return this.#beforeTables(() => this.#get("has", one, two) !== undefined);
      case "get":
        return this.#beforeTables(() => this.#get("get", one, two));
      case "set":
        return this.#beforeTables(() => this.#write("set", one, two, three));
      case "delete":
        return this.#beforeTables(() => this.#write("delete", one, two, null));
      case "clear":
        return this.#beforeTables(() => this.#clear(one));
      case "entries":
        return this.#beforeTables(() => this.#entries("forEach", one));
      case "size":
        return this.#beforeTables(() => this.#entries("size", one).length);
      case "version":
        return this.#beforeTables(() => this.#version(one, two));
      case "endorse":
        return this.#certificate({ request: one, validFrom: two, days: three });
      case "renew":
        return this.#certificate({ validFrom: one, days: two });
      case "effect":
        return this.#effect(one, two, three);
      case "validateConstitution":
        return this.#validateConstitution(one);
      case "isPromise":
        return types.isPromise(one);
      case "threw":
        this.result ??= { threw: one };
        return undefined;
      case "returned":
        this.result ??= one === undefined ? { promise: true } : { json: one };
        return undefined;
      default:
        return this.#fact(name, one, two, three, four);
    }
  }

  #fact(name, one, two, three, four) {
    switch (name) {
      case "strToBuf":
        return binaryOf(one);
      case "bufToStr":
        return utf8(one);
      case "digest":
        return sha256(Buffer.from(one, "latin1")).toString("latin1");
      case "pemToId":
        return idOf(one);
      case "isBundle":
        return isBundle(one);
      case "isChain":
        return isChain(one, two);
      case "isEncryptionKey":
        return isEncryptionKey(one);
      case "verify":
        return isSignature(one, two, three, four);
      case "pemToJwk":
        return pemToJwk(one, two, three);
      case "jwkToPem":
        return jwkToPem(one, two);
      case "tcbPolicy":
        return tcbPolicy(one, two);
      case "random":
        return this.#random();
      default:
        throw new Error(`no host function ${name}`);
    }
  }

  #beforeTables(work) {
    if (this.isEvaluating) {
      throw new Refusal("Error", "ccf.kv cannot be used while the module is evaluated");
    }
    return work();
  }

  #view(method, table, reads) {
    checkName(table);
    const access = accessTo(table, this.#applies);
    if (!access.includes(reads ? "read" : "write")) {
      const word = access === "" ? "inaccessible" : access.includes("-") ? access : `${access}-only`;
      const context = this.#applies ? "read-write" : "read-only";
      throw new Refusal(
        "TypeError",
        `Cannot call "${method}" on table named ${table}. This table is ${word} in current (${context} governance) ` +
          `execution context. See ${DOCUMENTATION} for more detail.`,
      );
    }
    const view = this.#tables.get(table) ?? { known: new Map(), isComplete: false, own: new Map() };
    this.#tables.set(table, view);
    return view;
  }

  #get(method, table, key) {
    const view = this.#view(method, table, true);
    if (view.own.has(key)) {
      return view.own.get(key) ?? undefined;
    }
    if (!view.known.has(key) && !view.isComplete) {
      this.#ask(table);
      const value = this.#draft.get(table, key);
      this.#count(value?.length ?? 0);
      view.known.set(key, value);
    }
    return view.known.get(key);
  }

  #entries(method, table) {
    const view = this.#view(method, table, true);
    if (!view.isComplete) {
      this.#ask(table);
      const rows = this.#draft.entries(table);
      this.#count(rows.reduce((sum, [key, value]) => sum + key.length + value.length, 0));
      view.known = new Map(rows);
      view.isComplete = true;
    }
    const merged = new Map([...view.known, ...view.own]);
    const rows = [...merged].filter(([, value]) => value !== undefined && value !== null);
    return rows.sort(([one], [other]) => (one < other ? -1 : 1));
  }

  #version(table, key) {
    this.#view("getVersionOfPreviousWrite", table, true);
    this.#ask(table);
    return this.#draft.written(table, key);
  }

  #write(method, table, key, value) {
    const view = this.#view(method, table, false);
    this.#writtenBytes += key.length + (value?.length ?? 0);
    if (this.#writtenBytes > MOST_WRITTEN_BYTES) {
      throw new Refusal("Error", `a script may write at most ${MOST_WRITTEN_BYTES} bytes`);
    }
    view.own.set(key, value);
    return undefined;
  }

  #clear(table) {
    this.#view("clear", table, false);
    for (const [key] of this.#entries("clear", table)) {
      this.#write("clear", table, key, null);
    }
  }

  #ask() {
    this.#reads += 1;
    if (this.#reads > MOST_READS) {
      throw new Refusal("Error", `a script may read tables at most ${MOST_READS} times`);
    }
  }

  #count(bytes) {
    this.#readBytes += bytes;
    if (this.#readBytes > MOST_READ_BYTES) {
      throw new Refusal("Error", `a script may read at most ${MOST_READ_BYTES} bytes of tables`);
    }
  }

  #effect(name, one, two) {
    if (this.isEvaluating) {
      throw new Refusal("Error", "ccf.node cannot be used while the module is evaluated");
    }
    if (this.effects.length >= MOST_EFFECTS) {
      throw new Refusal("Error", `a script may trigger at most ${MOST_EFFECTS} things`);
    }
    this.#effectBytes += Buffer.byteLength((one ?? "") + (two ?? ""));
    if (this.#effectBytes > MOST_WRITTEN_BYTES) {
      throw new Refusal("Error", `what a script triggers may have at most ${MOST_WRITTEN_BYTES} bytes`);
    }
    if (name === "setTokenKeys" && !isReadable(two)) {
      throw new Refusal("TypeError", "the JWK set is not usable: ");
    }
    this.effects.push({ name, one, two });
    return undefined;
  }

  #certificate(wanted) {
    if (!Number.isInteger(wanted.days) || wanted.days < 1 || wanted.days > 0xffffffff) {
      throw new Refusal("RangeError", "a certificate is valid for a whole number of days, at least 1");
    }
    return this.#beforeTables(() => {
      this.#certificates += 1;
      if (this.#certificates > MOST_CERTIFICATES) {
        throw new Refusal("Error", `a script may ask for at most ${MOST_CERTIFICATES} certificates`);
      }
      if (Buffer.byteLength((wanted.request ?? "") + wanted.validFrom) > MOST_CERTIFICATE_REQUEST_BYTES) {
        const most = MOST_CERTIFICATE_REQUEST_BYTES;
        throw new Refusal("Error", `a certificate may be asked for with at most ${most} bytes`);
      }
      this.#ask();
      return this.#certify(wanted);
    });
  }

  // Judging loads a module, which Node.js does not do at once: the call is made again when the answer is known.
  #validateConstitution(text) {
    if (this.isEvaluating) {
      throw new Refusal("Error", "ccf.gov cannot be used while the module is evaluated");
    }
    if (!this.#constitutions.has(text)) {
      this.unjudged ??= text;
    }
    const fault = this.#constitutions.get(text) ?? null;
    if (fault !== null) {
      throw new Refusal("Error", `the constitution is not valid: ${fault}`);
    }
    return undefined;
  }
}

function checkName(table) {
  const isKnown = table.startsWith("public:ccf.gov.") || table.startsWith("public:ccf.internal.");
  const prefix = ["ccf.", "public:ccf.", "public:cgs."].find((one) => !isKnown && table.startsWith(one));
  if (prefix !== undefined) {
    throw new Refusal("Error", `Map name '${table}' includes disallowed reserved prefix '${prefix}'`);
  }
}

function accessTo(table, applies) {
  if (table.startsWith("public:ccf.internal.")) {
    return "read";
  }
  if (table.startsWith("public:ccf.gov.")) {
    return applies ? "read-write" : "read";
  }
  return table.startsWith("public:") && applies ? "write" : "";
}

function utf8(binary) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(binary, "latin1"));
  } catch {
    throw new Refusal("TypeError", "the bytes are not UTF-8 text");
  }
}
