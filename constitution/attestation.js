// ---------------------------------------------------------------------------------------------------------------------
// The join policy
//
// What a machine must show before it may run a node: what was loaded into it (measurement), what its owner bound it to
// (host data), who vouches for its firmware (endorsement of the utility VM), and how recent the processor's own
// software is (TCB version). Whoever widens this decides who receives the keys of the service.
// ---------------------------------------------------------------------------------------------------------------------

const ALLOWED = "AllowedToJoin";

function isAllowedToJoin(name, id) {
  return hasRecord(name, id) && readRecord(name, id) === ALLOWED;
}

// ---- Measurements ----

// SHA-384 of what was loaded into the machine.
const addSnpMeasurement = {
  validate(args) {
    checkType(args.measurement, "string", "measurement");
    checkLowerHex(args.measurement, 96, "measurement");
  },
  apply(args) {
    writeRecord("nodes.snp.measurements", args.measurement, ALLOWED);
  },
};

const removeSnpMeasurement = removalOf("nodes.snp.measurements", "measurement");

function keepsSnpMeasurement({ measurement }) {
  return isAllowedToJoin("nodes.snp.measurements", measurement);
}

// The code of an enclave of another make. Kept for services that moved here; no node of this service shows one.
const addNodeCode = {
  validate(args) {
    checkType(args.code_id, "string", "code_id");
  },
  apply(args) {
    writeRecord("nodes.code_ids", args.code_id, ALLOWED);
  },
};

const removeNodeCode = removalOf("nodes.code_ids", "code_id");

function keepsNodeCode({ code_id }) {
  return isAllowedToJoin("nodes.code_ids", code_id);
}

// The code of executors beside the nodes. Kept in the same way.
const addExecutorNodeCode = {
  validate(args) {
    checkType(args.executor_code_id, "string", "executor_code_id");
  },
  apply(args) {
    writeRecord("nodes.executor_code_ids", args.executor_code_id, "AllowedToExecute");
  },
};

const removeExecutorNodeCode = removalOf("nodes.executor_code_ids", "executor_code_id");

// ---- Host data ----

// SHA-256 of the policy that the host enforces on the machine. The policy itself may be given for everybody to read,
// and then it is the one meant.
const addSnpHostData = {
  validate(args) {
    checkType(args.security_policy, "string", "security_policy");
    checkType(args.host_data, "string", "host_data");
    checkLowerHex(args.host_data, 64, "host_data");
    check(
      args.security_policy === "" || digestOf(args.security_policy) === args.host_data,
      `The hash of raw policy ${args.security_policy} does not match digest ${args.host_data}`,
    );
  },
  apply(args) {
    writeRecord("nodes.snp.host_data", args.host_data, args.security_policy);
  },
};

const removeSnpHostData = removalOf("nodes.snp.host_data", "host_data");

function keepsSnpHostData({ host_data }) {
  return hasRecord("nodes.snp.host_data", host_data);
}

// SHA-256 of a text, hexadecimal.
function digestOf(text) {
  const bytes = [...new Uint8Array(ccf.crypto.digest("SHA-256", ccf.strToBuf(text)))];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// ---- Endorsements of the utility VM ----

// An issuer (did) vouches for a line of firmware (feed), from a version on (svn).
const addSnpUvmEndorsement = {
  validate(args) {
    checkType(args.did, "string", "did");
    checkType(args.feed, "string", "feed");
    checkType(args.svn, "string", "svn");
    check(isNumeral(args.svn), "svn must be a number");
  },
  apply(args) {
    const feeds = [...otherFeeds(args), [args.feed, { svn: args.svn }]];
    writeRecord("nodes.snp.uvm_endorsements", args.did, Object.fromEntries(feeds));
  },
};

// Removing what is not known does nothing. An issuer without feeds is removed.
const removeSnpUvmEndorsement = {
  validate(args) {
    checkType(args.did, "string", "did");
    checkType(args.feed, "string", "feed");
  },
  apply(args) {
    const feeds = otherFeeds(args);
    if (feeds.length > 0) {
      writeRecord("nodes.snp.uvm_endorsements", args.did, Object.fromEntries(feeds));
    } else {
      removeRecord("nodes.snp.uvm_endorsements", args.did);
    }
  },
};

function feedsOf(did) {
  return readRecord("nodes.snp.uvm_endorsements", did) ?? {};
}

function otherFeeds(args) {
  return Object.entries(feedsOf(args.did)).filter(([feed]) => feed !== args.feed);
}

// Whether the issuer and its feed are trusted already, and the version does not fall.
function keepsUvmEndorsement({ did, feed, svn }) {
  const feeds = feedsOf(did);
  return Object.hasOwn(feeds, feed) && isNotBelow(svn, feeds[feed].svn);
}

function isNotBelow(version, minimum) {
  return isNumeral(version) && isNumeral(minimum) && BigInt(version) >= BigInt(minimum);
}

// As many digits as a number of 64 bits can have: longer ones would take long to compare.
function isNumeral(text) {
  return /^[0-9]{1,20}$/.test(String(text));
}

// ---- TCB versions ----

// The least version of its own software that a processor of one kind (cpuid) must have.
const setSnpMinimumTcbVersionHex = {
  validate(args) {
    checkType(args.cpuid, "string", "cpuid");
    checkLowerHex(args.cpuid, 8, "cpuid");
    checkType(args.tcb_version, "string", "tcb_version");
    checkHex(args.tcb_version, 16, "tcb_version");
    ccf.tcbHexToPolicy(args.cpuid, args.tcb_version);
  },
  apply(args) {
    writeRecord("nodes.snp.tcb_versions", args.cpuid, ccf.tcbHexToPolicy(args.cpuid, args.tcb_version));
  },
};

// Without a minimum no processor of that kind is admitted.
const removeSnpMinimumTcbVersion = removalOf("nodes.snp.tcb_versions", "cpuid");

// Whether the processor is admitted already, and no component of its version falls. Each byte of the version is a
// component.
function keepsMinimumTcb({ cpuid, tcb_version }) {
  const minimum = readRecord("nodes.snp.tcb_versions", cpuid)?.hexstring;
  return isTcbVersion(minimum) && isTcbVersion(tcb_version) && isNoByteBelow(tcb_version, minimum);
}

function isTcbVersion(text) {
  return typeof text === "string" && /^[0-9a-fA-F]{16}$/.test(text);
}

function isNoByteBelow(version, minimum) {
  const bytes = (text) => text.match(/../g).map((byte) => parseInt(byte, 16));
  const least = bytes(minimum);
  return bytes(version).every((byte, at) => byte >= least[at]);
}

// An entry is removed; removing what is not there does nothing. `field` is the argument that names it.
function removalOf(name, field) {
  return {
    validate(args) {
      checkType(args[field], "string", field);
    },
    apply(args) {
      removeRecord(name, args[field]);
    },
  };
}
