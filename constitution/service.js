// ---------------------------------------------------------------------------------------------------------------------
// The service
// ---------------------------------------------------------------------------------------------------------------------

// The constitution itself. Whatever replaces it must load and still have the three functions that governance calls. It
// is kept exactly as it was voted. Other open proposals end: they were made under the old rules.
const setConstitution = {
  validate(args) {
    checkType(args.constitution, "string", "constitution");
    ccf.gov.validateConstitution(args.constitution);
  },
  apply(args, proposalId) {
    writeRecord("constitution", ONLY, args.constitution);
    dropOtherProposals(proposalId);
  },
};

function dropOtherProposals(proposalId) {
  forEachOpenProposal((id, proposal) => {
    if (id !== proposalId) {
      writeRecord("proposals_info", id, { ...proposal, state: "Dropped" });
    }
  });
}

// Opening the service lets the application answer. The certificates pin which service is meant: the next one always,
// and after a disaster also the one whose ledger is being recovered.
const transitionServiceToOpen = {
  validate(args) {
    checkType(args.next_service_identity, "string", "next service identity (PEM certificate)");
    checkCertificates(args.next_service_identity, "next_service_identity");
    checkType(args.previous_service_identity, "string?", "previous service identity (PEM certificate)");
    if (args.previous_service_identity !== undefined && args.previous_service_identity !== null) {
      checkCertificates(args.previous_service_identity, "previous_service_identity");
    }
  },
  apply(args) {
    const service = serviceInfo();
    const previous = args.previous_service_identity ?? undefined;
    check(
      isSameCertificate(args.next_service_identity, service.cert),
      "The next service identity is not this service's",
    );
    if (service.status === "Opening") {
      check(previous === undefined, "Opening a new network must not name a previous service identity");
      checkRecoverable(countRecoveryMembers(), serviceConfiguration().recovery_threshold ?? 1);
    }
    if (service.status === "Recovering") {
      check(previous !== undefined, "Opening a recovering network requires the previous service identity as well");
      const recorded = readRecord("service.previous_service_identity", ONLY);
      check(
        recorded !== undefined && isSameCertificate(previous, recorded),
        "The previous service identity is not that of the ledger being recovered",
      );
    }
    ccf.node.transitionServiceToOpen(previous, args.next_service_identity);
  },
};

function isSameCertificate(one, other) {
  return ccf.pemToId(one) === ccf.pemToId(other);
}

// A proposal can be tied to one service: it is not valid on any other.
const assertServiceIdentity = {
  validate(args) {
    checkCertificates(args.service_identity, "service_identity");
    check(isSameCertificate(serviceInfo().cert, args.service_identity), "Service identity certificate mismatch");
  },
  apply() {},
};

// How many recovery shares it takes to recover the service.
const setRecoveryThreshold = {
  validate(args) {
    checkType(args.recovery_threshold, "integer", "threshold");
    checkBounds(args.recovery_threshold, 1, 254, "threshold");
  },
  apply(args) {
    changeConfiguration({ recovery_threshold: args.recovery_threshold });
  },
};

const CONFIGURABLE = ["reconfiguration_type", "recovery_threshold", "recent_cose_proposals_window_size"];

const setServiceConfiguration = {
  validate(args) {
    for (const name of Object.keys(args)) {
      check(CONFIGURABLE.includes(name), `Cannot change ${name} via set_service_configuration.`);
    }
    checkType(args.reconfiguration_type, "string?", "reconfiguration type");
    checkType(args.recovery_threshold, "integer?", "recovery threshold");
    checkBounds(args.recovery_threshold ?? undefined, 1, 254, "recovery threshold");
    const window = "recent COSE proposals window size";
    checkType(args.recent_cose_proposals_window_size, "integer?", window);
    checkBounds(args.recent_cose_proposals_window_size ?? undefined, 1, 10000, window);
  },
  apply(args) {
    const given = Object.entries(args).filter(([, value]) => value !== null);
    changeConfiguration(Object.fromEntries(given));
  },
};

// Changes what is given and keeps the rest. Another threshold needs other shares, so it waits for a service that is
// not being recovered, and an open service must have enough members to hold them.
function changeConfiguration(changes) {
  const current = serviceConfiguration();
  const threshold = changes.recovery_threshold ?? current.recovery_threshold;
  if (threshold !== current.recovery_threshold) {
    const { status } = serviceInfo();
    check(
      status !== "WaitingForRecoveryShares",
      "The recovery threshold cannot be changed while the service waits for recovery shares",
    );
    if (status === "Open") {
      checkRecoverable(countRecoveryMembers(), threshold);
      ccf.node.triggerRecoverySharesRefresh();
    }
  }
  writeRecord("service.config", ONLY, { ...current, ...changes });
}

// The limits of scripts. The service raises its own limits to these but never lowers them.
const setJsRuntimeOptions = {
  validate(args) {
    checkType(args.max_heap_bytes, "integer", "max_heap_bytes");
    checkType(args.max_stack_bytes, "integer", "max_stack_bytes");
    checkType(args.max_execution_time_ms, "integer", "max_execution_time_ms");
    checkType(args.log_exception_details, "boolean?", "log_exception_details");
    checkType(args.return_exception_details, "boolean?", "return_exception_details");
    checkType(args.max_cached_interpreters, "integer?", "max_cached_interpreters");
  },
  apply(args) {
    writeRecord("js_runtime_options", ONLY, args);
  },
};

const triggerLedgerChunk = {
  validate: checkNoArguments,
  apply() {
    ccf.node.triggerLedgerChunk();
  },
};

const triggerSnapshot = {
  validate: checkNoArguments,
  apply() {
    ccf.node.triggerSnapshot();
  },
};

// The application is part of the node that the members attest, so no vote can put another one beside it. Members change
// it by admitting another node: add_snp_host_data, add_snp_measurement, add_snp_uvm_endorsement.
const noApplicationByVote = {
  validate() {
    throw new Error(
      "the application is built into the attested node and cannot be changed by a proposal; " +
        "admit a node that runs another one instead",
    );
  },
  apply() {
    this.validate();
  },
};

// What clients and operators may switch on for the whole consortium. An option that is not listed does not exist.
const CGS_OPTIONS = [
  "autoapprove-constitution-proposal",
  "autoapprove-jsapp-proposal",
  "autoapprove-deploymentspec-proposal",
  "autoapprove-deploymentinfo-proposal",
  "autoapprove-cleanroompolicy-proposal",
];

const setCgsRuntimeOptions = {
  validate(args) {
    checkType(args.option, "string", "option");
    checkType(args.status, "string", "status");
    check(CGS_OPTIONS.includes(args.option), `The option '${args.option}' is not an allowed option`);
    check(["enabled", "disabled"].includes(args.status), `The value '${args.status}' is not supported`);
  },
  apply(args) {
    writeRecord("cgs_runtime_options", args.option, { status: args.status });
  },
};

function isOptionEnabled(option) {
  return readRecord("cgs_runtime_options", option)?.status === "enabled";
}
