// What the service decides about a proposal: the ballots in the order of their members' ids, `resolve`, and `apply` if
// that says Accepted; each script in a realm of its own, all with the time of the request that is decided and with
// chance seeded by the proposal's id.
//
// - A ballot counts if its member is still one, and is a yes if what `vote` returns is true in the sense of JavaScript
//   (as JSON.stringify shows it). A ballot that throws is no vote but a failure.
// - A ballot that hit a limit of time or memory is marked in the record (`limited_ballots`) and never runs again.
// - `resolve` is given the votes that there are. `apply` sees the record as accepted, with votes and failures.
// - An `apply` that fails leaves nothing but the record, in state Failed.

import { carryOut } from "./effects.mjs";
import { CONSTITUTION, MEMBERS_INFO, PROPOSALS_INFO } from "./names.mjs";
import { checkNeeded, followProposals, putProposalInfo } from "./records.mjs";
import { run } from "./scripts.mjs";
import { ONLY, jsonOf } from "./state.mjs";
import { isLimit, saysTheSame } from "./wording.mjs";

const DECISIONS = ["Open", "Accepted", "Rejected"];

// `proposal` is {id, text, info}; `recorded` is the record that the ledger has after the decision; `note` takes
// differences and outcomes that are taken from it; `taken` see effects.mjs, `certify` see host.mjs.
export async function settle({ draft, proposal, request, recorded, note, taken, certify }) {
  const script = { draft, request: { createdAt: request.createdAt, seed: Buffer.from(proposal.id, "hex") } };
  const { votes, failures } = await count({ script, proposal, recorded, note });
  const { info } = proposal;
  info.state = await resolve({ script, proposal, votes, recorded, note });
  if (info.state !== "Open") {
    info.final_votes = votes;
    info.vote_failures = failures;
  }
  putProposalInfo(draft, proposal.id, info);
  if (info.state === "Accepted") {
    await apply({ script, proposal, recorded, note, taken, certify });
  }
}

async function count({ script, proposal, recorded, note }) {
  const counted = { votes: {}, failures: {} };
  for (const member of Object.keys(proposal.info.ballots).sort()) {
    if (!script.draft.has(MEMBERS_INFO, member)) {
      continue;
    }
    const earlier = proposal.info.limited_ballots[member];
    const limit = earlier ?? recorded?.limited_ballots?.[member];
    if (limit === undefined) {
      await countOne({ script, proposal, member, counted, recorded, note });
      continue;
    }
    counted.failures[member] = limit;
    if (earlier === undefined) {
      proposal.info.limited_ballots[member] = limit;
      note.limited(`the ballot of ${member}: ${limit.reason}`);
      if (!isLimit(limit.reason)) {
        note.difference(`limited_ballots of ${member}`, "a limit of time or memory", limit.reason);
      }
    }
  }
  return counted;
}

async function countOne({ script, proposal, member, counted, recorded, note }) {
  const { ballots, proposer_id } = proposal.info;
  note.ballot();
  const parameters = [proposal.text, proposer_id];
  const outcome = await run({ ...script, text: ballots[member], name: "vote", parameters });
  if (outcome.value !== undefined) {
    counted.votes[member] = Boolean(outcome.value);
    return;
  }
  const reason = reasonOf(outcome, "The ballot ");
  counted.failures[member] = adopted(recorded?.vote_failures?.[member], reason);
}

function reasonOf({ threw, unusable, late }, subject) {
  if (late) {
    return "it takes too long here, and the ledger does not say that it hit a limit";
  }
  return threw ?? `${subject}${unusable}`;
}

// The failure as it is recorded, if it says the same: its trace and the words of the engine are not ours.
function adopted(recorded, reason) {
  return saysTheSame(recorded?.reason, reason) ? recorded : { reason };
}

async function resolve({ script, proposal, votes, recorded, note }) {
  const { id, text, info } = proposal;
  const list = Object.keys(votes).sort().map((member) => ({ member_id: member, vote: votes[member] }));
  const parameters = [text, info.proposer_id, list, id];
  const outcome = await run({ ...script, text: constitution(script.draft), name: "resolve", parameters });
  if (DECISIONS.includes(outcome.value)) {
    return outcome.value;
  }
  const found = outcome.value === undefined ? reasonOf(outcome, "the constitution ") : JSON.stringify(outcome.value);
  note.difference("resolve", `a decision: ${recorded?.state}`, found);
  return recorded?.state ?? "Open";
}

function constitution(draft) {
  return jsonOf(draft.get(CONSTITUTION, ONLY));
}

async function apply({ script, proposal, recorded, note, taken, certify }) {
  const { draft } = script;
  const { id, info } = proposal;
  if (recorded?.state === "Failed" && isLimit(recorded.failure?.reason)) {
    note.limited(`apply: ${recorded.failure.reason}`);
    fail(draft, id, info, recorded.failure);
    return;
  }
  const before = draft.copyOfWrites();
  const reason = await tryApply({ script: { ...script, certify }, proposal, taken });
  if (reason !== undefined) {
    draft.writes = before;
    fail(draft, id, info, adopted(recorded?.failure, `Failed to apply(): ${reason}`));
  }
}

function fail(draft, id, info, failure) {
  info.state = "Failed";
  info.failure = failure;
  putProposalInfo(draft, id, info);
}

// Why it failed, or undefined.
async function tryApply({ script, proposal, taken }) {
  const { draft } = script;
  const parameters = [proposal.text, proposal.id];
  const outcome = await run({ ...script, text: constitution(draft), name: "apply", parameters, applies: true });
  if (outcome.value === undefined) {
    return reasonOf(outcome, "the constitution ");
  }
  for (const [table, key, value] of outcome.writes) {
    draft.put(table, key, value);
  }
  try {
    followProposals(draft, outcome.writes.filter(([table]) => table === PROPOSALS_INFO).map(([, key]) => key));
    checkNeeded(draft, outcome.writes);
    outcome.effects.forEach((effect) => carryOut(draft, effect, taken));
  } catch (error) {
    return `Error: ${error.message}`;
  }
  return undefined;
}
