// The signed requests that a transaction decided on.

import { parseRequest, isSignedBy } from "./cose.mjs";
import { COSE_HISTORY, MEMBERS_CERTS, MEMBERS_INFO } from "./names.mjs";
import { jsonOf, textOf } from "./state.mjs";

// Requests that only an active member may make.
const OF_ACTIVE_MEMBERS = ["proposal", "ballot", "withdrawal"];

// Reads a request as tables hold it, a JSON string of base64, and finds what is wrong with it as of `state`.
export function readRequest(binary, memberId, state) {
  let request;
  try {
    request = parseRequest(Buffer.from(jsonOf(binary), "base64"));
  } catch (error) {
    return { fault: `the recorded request of member ${memberId} cannot be read: ${error.message}` };
  }
  return { request, fault: faultOf(request, memberId, state) };
}

function faultOf(request, memberId, state) {
  if (request.memberId !== memberId) {
    return `the request recorded for member ${memberId} is signed as ${request.memberId}`;
  }
  const certificate = state.get(MEMBERS_CERTS, memberId);
  if (certificate === undefined) {
    return `the request is signed by ${memberId}, who is no member`;
  }
  if (!isSignedBy(request, textOf(certificate))) {
    return `the signature of member ${memberId} over its request is wrong`;
  }
  const status = jsonOf(state.get(MEMBERS_INFO, memberId))?.status;
  if (OF_ACTIVE_MEMBERS.includes(request.type) && status !== "Active") {
    return `member ${memberId} is not active and may not make a request of type ${request.type}`;
  }
  return undefined;
}

// The request that a transaction records, or what is wrong with the record.
export function requestOf(entry, state) {
  const recorded = [...(entry.tables.get(COSE_HISTORY) ?? [])].filter(([, value]) => value !== null);
  if (recorded.length !== 1) {
    return { fault: `${recorded.length} signed requests are recorded, where one must be` };
  }
  const [[memberId, binary]] = recorded;
  return { ...readRequest(binary, memberId, state), recorded: binary };
}
