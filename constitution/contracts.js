// ---------------------------------------------------------------------------------------------------------------------
// Contracts and what belongs to them
// ---------------------------------------------------------------------------------------------------------------------

// A contract is accepted for good, together with the votes that accepted it.
const setContract = {
  validate(args) {
    checkType(args.contractId, "string", "contractId");
    checkType(args.contract, "object", "contract");
    checkCarriesData(args.contract, "contract");
  },
  apply(args, proposalId) {
    writeRecord("accepted_contracts", args.contractId, {
      data: args.contract.data,
      proposalId,
      finalVotes: finalVotesOf(proposalId),
    });
  },
};

// A member document is accepted in the same way.
const setMemberDocument = {
  validate(args) {
    checkType(args.documentId, "string", "documentId");
    checkType(args.document, "object", "document");
    checkCarriesData(args.document, "document");
  },
  apply(args, proposalId) {
    writeRecord("accepted_member_documents", args.documentId, {
      data: args.document.data,
      contractId: args.document.contractId,
      proposalId,
      finalVotes: finalVotesOf(proposalId),
    });
  },
};

// The service records the final votes before it applies a proposal.
function finalVotesOf(proposalId) {
  const proposal = readRecord("proposals_info", proposalId);
  check(proposal !== undefined, `Can't find proposal info for ${proposalId}`);
  return proposal.final_votes;
}

// How the clean rooms of a contract are deployed. Only an accepted contract can be deployed.
const setDeploymentSpec = {
  validate(args) {
    checkType(args.contractId, "string", "contractId");
    checkType(args.spec, "object", "spec");
    checkAccepted(args.contractId, "Deployment spec");
    checkCarriesData(args.spec, "spec");
  },
  apply(args) {
    writeRecord("deployment_specs", args.contractId, { data: args.spec.data });
  },
};

// Where the clean rooms of a contract are deployed.
const setDeploymentInfo = {
  validate(args) {
    checkType(args.contractId, "string", "contractId");
    checkType(args.info, "object", "info");
    checkAccepted(args.contractId, "Deployment info");
    checkCarriesData(args.info, "info");
  },
  apply(args) {
    writeRecord("deployment_info", args.contractId, { data: args.info.data });
  },
};

// Whether clean rooms of a contract may give out logs and telemetry. Both are off until the members allow them.
const enableLogging = contractOption("contracts_logging_status", "enabled");
const disableLogging = contractOption("contracts_logging_status", "disabled");
const enableTelemetry = contractOption("contracts_telemetry_status", "enabled");
const disableTelemetry = contractOption("contracts_telemetry_status", "disabled");

function contractOption(name, status) {
  return {
    validate(args) {
      checkType(args.contractId, "string", "contractId");
      checkAccepted(args.contractId, "Action");
    },
    apply(args) {
      writeRecord(name, args.contractId, { status });
    },
  };
}

function checkAccepted(contractId, what) {
  check(
    hasRecord("accepted_contracts", contractId),
    `${what} can only be proposed once contract '${contractId}' has been accepted.`,
  );
}
