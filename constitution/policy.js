// ---------------------------------------------------------------------------------------------------------------------
// Clean room policies
//
// What a clean room must show before it is told anything that belongs to a contract. A policy is made of claims, see
// there. It concerns one kind of evidence or several; no claim has the same name in two kinds, so each tells which kind
// it is for.
// ---------------------------------------------------------------------------------------------------------------------

// The claims of each kind of evidence: of confidential containers, of tokens, of confidential virtual machines.
const POLICY_CLAIMS = new Map([
  [
    "snp-caci",
    [
      "x-ms-attestation-type",
      "x-ms-compliance-status",
      "x-ms-policy-hash",
      "vm-configuration-secure-boot",
      "vm-configuration-secure-boot-template-id",
      "vm-configuration-tpm-enabled",
      "vm-configuration-vmUniqueId",
      "x-ms-ver",
      "x-ms-sevsnpvm-authorkeydigest",
      "x-ms-sevsnpvm-bootloader-svn",
      "x-ms-sevsnpvm-familyId",
      "x-ms-sevsnpvm-guestsvn",
      "x-ms-sevsnpvm-hostdata",
      "x-ms-sevsnpvm-idkeydigest",
      "x-ms-sevsnpvm-imageId",
      "x-ms-sevsnpvm-is-debuggable",
      "x-ms-sevsnpvm-launchmeasurement",
      "x-ms-sevsnpvm-microcode-svn",
      "x-ms-sevsnpvm-migration-allowed",
      "x-ms-sevsnpvm-reportdata",
      "x-ms-sevsnpvm-reportid",
      "x-ms-sevsnpvm-smt-allowed",
      "x-ms-sevsnpvm-snpfw-svn",
      "x-ms-sevsnpvm-tee-svn",
      "x-ms-sevsnpvm-vmpl",
      "uvm_endorsements-did",
      "uvm_endorsements-feed",
      "uvm_endorsements-svn",
    ],
  ],
  ["jwt", ["oid", "appid", "tid", "sub", "iss"]],
  [
    "snp-cvm",
    [
      ...Array.from({ length: 24 }, (_, register) => `pcr${register}`),
      // Registers say what runs if the paravisor is believed, and these say which paravisor that is.
      "paravisor-authorkeydigest",
      "paravisor-familyId",
      "paravisor-guestsvn",
      "paravisor-idkeydigest",
      "paravisor-imageId",
      "paravisor-launchmeasurement",
    ],
  ],
]);

// A policy is changed claim by claim. Only an accepted contract has one.
const setCleanRoomPolicy = {
  validate(args) {
    checkType(args.contractId, "string", "contractId");
    checkType(args.type, "string", "type");
    checkType(args.policyType, "string?", "policyType");
    checkType(args.claims, "object", "claims");
    check(CLAIM_CHANGES.includes(args.type), `Clean Room Policy with type '${args.type}' is not supported`);
    const kind = args.policyType === undefined ? "snp-caci" : args.policyType;
    check(POLICY_CLAIMS.has(kind), `Unknown policyType '${kind}'`);
    checkClaims(args.claims, POLICY_CLAIMS.get(kind), `${kind} claim`);
    checkAccepted(args.contractId, "Clean Room Policy");
  },
  apply(args) {
    const table = `policies.cleanroom-${args.contractId}`;
    changeClaims(args.type, table, args.claims, "clean room policy");
  },
};
