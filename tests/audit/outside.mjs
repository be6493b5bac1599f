// Transactions that decide no proposal: nothing in them may change what only a decision may change.
//
// Governance tables that such a transaction may write, and why:
//
//   members.acks                   a member asked for a digest, or confirmed it
//   members.info                   the member who confirmed it is active now
//   jwt.public_signing_keys_…      the service fetched the keys of an issuer that was voted with auto_refresh
//   nodes.info, .endorsed_certificates   a node resumed, or renewed its certificate
//
// Everything else below public:ccf.gov. is written by decisions, and by the first transaction of a service; and so are the
// two lists that the service keeps for them.

import { isDeepStrictEqual } from "node:util";

import {
  MEMBERS_ACKS, MEMBERS_INFO, NODES_CERTIFICATES, NODES_INFO, OPEN_PROPOSALS, RECENT_PROPOSERS, SIGNATURES,
} from "./names.mjs";
import { readRequest } from "./requests.mjs";
import { ONLY, binaryOf, jsonOf, sortedJson, textOf } from "./state.mjs";
import { ISSUERS, TOKEN_KEYS } from "./tokens.mjs";

const GOVERNANCE = "public:ccf.gov.";
const LISTS = [OPEN_PROPOSALS, RECENT_PROPOSERS];
const OF_NODES = [NODES_INFO, NODES_CERTIFICATES];

// Roots that were signed so far: a digest to be confirmed is one of them.
export class Outside {
  #roots = new Set();

  check(entry, state, report) {
    const signature = entry.tables.get(SIGNATURES)?.get(ONLY);
    if (signature) {
      this.#roots.add(jsonOf(signature).root);
    }
    for (const [table, writes] of entry.tables) {
      if (OF_NODES.includes(table) || !(table.startsWith(GOVERNANCE) || LISTS.includes(table))) {
        continue;
      }
      for (const [key, value] of writes) {
        const fault = this.#faultOf(table, key, value, entry, state);
        if (fault !== undefined) {
          report.difference(entry, undefined, `${table}[${textOf(key)}]`, "a decision that writes it", fault);
        }
      }
    }
  }

  #faultOf(table, key, value, entry, state) {
    switch (table) {
      case MEMBERS_ACKS:
        return this.#faultOfAck(key, value, state);
      case MEMBERS_INFO:
        return faultOfActivation(key, value, entry, state);
      case TOKEN_KEYS:
        return faultOfTokenKeys(key, value, state);
      default:
        return "a transaction that decides nothing";
    }
  }

  #faultOfAck(key, value, state) {
    const before = jsonOf(state.get(MEMBERS_ACKS, key)) ?? { state_digest: "" };
    const after = value === null ? undefined : jsonOf(value);
    if (after === undefined || state.get(MEMBERS_INFO, key) === undefined) {
      return "a record that is removed, or of nobody";
    }
    if (after.cose_sign1_req === before.cose_sign1_req) {
      return this.#roots.has(after.state_digest) ? undefined : `a digest that was never signed: ${after.state_digest}`;
    }
    const { request, fault } = readRequest(binaryOf(JSON.stringify(after.cose_sign1_req)), textOf(key), state);
    if (fault !== undefined) {
      return fault;
    }
    const confirmed = request.type === "ack" ? JSON.parse(request.payload).stateDigest : undefined;
    const isRight = confirmed === before.state_digest && after.state_digest === before.state_digest && confirmed !== "";
    return isRight ? undefined : `an acknowledgement of ${confirmed} where ${before.state_digest} was asked for`;
  }
}

function faultOfActivation(key, value, entry, state) {
  const before = jsonOf(state.get(MEMBERS_INFO, key));
  const isAcknowledged = Boolean(entry.tables.get(MEMBERS_ACKS)?.get(key));
  const expected = binaryOf(sortedJson({ ...before, status: "Active" }));
  return before !== undefined && isAcknowledged && value === expected ? undefined : "no activation of this member";
}

// Keys of issuers that are not refreshed stay as they are.
function faultOfTokenKeys(key, value, state) {
  const isFixed = ({ issuer }) => jsonOf(state.get(ISSUERS, binaryOf(issuer)))?.auto_refresh !== true;
  const fixed = (binary) => (jsonOf(binary ?? undefined) ?? []).filter(isFixed);
  const isKept = isDeepStrictEqual(fixed(state.get(TOKEN_KEYS, key)), fixed(value));
  return isKept ? undefined : "other keys of an issuer whose keys are not fetched by the service";
}
