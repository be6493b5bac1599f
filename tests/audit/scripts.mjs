// Runs one function of one module in a realm of its own.
//
// Scripts come from parties that distrust each other, and from those who are audited. A realm of `node:vm` alone does
// not hold a hostile script: recompute.mjs runs this in a process that may read the ledger and nothing else.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import vm from "node:vm";

import { Host } from "./host.mjs";
import { isReadable } from "./state.mjs";

const GLOBALS = new vm.Script(readFileSync(new URL("globals.js", import.meta.url), "utf8"), { filename: "ccf" });
const TIMEOUT_MS = 10_000;
const MOST_REASON_BYTES = 4 << 10;
const MOST_VALUE_BYTES = 1 << 20;

// The functions of a constitution, and how many parameters each may have.
const EXPORTS = [
  ["validate", 1, 1],
  ["resolve", 3, 4],
  ["apply", 2, 2],
];

const judged = new Map();

// Calls `name` of the module in `text`: {value, writes, effects}, or {threw}, {unusable}, {late}.
//
// `request` says when the request that is decided was made (seconds since 1970), and what chance begins with. `certify`
// see host.mjs.
export async function run({ text, name, parameters, draft, request, applies = false, certify }) {
  for (;;) {
    const host = new Host({ draft, applies, seed: request.seed, constitutions: judged, certify });
    const now = millisecondsOf(request.createdAt);
    const outcome = await attempt(host, text, name, parameters, now, applies);
    if (host.unjudged === undefined) {
      return outcome;
    }
    judged.set(host.unjudged, await faultOf(host.unjudged, now));
  }
}

// The service counts in 64 bits, with a sign.
function millisecondsOf(seconds) {
  const [most, exact] = [2n ** 63n - 1n, BigInt(seconds) * 1000n];
  return Number(exact < most ? exact : most);
}

async function attempt(host, text, name, parameters, now, applies) {
  const realm = openRealm(host, now, applies);
  let missing;
  const { failure } = await load(realm, text, (namespace) => {
    host.isEvaluating = false;
    const callee = exportOf(namespace, name);
    if (typeof callee === "function") {
      realm.call(callee, JSON.stringify(parameters));
    } else {
      missing = { unusable: `does not export a function '${name}'` };
    }
  });
  return missing ?? failure ?? outcomeOf(host, name);
}

// A fresh realm, and its function that calls another one.
function openRealm(host, now, applies) {
  const context = vm.createContext(Object.create(null), { microtaskMode: "afterEvaluate" });
  const { call, tell } = GLOBALS.runInContext(context)(host.bridge, now, applies);
  return { context, call, tell, host };
}

// A function that is called from outside has no time limit, so a script of the realm calls it.
function inTime({ context }, work) {
  const name = `call_${randomUUID().replaceAll("-", "")}`;
  context[name] = quietly(work);
  try {
    new vm.Script(`${name}()`).runInContext(context, { timeout: TIMEOUT_MS });
  } catch (error) {
    return error?.code !== "ERR_SCRIPT_EXECUTION_TIMEOUT";
  } finally {
    delete context[name];
  }
  return true;
}

// What is called behind a module's own text. Nobody can guess the name, and nobody finds it: it is imported.
const END = `end_${randomUUID().replaceAll("-", "")}`;
const SYNTAX = vm.createContext();
const compiled = new Map();

// Why a text is no module, or what helps to compile it again. Judged once, without anything behind it.
function compile(text) {
  if (!compiled.has(text)) {
    compiled.set(text, compileFirst(text));
  }
  return compiled.get(text);
}

function compileFirst(text) {
  const source = `${text}\n;import ${END} from "${END}";${END}();`;
  try {
    new vm.SourceTextModule(text, { context: SYNTAX });
    return { source, cachedData: new vm.SourceTextModule(source, { context: SYNTAX }).createCachedData() };
  } catch (error) {
    return { fault: { unusable: `does not compile: ${error.message}` } };
  }
}

// Evaluates a module, and does `then` with what it exports. The promise of Node.js for that is of no use here, since it
// belongs to the realm; so a call behind the module's own text says that its end was reached.
async function load(realm, text, then) {
  const { source, cachedData, fault } = compile(text);
  if (fault !== undefined) {
    return { failure: fault };
  }
  const { context } = realm;
  let isAtEnd = false;
  const module = new vm.SourceTextModule(source, { context, cachedData, identifier: "module" });
  const end = new vm.SyntheticModule(["default"], () => end.setExport("default", atEnd), { context });
  const atEnd = quietly(() => {
    isAtEnd = true;
    then?.(module.namespace);
  });
  try {
    await module.link((name) => (name === END ? end : refuseImport()));
  } catch (error) {
    return { failure: { unusable: `does not compile: ${error.message}` } };
  }
  let late;
  module.evaluate({ timeout: TIMEOUT_MS }).catch((error) => (late = latenessOf(error)));
  await new Promise((resolve) => setImmediate(resolve));
  return { namespace: module.namespace, failure: failureAfter(realm, module, isAtEnd, late) };
}

function refuseImport() {
  throw new SyntaxError("a module of governance imports nothing");
}

// A function of ours that a realm calls. It throws nothing, or an object of ours would get there.
function quietly(work) {
  return () => {
    try {
      work();
    } catch {
      // Nothing but the end of the stack: what is called says itself how it ended.
    }
  };
}

// Once a call has ended, what is late is what it left behind to be done afterwards: no part of it.
function failureAfter(realm, module, isAtEnd, late) {
  if (realm.host.result !== undefined) {
    return undefined;
  }
  if (late === undefined && module.status === "errored") {
    return failureOf(realm, module.error);
  }
  return late ?? (isAtEnd ? undefined : { threw: "the module waits for a promise that nobody keeps" });
}

function latenessOf(error) {
  return error?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT" ? { late: true } : undefined;
}

// What is thrown is an object of the realm, and turned into text there.
function failureOf(realm, error) {
  if (!inTime(realm, () => realm.tell(error))) {
    return { late: true };
  }
  return { threw: shortened(realm.host.result?.threw ?? "an exception without a text") };
}

function exportOf(namespace, name) {
  try {
    return namespace[name];
  } catch {
    return undefined;
  }
}

function outcomeOf(host, name) {
  const { result } = host;
  if (result === undefined) {
    return { threw: "RangeError: Maximum call stack size exceeded" };
  }
  if (result.threw !== undefined) {
    return { threw: shortened(result.threw) };
  }
  if (result.promise) {
    return { threw: `TypeError: ${name} returned a promise, and nobody waits for it here` };
  }
  const size = Buffer.byteLength(result.json);
  if (size > MOST_VALUE_BYTES) {
    return { threw: `RangeError: ${name} returned ${size} bytes, at most ${MOST_VALUE_BYTES} are allowed` };
  }
  if (!isReadable(result.json)) {
    return { threw: `TypeError: ${name} returned an unusable value: ` };
  }
  return { value: JSON.parse(result.json), writes: host.writes(), effects: host.effects };
}

// Texts of exceptions are recorded up to a length, cut between two characters.
function shortened(text) {
  const bytes = Buffer.from(text);
  if (bytes.length <= MOST_REASON_BYTES) {
    return text;
  }
  let end = MOST_REASON_BYTES;
  while ((bytes[end] & 0xc0) === 0x80) {
    end -= 1;
  }
  return `${bytes.subarray(0, end).toString()}…`;
}

// Why a text cannot be a constitution, or null.
async function faultOf(text, now) {
  const realm = openRealm(new Host({ seed: Buffer.alloc(32), constitutions: new Map() }), now, false);
  const { namespace, failure } = await load(realm, text);
  if (failure !== undefined) {
    return failure.threw ?? failure.unusable ?? "it takes too long to load";
  }
  for (const [name, least, most] of EXPORTS) {
    const exported = exportOf(namespace, name);
    if (typeof exported !== "function") {
      return `it does not export a function '${name}'`;
    }
    if (!(exported.length >= least && exported.length <= most)) {
      const expected = least === most ? least : `${least} to ${most}`;
      return `'${name}' must take ${expected} arguments but takes ${exported.length}`;
    }
  }
  return null;
}
