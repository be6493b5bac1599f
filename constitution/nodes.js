// ---------------------------------------------------------------------------------------------------------------------
// Nodes
//
// A node is Pending when it has shown its evidence and asks to join, Trusted once it is admitted, and Retired when it
// was removed. A trusted node holds the keys of the service.
// ---------------------------------------------------------------------------------------------------------------------

// A node that waits is admitted, and the service endorses its key with a certificate. A node that does not wait is left
// as it is.
const transitionNodeToTrusted = {
  validate(args) {
    checkIdentifier(args.node_id, "node_id");
    checkNodeValidity(args);
  },
  apply(args) {
    const node = existingNode(args.node_id);
    if (node.status !== "Pending") {
      return;
    }
    const admitted = {
      ...node,
      status: "Trusted",
      ledger_secret_seqno: ccf.network.getLatestLedgerSecretSeqno(),
    };
    writeRecord("nodes.info", args.node_id, admitted);
    if (admitted.certificate_signing_request !== undefined) {
      endorseNode(args.node_id, admitted, args);
    }
  },
};

// A node that waits is forgotten; one that was trusted is retired and gets no further secrets. The last trusted node
// cannot be removed: nobody would be left to run the service. Removing a node that is not known does nothing.
const removeNode = {
  validate(args) {
    checkIdentifier(args.node_id, "node_id");
  },
  apply(args) {
    const node = readRecord("nodes.info", args.node_id);
    if (node?.status === "Pending") {
      removeRecord("nodes.info", args.node_id);
    }
    if (node?.status === "Trusted") {
      check(trustedNodes().length > 1, `Node ${args.node_id} is the last trusted one and cannot be removed`);
      writeRecord("nodes.info", args.node_id, { ...node, status: "Retired" });
    }
  },
};

// A note about a node, of any form.
const setNodeData = {
  validate(args) {
    checkIdentifier(args.node_id, "node_id");
  },
  apply(args) {
    const node = readRecord("nodes.info", args.node_id);
    check(node !== undefined, `Node ${args.node_id} does not exist`);
    writeRecord("nodes.info", args.node_id, { ...node, node_data: args.node_data });
  },
};

function existingNode(id) {
  const node = readRecord("nodes.info", id);
  check(node !== undefined, `No such node: ${id}`);
  return node;
}

// The identifiers of the nodes that are trusted.
function trustedNodes() {
  const ids = [];
  forEachRecord("nodes.info", (id, node) => {
    if (node.status === "Trusted") {
      ids.push(id);
    }
  });
  return ids;
}

// ---- Evidence ----

// Whether the evidence of a node shows what the join policy allows as it is now. The service checked the evidence when
// it took the request to join, and the policy may have become stricter since.
//
// Only evidence of the virtual platform can be read here. What a node on other hardware shows is judged by the members.
function passesJoinPolicy(node) {
  const evidence = virtualEvidence(node.quote_info);
  return (
    typeof evidence?.measurement === "string" &&
    typeof evidence.host_data === "string" &&
    isAllowedToJoin("nodes.virtual.measurements", evidence.measurement) &&
    hasRecord("nodes.virtual.host_data", evidence.host_data)
  );
}

// The evidence is JSON in base64.
function virtualEvidence(quote) {
  if (quote?.format !== "Insecure_Virtual") {
    return undefined;
  }
  try {
    return JSON.parse(fromBase64(quote.quote));
  } catch {
    return undefined;
  }
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Every character stands for six bits of a text of eight-bit characters.
function fromBase64(text) {
  const bits = [...text.replace(/=+$/, "")].map((one) => BASE64.indexOf(one).toString(2).padStart(6, "0")).join("");
  return bits.match(/.{8}/g).map((byte) => String.fromCharCode(parseInt(byte, 2))).join("");
}
