// ---------------------------------------------------------------------------------------------------------------------
// The service
// ---------------------------------------------------------------------------------------------------------------------

// Opening the service lets the application answer. The certificates pin which service is meant: the next one always,
// and after a disaster also the one whose ledger is being recovered.
const transitionServiceToOpen = {
  validate(args) {
    checkType(args.next_service_identity, "string", "next service identity (PEM certificate)");
    checkCertificates(args.next_service_identity, "next_service_identity");
    checkType(args.previous_service_identity, "string?", "previous service identity (PEM certificate)");
    if (isGiven(args.previous_service_identity)) {
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
      checkRecoverable(countRecoveryMembers(), recoveryThreshold());
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

// Only these settings can be changed; the others were fixed when the service was founded.
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

// Changes what is given and keeps the rest.
function changeConfiguration(changes) {
  const current = serviceConfiguration();
  const threshold = changes.recovery_threshold ?? current.recovery_threshold;
  if (threshold !== current.recovery_threshold) {
    prepareThreshold(threshold);
  }
  writeRecord("service.config", ONLY, { ...current, ...changes });
}

// The limits of scripts. The service raises its own limits to these but never lowers them, and not beyond a maximum.
const setJsRuntimeOptions = {
  validate(args) {
    checkType(args.max_heap_bytes, "integer", "max_heap_bytes");
    checkType(args.max_stack_bytes, "integer", "max_stack_bytes");
    checkType(args.max_execution_time_ms, "integer", "max_execution_time_ms");
    checkType(args.log_exception_details, "boolean?", "log_exception_details");
    checkType(args.return_exception_details, "boolean?", "return_exception_details");
    checkType(args.max_cached_interpreters, "integer?", "max_cached_interpreters");
    for (const [name, most] of Object.entries(ccf.gov.maximumRuntimeOptions)) {
      checkBounds(args[name], undefined, most, name);
    }
  },
  apply(args) {
    writeRecord("js_runtime_options", ONLY, args);
  },
};

// The current file of the ledger ends, and another begins.
const triggerLedgerChunk = {
  validate: checkNoArguments,
  apply() {
    ccf.node.triggerLedgerChunk();
  },
};

// A copy of the state is written, from which nodes start faster.
const triggerSnapshot = {
  validate: checkNoArguments,
  apply() {
    ccf.node.triggerSnapshot();
  },
};

// Certificates of this service are not obtained from a public authority, so there are none to refresh.
const triggerAcmeRefresh = notAvailable(
  "the service does not obtain certificates by ACME, so there is nothing to refresh; " +
    "its own are renewed by set_service_certificate_validity and set_node_certificate_validity",
);

// An action of other services that this one does not have, and why.
function notAvailable(why) {
  return {
    validate() {
      throw new Error(why);
    },
    apply() {
      throw new Error(why);
    },
  };
}
