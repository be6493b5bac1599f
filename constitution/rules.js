// ---------------------------------------------------------------------------------------------------------------------
// The rules themselves
// ---------------------------------------------------------------------------------------------------------------------

// The constitution. Whatever replaces it must load and still have the three functions that governance calls. It is kept
// exactly as it was voted.
const setConstitution = {
  validate(args) {
    checkType(args.constitution, "string", "constitution");
    ccf.gov.validateConstitution(args.constitution);
  },
  apply(args) {
    writeRecord("constitution", ONLY, args.constitution);
  },
};

// The application is part of the node that the members attest, so no vote can put another one beside it. Members change
// it by admitting another node: add_snp_host_data, add_snp_measurement, add_snp_uvm_endorsement.
const applicationByVote = notAvailable(
  "the application is built into the attested node and cannot be changed by a proposal; " +
    "admit a node that runs another one instead",
);

// What the members may delegate for the whole consortium, see rules 7 and 8 of resolve. An option that is not listed
// does not exist. The one for the application is kept for clients that ask for it, and delegates nothing.
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
