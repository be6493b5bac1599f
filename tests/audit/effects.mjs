// What `apply` asks of the service itself (`ccf.node`), and what the service writes for it.
//
// Most of it follows from the state. What does not, because it is drawn or encrypted, is taken from the ledger and
// checked as far as public data goes:
//
//   recovery_shares                          fresh shares: that exactly the active holders have one
//   historical_encrypted_ledger_secret       at a rekey, the previous secret: that it is linked to the record before
//   encrypted_ledger_secrets                 at a rekey, the next secret: that exactly the trusted nodes have it
//   previous_service_identity_endorsement    a signature of the service: that it is there

import { isBundle, idOf } from "./certificates.mjs";
import { ENDORSEMENT, NODE_SECRETS, NODES_INFO, RECOVERY_SHARES, SECRETS, SERVICE_INFO } from "./names.mjs";
import { checkHolders } from "./holders.mjs";
import { ONLY, binaryOf, jsonOf, sortedJson, textOf } from "./state.mjs";
import { removeTokenKeys, setTokenKeys } from "./tokens.mjs";

// Carries out one effect on the draft; throws with the text that the proposal fails with. `taken` gives what the ledger
// recorded for a table: `taken(table, key, faultOf)`.
export function carryOut(draft, effect, taken) {
  switch (effect.name) {
    case "open":
      return openService(draft, effect, taken);
    case "shares":
      return refreshShares(draft, taken);
    case "chunk":
    case "snapshot":
      return undefined;
    case "rekey":
      return rekey(draft, taken);
    case "setTokenKeys":
      return setTokenKeys(draft, effect.one, JSON.parse(effect.two));
    case "removeTokenKeys":
      return removeTokenKeys(draft, effect.one);
    default:
      throw new Error(`this program does not know the effect ${effect.name}`);
  }
}

function openService(draft, { one: previous, two: next }, taken) {
  const info = jsonOf(draft.get(SERVICE_INFO, ONLY));
  if (info.status === "Open" || info.status === "WaitingForRecoveryShares") {
    return;
  }
  if (info.status === "Recovering") {
    throw new Error("the service is Recovering: a recovered service cannot be opened by this version");
  }
  if (previous !== undefined) {
    throw new Error("a new service is opened without a previous_service_identity: leave it out");
  }
  if (!isSameCertificate(next, info.cert)) {
    throw new Error(
      "Service identity mismatch: the next service identity in the transition_service_to_open proposal does not " +
        `match the current service identity:\nNext:\n${next}\nCurrent:\n${info.cert}`,
    );
  }
  issueShares(draft, taken);
  if (draft.get(SECRETS, ONLY) === undefined) {
    draft.put(SECRETS, ONLY, '{"next_version":1}');
  }
  taken(ENDORSEMENT, ONLY, () => undefined);
  draft.put(SERVICE_INFO, ONLY, binaryOf(sortedJson({ ...info, status: "Open" })));
}

function isSameCertificate(one, other) {
  return isBundle(one) && isBundle(other) && idOf(one) === idOf(other);
}

// Before the service is open nobody holds shares; the opening issues them.
function refreshShares(draft, taken) {
  const { status } = jsonOf(draft.get(SERVICE_INFO, ONLY));
  if (status === "Open") {
    issueShares(draft, taken);
  } else if (status !== "Opening") {
    throw new Error(`the service is ${status}: recovery shares cannot be refreshed during a recovery`);
  }
}

// Another ledger secret from the next transaction on; once is enough for one transaction.
function rekey(draft, taken) {
  const { status } = jsonOf(draft.get(SERVICE_INFO, ONLY));
  if (status !== "Open") {
    throw new Error(`the service is ${status}: the ledger can be rekeyed only while the service is open`);
  }
  if (draft.writes.get(SECRETS)?.has(ONLY)) {
    return;
  }
  const stored = draft.written(SECRETS, ONLY);
  taken(SECRETS, ONLY, (binary) => {
    const { next_version, previous_ledger_secret: previous } = jsonOf(binary);
    const isLinked = next_version === undefined && previous?.previous_secret_stored_version === stored;
    return isLinked ? undefined : `a record that is not linked to the one at ${stored}`;
  });
  sendToNodes(draft, taken);
  issueShares(draft, taken);
}

function sendToNodes(draft, taken) {
  const nodes = draft.entries(NODES_INFO).filter(([, value]) => {
    const { status, encryption_pub_key: key } = jsonOf(value);
    return status === "Trusted" && typeof key === "string";
  });
  if (nodes.length > 0) {
    const wanted = nodes.map(([id]) => textOf(id)).join();
    taken(NODE_SECRETS, ONLY, (binary) => {
      const given = Object.keys(jsonOf(binary)).sort().join();
      return given === wanted ? undefined : `the secret went to ${given}, and is for ${wanted}`;
    });
  }
}

// New shares for those who hold one.
function issueShares(draft, taken) {
  const holders = checkHolders(draft).sort().join();
  taken(RECOVERY_SHARES, ONLY, (binary) => {
    const given = Object.keys(jsonOf(binary).encrypted_shares).sort().join();
    return given === holders ? undefined : `shares went to ${given}, and are for ${holders}`;
  });
}
