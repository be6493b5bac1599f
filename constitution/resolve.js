// ---------------------------------------------------------------------------------------------------------------------
// resolve
//
// Whether a proposal is accepted, rejected or still open. It is called when the proposal is made, after every ballot,
// and when a member becomes active. The rules are asked in order, and the first that answers decides.
//
// `votes` holds the ballots that gave an answer, as `{member_id, vote}`.
// ---------------------------------------------------------------------------------------------------------------------

const ACCEPTED = "Accepted";
const REJECTED = "Rejected";
const OPEN = "Open";

// Rule 1, what an operator does alone, has a file of its own.
const RULES = [
  operatorActsAlone,
  anyoneCanVeto,
  contractIsDecidedOnce,
  documentIsDecidedOnce,
  anyoneCanSwitchOff,
  everyoneAgrees,
  cgsOperatorActsAlone,
  contractOperatorActsAlone,
];

// A ballot of somebody who has been removed since is no ballot: it neither counts nor vetoes.
export function resolve(proposal, proposerId, votes, proposalId) {
  const matter = {
    proposalId,
    actions: JSON.parse(proposal).actions,
    proposer: readRecord("members.info", proposerId),
    votes: votes.filter(({ member_id }) => hasRecord("members.info", member_id)),
  };
  for (const rule of RULES) {
    const decision = rule(matter);
    if (decision !== undefined) {
      return decision;
    }
  }
  return OPEN;
}

// ---- Rule 2: the veto ----

// One ballot against a proposal that concerns a contract ends it, whoever cast it.
const VETOABLE = [
  "set_contract",
  "set_clean_room_policy",
  "set_deployment_spec",
  "set_deployment_info",
  "set_contract_runtime_options_enable_logging",
  "set_contract_runtime_options_enable_telemetry",
  "set_member_document",
];

function anyoneCanVeto(matter) {
  const concernsContract = matter.actions.some(({ name }) => VETOABLE.includes(name));
  return concernsContract && matter.votes.some(({ vote }) => vote === false) ? REJECTED : undefined;
}

// ---- Rules 3 and 4: one decision each ----

// Contracts are decided by themselves, each once: a contract that is accepted, or that another open proposal is about,
// cannot be proposed again.
function contractIsDecidedOnce(matter) {
  const ids = subjectsOf(matter.actions, "set_contract", "contractId");
  if (ids.length === 0) {
    return undefined;
  }
  const alone = ids.length === matter.actions.length;
  return alone && isUndecided(matter, ids, "accepted_contracts", "set_contract", "contractId") ? undefined : REJECTED;
}

// The same holds for member documents, except that they may share a proposal with other actions.
function documentIsDecidedOnce(matter) {
  const ids = subjectsOf(matter.actions, "set_member_document", "documentId");
  const undecided = isUndecided(matter, ids, "accepted_member_documents", "set_member_document", "documentId");
  return undecided ? undefined : REJECTED;
}

function isUndecided(matter, ids, acceptedTable, actionName, field) {
  if (new Set(ids).size !== ids.length || ids.some((id) => hasRecord(acceptedTable, id))) {
    return false;
  }
  const isAboutOneOfThem = (actions) => subjectsOf(actions, actionName, field).some((id) => ids.includes(id));
  return ids.length === 0 || !otherOpenProposals(matter.proposalId).some(isAboutOneOfThem);
}

// What the actions of one name are about.
function subjectsOf(actions, name, field) {
  return actions.filter((action) => action.name === name).map((action) => action.args[field]);
}

// The actions of every other proposal that is still open. Proposals that were resolved stay readable, but decide
// nothing.
function otherOpenProposals(proposalId) {
  const found = [];
  forEachOpenProposal((id) => {
    if (id !== proposalId) {
      found.push(readRecord("proposals", id).actions);
    }
  });
  return found;
}

// ---- Rule 5: switching off ----

// Logs and telemetry stop as soon as one member asks for it.
const SWITCHING_OFF = [
  "set_contract_runtime_options_disable_logging",
  "set_contract_runtime_options_disable_telemetry",
];

function anyoneCanSwitchOff(matter) {
  const all = matter.actions.every(({ name }) => SWITCHING_OFF.includes(name));
  return all && matter.actions.length > 0 ? ACCEPTED : undefined;
}

// ---- Rule 6: unanimity ----

// Everything else takes the agreement of every counted member that is active, and there must be one. A contract also
// waits for those who were invited and are not active yet, because it binds them too.
function everyoneAgrees(matter) {
  const needed = countedMembers("Active");
  const agreed = new Set(matter.votes.filter(({ vote }) => vote === true).map(({ member_id }) => member_id));
  if (needed.length === 0 || !needed.every((id) => agreed.has(id))) {
    return undefined;
  }
  const bindsInvited = matter.actions.some(({ name }) => name === "set_contract");
  return bindsInvited && countedMembers("Accepted").length > 0 ? undefined : ACCEPTED;
}

// ---- Rules 7 and 8: what the members have delegated ----

// A governance operator replaces the constitution alone where the members switched that on. There is no such delegation
// for the application: no proposal can change it.
const CGS_DELEGATIONS = new Map([["set_constitution", "autoapprove-constitution-proposal"]]);

function cgsOperatorActsAlone(matter) {
  return isCgsOperator(matter.proposer) && isDelegated(matter, CGS_DELEGATIONS) ? ACCEPTED : undefined;
}

// A contract operator deploys contracts alone where the members switched that on.
const CONTRACT_DELEGATIONS = new Map([
  ["set_deployment_spec", "autoapprove-deploymentspec-proposal"],
  ["set_deployment_info", "autoapprove-deploymentinfo-proposal"],
  ["set_clean_room_policy", "autoapprove-cleanroompolicy-proposal"],
]);

function contractOperatorActsAlone(matter) {
  return isContractOperator(matter.proposer) && isDelegated(matter, CONTRACT_DELEGATIONS) ? ACCEPTED : undefined;
}

function isDelegated(matter, delegations) {
  const delegated = ({ name }) => delegations.has(name) && isOptionEnabled(delegations.get(name));
  return matter.actions.length > 0 && matter.actions.every(delegated);
}
