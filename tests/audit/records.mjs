// The record of a proposal, and the records that the service must be able to read whatever a proposal makes of them.

import { X509Certificate, createPublicKey } from "node:crypto";

import { checkHolders } from "./holders.mjs";
import {
  CONSTITUTION, MEMBERS_INFO, MEMBERS_KEYS, NODES_CERTIFICATES, NODES_INFO, OPEN_PROPOSALS, PROPOSALS_INFO,
  SERVICE_CONFIG, SERVICE_INFO,
} from "./names.mjs";
import { ONLY, binaryOf, jsonOf, sortedJson, textOf } from "./state.mjs";

const STATES = ["Open", "Accepted", "Withdrawn", "Rejected", "Failed", "Dropped"];
const MEMBER_STATES = ["Accepted", "Active"];
const ROLES = ["NonParticipant", "Participant", "Owner"];
const SERVICE_STATES = ["Opening", "Open", "Recovering", "WaitingForRecoveryShares"];

// The record of a proposal, or undefined.
export function proposalInfo(view, id) {
  const info = jsonOf(view.get(PROPOSALS_INFO, id));
  return info === undefined ? undefined : { ballots: {}, limited_ballots: {}, ...info };
}

// Writes a record where it changes something, and keeps the list of open proposals.
export function putProposalInfo(draft, id, info) {
  const limited = Object.keys(info.limited_ballots).length > 0 ? info.limited_ballots : undefined;
  const { ballots, failure, final_votes, proposer_id, state, vote_failures } = info;
  const record = { ballots, failure, final_votes, limited_ballots: limited, proposer_id, state, vote_failures };
  const text = binaryOf(sortedJson(record));
  if (draft.get(PROPOSALS_INFO, id) !== text) {
    draft.put(PROPOSALS_INFO, id, text);
  }
  listIfOpen(draft, id, state);
}

function listIfOpen(draft, id, state) {
  const isOpen = state === "Open";
  if (draft.has(OPEN_PROPOSALS, id) !== isOpen) {
    draft.put(OPEN_PROPOSALS, id, isOpen ? ONLY : null);
  }
}

// Follows what a script wrote into records of proposals; throws if one of them is none.
export function followProposals(draft, ids) {
  for (const id of ids) {
    const binary = draft.get(PROPOSALS_INFO, id);
    listIfOpen(draft, id, parsedIfAny(PROPOSALS_INFO, binary, isProposalInfo)?.state);
  }
}

// Throws if a record without which the service cannot go on is no longer one, or if nobody could recover an open service
// any more. `touched` holds [table, key].
export function checkNeeded(draft, touched) {
  for (const [table, key] of touched) {
    NEEDED.get(table)?.(draft, key);
  }
  const isAboutShares = touched.some(([table]) => ABOUT_SHARES.includes(table));
  if (isAboutShares && parsed(SERVICE_INFO, draft.get(SERVICE_INFO, ONLY), isServiceInfo).status === "Open") {
    checkHolders(draft);
  }
}

const ABOUT_SHARES = [MEMBERS_INFO, MEMBERS_KEYS, SERVICE_CONFIG, SERVICE_INFO];
const NEEDED = new Map([
  [CONSTITUTION, (draft) => parsed(CONSTITUTION, draft.get(CONSTITUTION, ONLY), isText)],
  [MEMBERS_INFO, (draft, key) => parsedIfAny(MEMBERS_INFO, draft.get(MEMBERS_INFO, key), isMemberInfo)],
  [NODES_CERTIFICATES, checkNodes],
  [NODES_INFO, checkNodes],
  [SERVICE_CONFIG, (draft) => parsedIfAny(SERVICE_CONFIG, draft.get(SERVICE_CONFIG, ONLY), isConfiguration)],
  [SERVICE_INFO, checkService],
]);

// The service keeps its key.
function checkService(draft) {
  const { cert } = parsed(SERVICE_INFO, draft.get(SERVICE_INFO, ONLY), isServiceInfo);
  const before = new X509Certificate(jsonOf(draft.before(SERVICE_INFO, ONLY)).cert);
  if (!isCertified(binaryOf(cert), before.publicKey)) {
    throw new Error(`${SERVICE_INFO} does not hold what it must: `);
  }
}

// The service has a node to run on, and each that it trusts has a certificate for its key.
function checkNodes(draft) {
  const isTrusted = ([, value]) => parsed(NODES_INFO, value, () => true).status === "Trusted";
  const trusted = draft.entries(NODES_INFO).filter(isTrusted);
  for (const [id, value] of trusted) {
    if (!isCertified(draft.get(NODES_CERTIFICATES, id), jsonOf(value).public_key)) {
      throw new Error(`${NODES_CERTIFICATES} does not hold what it must: node ${textOf(id)}`);
    }
  }
  if (trusted.length === 0) {
    throw new Error("no trusted node would be left, and the service could not go on: its only node cannot be removed");
  }
}

// Whether a certificate is for a key, which is a key object or PEM.
function isCertified(certificate, key) {
  try {
    return new X509Certificate(textOf(certificate)).publicKey.equals(typeof key === "string" ? createPublicKey(key) : key);
  } catch {
    return false;
  }
}

function parsedIfAny(table, binary, isRight) {
  return binary === undefined ? undefined : parsed(table, binary, isRight);
}

function parsed(table, binary, isRight) {
  let value;
  try {
    value = jsonOf(binary);
  } catch {
    value = undefined;
  }
  if (value === undefined || !isRight(value)) {
    throw new Error(`${table} does not hold what it must: `);
  }
  return value;
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isAbsentOr = (value, isRight) => value === undefined || value === null || isRight(value);
const isMapOf = (value, isRight) => isObject(value) && Object.values(value).every(isRight);
const isText = (value) => typeof value === "string";
const isCount = (value) => Number.isInteger(value) && value >= 0;
const isFailure = (value) => isObject(value) && isText(value.reason) && isAbsentOr(value.trace, isText);

function isProposalInfo(info) {
  return (
    isObject(info) &&
    STATES.includes(info.state) &&
    isText(info.proposer_id) &&
    (info.ballots === undefined || isMapOf(info.ballots, isText)) &&
    (info.limited_ballots === undefined || isMapOf(info.limited_ballots, isFailure)) &&
    isAbsentOr(info.failure, isFailure) &&
    isAbsentOr(info.final_votes, (votes) => isMapOf(votes, (vote) => typeof vote === "boolean")) &&
    isAbsentOr(info.vote_failures, (failures) => isMapOf(failures, isFailure))
  );
}

function isMemberInfo(info) {
  const isRole = (role) => ROLES.includes(role);
  return isObject(info) && MEMBER_STATES.includes(info.status) && isAbsentOr(info.recovery_role, isRole);
}

function isConfiguration(value) {
  return (
    isObject(value) &&
    (value.recovery_threshold === undefined || isCount(value.recovery_threshold)) &&
    isAbsentOr(value.recent_cose_proposals_window_size, isCount) &&
    isAbsentOr(value.maximum_node_certificate_validity_days, isCount) &&
    isAbsentOr(value.maximum_service_certificate_validity_days, isCount) &&
    isAbsentOr(value.reconfiguration_type, isText)
  );
}

function isServiceInfo(value) {
  return isObject(value) && isText(value.cert) && SERVICE_STATES.includes(value.status);
}
