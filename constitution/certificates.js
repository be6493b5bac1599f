// ---------------------------------------------------------------------------------------------------------------------
// Certificates
//
// The service endorses the keys of its nodes, and its own. A certificate can be renewed at any time, for the same key
// and for at most as many days as was agreed when the service was founded.
// ---------------------------------------------------------------------------------------------------------------------

const DEFAULT_MAXIMUM_DAYS = 365;

const setNodeCertificateValidity = {
  validate(args) {
    checkIdentifier(args.node_id, "node_id");
    checkNodeValidity(args);
  },
  apply(args) {
    const node = existingNode(args.node_id);
    check(node.status === "Trusted", `Node ${args.node_id} is not trusted`);
    endorseNode(args.node_id, node, args);
  },
};

const setAllNodesCertificateValidity = {
  validate: checkNodeValidity,
  apply(args) {
    for (const id of trustedNodes()) {
      endorseNode(id, existingNode(id), args);
    }
  },
};

const setServiceCertificateValidity = {
  validate(args) {
    checkValidity(args, maximumServiceDays());
  },
  apply(args) {
    checkValidity(args, maximumServiceDays());
    const days = args.validity_period_days ?? maximumServiceDays();
    const cert = ccf.network.generateNetworkCertificate(args.valid_from, days);
    writeRecord("service.info", ONLY, { ...serviceInfo(), cert });
  },
};

// The certificate that the service gives a node, from the request that the node signed.
function endorseNode(id, node, args) {
  checkNodeValidity(args);
  const request = node.certificate_signing_request;
  check(request !== undefined, `Node ${id} has no certificate signing request`);
  const days = args.validity_period_days ?? maximumNodeDays();
  const cert = ccf.network.generateEndorsedCertificate(request, args.valid_from, days);
  writeText("nodes.endorsed_certificates", id, cert);
}

function checkNodeValidity(args) {
  checkValidity(args, maximumNodeDays());
}

// Since when a certificate is valid, and for how many days; the maximum where that is not said.
function checkValidity(args, maximum) {
  const days = args.validity_period_days ?? undefined;
  checkType(args.valid_from, "string", "valid_from");
  checkType(days, "integer?", "validity_period_days");
  checkBounds(days, 1, undefined, "validity_period_days");
  check(!(days > maximum), `Validity period ${days} is greater than maximum allowed ${maximum}`);
}

function maximumNodeDays() {
  return serviceConfiguration().maximum_node_certificate_validity_days ?? DEFAULT_MAXIMUM_DAYS;
}

function maximumServiceDays() {
  return serviceConfiguration().maximum_service_certificate_validity_days ?? DEFAULT_MAXIMUM_DAYS;
}
