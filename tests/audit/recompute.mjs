#!/usr/bin/env node
// Recomputes every decision of a consortium from the ledger alone.
//
//   node tests/audit/recompute.mjs LEDGER_DIRECTORY [--json] [--ids]
//
// It needs Node.js 20 or later and nothing else: no package, no network, no key, none of the service's code. It reads
// the files of the ledger, keeps the public tables, and for each transaction that decided about a proposal works out,
// from the state before, what the constitution in the ledger says: whether the proposal was valid, what each ballot
// votes, what `resolve` answers, what `apply` writes. Then it compares all of that with what the ledger says. With
// `--ids` it also computes the Merkle root before each proposal, and checks the proposal's id and every signed root.
//
// It ends with 0 if everything agrees, with 1 if something does not (each difference names transaction, proposal, what
// was expected and what was found), and with 2 if the ledger cannot be read.
//
// What makes decisions computable: `Date` is the `created_at` of the signed request that is decided, `Math.random` is
// seeded (random.mjs), tables are visited in the order of their keys (host.mjs), dates are in UTC.
//
// What is not recomputed, and is said so: an outcome that the ledger records as caused by a limit of time or memory;
// recovery shares, certificates and signatures of the service (effects.mjs, issued.mjs); traces of exceptions.
//
// A script that looks at what engines do differently (texts and traces of the engine's own exceptions, how much memory
// there is, last digits of Math.sin and the like, formats for people such as toLocaleString, functions newer than this
// Node.js) can decide differently here, and is then reported as a difference.
//
// Who the scripts are from is not trusted: they run in realms without anything of Node.js, in a process that may read
// the ledger and these files, write no file and start no process. It can use the network, if one of them got out of its
// realm: where that matters, run it where there is none.
//
// The files: ledger.mjs and state.mjs hold the data, cose.mjs and requests.mjs the signed requests; globals.js, host.mjs
// and scripts.mjs run a script; decisions.mjs, settle.mjs and effects.mjs say what the service does, outside.mjs what
// it may do besides, wording.mjs which texts mean the same.

import { spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import vm from "node:vm";

const { directory, isJson, checksIds } = parse(process.argv.slice(2));
if (vm.SourceTextModule === undefined) {
  process.exitCode = confined();
} else {
  await main();
}

function parse(given) {
  const known = ["--json", "--ids"];
  const [directory, ...more] = given.filter((argument) => !known.includes(argument));
  if (directory === undefined || more.length > 0) {
    console.error("usage: node recompute.mjs LEDGER_DIRECTORY [--json] [--ids]");
    process.exit(2);
  }
  return { directory, isJson: given.includes("--json"), checksIds: given.includes("--ids") };
}

// Runs this program again, with modules for scripts and without most of what a process may do.
function confined() {
  const here = dirname(fileURLToPath(import.meta.url));
  const isStable = process.allowedNodeEnvironmentFlags.has("--permission");
  const permission = isStable ? "--permission" : "--experimental-permission";
  const readable = [realpathSync(here), realpathSync(directory)].map((path) => `--allow-fs-read=${path}/*`);
  const flags = ["--no-warnings", "--experimental-vm-modules", permission, ...readable];
  const program = [...flags, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const { status, error } = spawnSync(process.execPath, program, { stdio: "inherit", env: { TZ: "UTC" } });
  if (error !== undefined) {
    console.error(error.message);
  }
  return status ?? 2;
}

async function main() {
  // Scripts leave promises behind that nobody keeps; our own are waited for.
  process.on("unhandledRejection", () => {});
  const { Audit } = await import("./audit.mjs");
  const audit = new Audit({ checksIds });
  try {
    const report = await audit.run(directory);
    console.log(isJson ? report.asJson() : report.asText());
    process.exitCode = report.agrees() ? 0 : 1;
  } catch (error) {
    console.error(error.stack);
    process.exitCode = 2;
  }
}
