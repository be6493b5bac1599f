// One transaction that decides about a proposal: what the service must have written, from the state before.
//
// Which request is decided stands in `cose_history` of the same transaction:
//
//   proposal     `validate` on the state before, with chance seeded by SHA-256 of the signature; then the proposal is
//                recorded and settled. Its id is SHA-256(Merkle root before it ‖ SHA-256(signature)).
//   ballot       recorded if it is new; the proposal is settled
//   withdrawal   the proposer takes an open proposal back
//   ack          a member has become active: an open proposal is settled again
//
// The service itself writes, besides what `apply` does:
//
//   cose_history                   the request, so that it can be verified
//   cose_recent_proposals          requests that cannot be sent again: `created_at:fingerprint` to proposal id
//   internal.cgs_recent_proposers  whose these are
//   proposals, proposals_info      the proposal's text and its record
//   internal.cgs_open_proposals    the list of open proposals
//   tables of effects.mjs          where `apply` asks for it
//
// All of it is recomputed, and nothing else may stand in the transaction.

import { isDeepStrictEqual } from "node:util";

import { certificateFor } from "./issued.mjs";
import { sha256 } from "./ledger.mjs";
import {
  CONSTITUTION, COSE_HISTORY, MEMBERS_ACKS, PROPOSALS, PROPOSALS_INFO, RECENT_PROPOSALS, RECENT_PROPOSERS,
  SERVICE_CONFIG,
} from "./names.mjs";
import { proposalInfo, putProposalInfo } from "./records.mjs";
import { requestOf } from "./requests.mjs";
import { run } from "./scripts.mjs";
import { settle } from "./settle.mjs";
import { Draft, ONLY, jsonOf, textOf } from "./state.mjs";

const DEFAULT_WINDOW = 100;

// Recomputes the transaction and compares; `root` is the Merkle root before it, where that is computed.
export async function recompute({ entry, state, report, root }) {
  const { request, fault, recorded } = requestOf(entry, state);
  if (fault !== undefined) {
    report.difference(entry, idsOf(entry)[0], "signed request", "one that is valid", fault);
    return;
  }
  const decide = { proposal: create, ballot, withdrawal: withdraw, ack: resolveAgain }[request.type];
  if (decide === undefined) {
    report.difference(entry, idsOf(entry)[0], "signed request", "one that decides a proposal", request.type);
    return;
  }
  await decide({ entry, state, report, root, request, recorded });
}

function idsOf(entry) {
  return [...entry.tables.get(PROPOSALS_INFO).keys()];
}

async function create(given) {
  const { entry, state, report, root, request, recorded } = given;
  const digest = sha256(request.signature);
  const key = recentKey(request);
  const stored = entry.tables.get(RECENT_PROPOSALS)?.get(key);
  const id = stored ? jsonOf(stored) : idsOf(entry)[0];
  const attempt = new Attempt(given, id);
  const text = request.payload.toString("utf8");
  if (root !== undefined) {
    attempt.expect("proposal id", sha256(root, digest).toString("hex"), id);
  }
  const parameters = [text];
  const verdict = await run({
    text: jsonOf(state.get(CONSTITUTION, ONLY)), name: "validate", parameters, draft: new Draft(state),
    request: { createdAt: request.createdAt, seed: digest },
  });
  attempt.expect("validate", true, verdict.value?.valid, verdict);
  const { draft } = attempt;
  remember(attempt, request, key, id);
  draft.put(PROPOSALS, id, request.payload.toString("latin1"));
  const info = { ballots: {}, limited_ballots: {}, proposer_id: request.memberId, state: "Open" };
  putProposalInfo(draft, id, info);
  draft.put(COSE_HISTORY, request.memberId, recorded);
  await attempt.settle({ id, text, info });
  report.decided("proposal", attempt.finish());
}

// A request is known by its signer, the first half of its signature and what it says.
function recentKey(request) {
  const half = request.signature.subarray(0, request.signature.length / 2);
  const fingerprint = sha256(Buffer.from(request.memberId), half, request.payload).toString("hex");
  return `${String(request.createdAt).padStart(10, "0")}:${fingerprint}`;
}

// No request is taken twice, or when it is older than the median of those of its signer that are known; of these, the
// oldest are forgotten.
function remember(attempt, request, key, id) {
  const { draft } = attempt;
  const known = draft.entries(RECENT_PROPOSERS).filter(([, who]) => who === request.memberId).map(([name]) => name);
  attempt.expect("first use of the request", false, draft.has(RECENT_PROPOSALS, key));
  const median = known[Math.floor(known.length / 2)]?.split(":")[0];
  attempt.expect("age of the request", false, median !== undefined && key.split(":")[0] < median);
  draft.put(RECENT_PROPOSALS, key, JSON.stringify(id));
  draft.put(RECENT_PROPOSERS, key, request.memberId);
  const configured = jsonOf(draft.get(SERVICE_CONFIG, ONLY))?.recent_cose_proposals_window_size ?? DEFAULT_WINDOW;
  for (const oldest of known.slice(0, Math.max(0, known.length + 1 - Math.max(1, configured)))) {
    draft.remove(RECENT_PROPOSALS, oldest);
    draft.remove(RECENT_PROPOSERS, oldest);
  }
}

async function ballot(given) {
  const { state, report, request, recorded } = given;
  const id = request.proposalId;
  const attempt = new Attempt(given, id);
  const info = attempt.openProposal();
  if (info === undefined) {
    return;
  }
  const text = JSON.parse(request.payload).ballot;
  const isNew = !Object.hasOwn(info.ballots, request.memberId);
  attempt.expect("ballot", isNew ? text : info.ballots[request.memberId], text);
  info.ballots[request.memberId] = text;
  if (isNew) {
    attempt.draft.put(COSE_HISTORY, request.memberId, recorded);
  }
  await attempt.settle({ id, text: textOf(state.get(PROPOSALS, id)), info });
  // One that is sent again is recorded when it decides something, and after that.
  attempt.draft.put(COSE_HISTORY, request.memberId, recorded);
  report.decided(isNew ? "ballot" : "repeated ballot", attempt.finish());
}

async function withdraw(given) {
  const { report, request, recorded } = given;
  const attempt = new Attempt(given, request.proposalId);
  const info = attempt.openProposal();
  if (info === undefined) {
    return;
  }
  attempt.expect("who withdraws", info.proposer_id, request.memberId);
  putProposalInfo(attempt.draft, request.proposalId, { ...info, state: "Withdrawn" });
  attempt.draft.put(COSE_HISTORY, request.memberId, recorded);
  report.decided("withdrawal", attempt.finish());
}

// The acknowledgement does not name the proposal; it is one of those whose record changed.
async function resolveAgain(given) {
  const { entry, state, report, request, recorded } = given;
  const candidates = idsOf(entry).filter((id) => proposalInfo(state, id)?.state === "Open");
  let best;
  for (const id of candidates) {
    const attempt = new Attempt(given, id);
    const stored = jsonOf(state.get(MEMBERS_ACKS, request.memberId))?.cose_sign1_req;
    attempt.expect("acknowledgement of the member", stored, jsonOf(recorded));
    await attempt.settle({ id, text: textOf(state.get(PROPOSALS, id)), info: proposalInfo(state, id) });
    attempt.draft.put(COSE_HISTORY, request.memberId, recorded);
    attempt.compare();
    if (best === undefined || attempt.found.length < best.found.length) {
      best = attempt;
    }
  }
  if (best === undefined) {
    report.difference(entry, idsOf(entry)[0], "what the acknowledgement decides", "an open proposal", "none");
    return;
  }
  report.decided("acknowledgement", best.tell());
}

// One way to explain the transaction.
class Attempt {
  found = [];
  #given;
  #notes = { limited: [], ballots: 0 };
  #taken = new Map();

  constructor(given, id) {
    this.#given = given;
    this.id = id;
    this.draft = new Draft(given.state);
  }

  expect(what, expected, found, shown = found) {
    if (!isDeepStrictEqual(expected, found)) {
      this.found.push({ what, expected, found: shown });
    }
  }

  // The record of the proposal, which must be open for anything to be decided.
  openProposal() {
    const { entry, state, report } = this.#given;
    const info = proposalInfo(state, this.id);
    if (info?.state !== "Open") {
      report.difference(entry, this.id, "state before the decision", "Open", info?.state ?? "no such proposal");
      return undefined;
    }
    return info;
  }

  async settle(proposal) {
    const { entry, request } = this.#given;
    const written = entry.tables.get(PROPOSALS_INFO)?.get(proposal.id);
    await settle({
      draft: this.draft,
      proposal,
      request,
      recorded: recordedInfo(written),
      taken: (table, key, faultOf) => this.#take(table, key, faultOf),
      certify: (wanted) => {
        const certificate = certificateFor(this.draft, entry, wanted);
        this.#taken.set("certificates", wanted);
        return certificate;
      },
      note: {
        difference: (what, expected, found) => this.found.push({ what, expected, found }),
        limited: (text) => this.#notes.limited.push(text),
        ballot: () => (this.#notes.ballots += 1),
      },
    });
  }

  // Makes what the ledger recorded part of what is expected, if nothing is wrong with it.
  #take(table, key, faultOf) {
    const value = this.#given.entry.tables.get(table)?.get(key);
    const fault = value === undefined || value === null ? "nothing" : faultOf(value);
    if (fault !== undefined) {
      const what = `${table}, taken from the ledger`;
      this.found.push({ what, expected: "a value as the state asks for", found: fault });
    }
    this.draft.put(table, key, value ?? null);
    this.#taken.set(table, key);
  }

  // Compares everything that the transaction wrote.
  compare() {
    const { tables } = this.#given.entry;
    for (const table of new Set([...tables.keys(), ...this.draft.writes.keys()])) {
      const recorded = tables.get(table) ?? new Map();
      const expected = this.draft.writes.get(table) ?? new Map();
      for (const key of new Set([...recorded.keys(), ...expected.keys()])) {
        if (recorded.get(key) !== expected.get(key)) {
          this.#differ(table, key, expected.get(key), recorded.get(key));
        }
      }
    }
  }

  #differ(table, key, expected, recorded) {
    if (table !== PROPOSALS_INFO || !expected || !recorded) {
      this.found.push({ what: `${table}[${shownKey(key)}]`, expected: shown(expected), found: shown(recorded) });
      return;
    }
    const [should, is] = [jsonOf(expected), recordedInfo(recorded) ?? {}];
    const fields = new Set([...Object.keys(should), ...Object.keys(is)]);
    const different = [...fields].filter((field) => !isDeepStrictEqual(should[field], is[field]));
    for (const field of different.length > 0 ? different : ["the text of the record"]) {
      this.found.push({
        what: `${key === this.id ? field : `${field} of proposal ${key}`}`,
        expected: should[field] ?? shown(expected),
        found: is[field] ?? (different.length > 0 ? "nothing" : shown(recorded)),
      });
    }
  }

  finish() {
    this.compare();
    return this.tell();
  }

  // Reports what was found.
  tell() {
    const { entry, report } = this.#given;
    for (const { what, expected, found } of this.found) {
      report.difference(entry, this.id, what, expected, found);
    }
    this.#notes.limited.forEach((text) => report.limited(entry, this.id, text));
    const info = recordedInfo(entry.tables.get(PROPOSALS_INFO)?.get(this.id));
    return { id: this.id, state: info?.state, ballots: this.#notes.ballots, taken: [...this.#taken.keys()] };
  }
}

function recordedInfo(binary) {
  try {
    return jsonOf(binary ?? undefined);
  } catch {
    return undefined;
  }
}

function shownKey(key) {
  return key === ONLY ? "the only key" : textOf(key);
}

function shown(binary) {
  return binary === undefined ? "nothing" : binary === null ? "a removal" : textOf(binary);
}
