// ---------------------------------------------------------------------------------------------------------------------
// Members
// ---------------------------------------------------------------------------------------------------------------------

const RECOVERY_ROLES = ["NonParticipant", "Participant", "Owner"];

// A new member is Accepted; it becomes Active when it confirms the state of the service with its signature. Setting a
// member again starts this over.
const setMember = {
  validate(args) {
    checkCertificates(args.cert, "cert");
    checkType(args.member_data, "object?", "member_data");
    const hasKey = isGiven(args.encryption_pub_key);
    if (hasKey) {
      checkType(args.encryption_pub_key, "string", "encryption_pub_key");
      check(
        ccf.gov.isValidEncryptionKey(args.encryption_pub_key),
        "encryption_pub_key must be an RSA public key in PEM format",
      );
    }
    if (isGiven(args.recovery_role)) {
      checkChoice(args.recovery_role, RECOVERY_ROLES, "recovery_role");
      check(
        hasKey || args.recovery_role === "NonParticipant",
        "Cannot specify a recovery_role value when encryption_pub_key is not specified",
      );
    }
  },
  apply(args) {
    const id = ccf.pemToId(args.cert);
    writeText("members.certs", id, args.cert);
    if (args.encryption_pub_key) {
      writeText("members.encryption_public_keys", id, args.encryption_pub_key);
    } else {
      removeRecord("members.encryption_public_keys", id);
    }
    writeRecord("members.info", id, {
      member_data: args.member_data ?? undefined,
      recovery_role: args.recovery_role ?? undefined,
      status: "Accepted",
    });
    writeRecord("members.acks", id, { state_digest: latestSignedRoot() });
  },
};

// The root of the ledger at its latest signature: what the new member is asked to confirm first.
function latestSignedRoot() {
  const signature = ccf.kv["public:ccf.internal.signatures"].get(ONLY);
  return signature === undefined ? "" : ccf.bufToJsonCompatible(signature).root;
}

// A member is removed with everything known of it. Its ballots count no more. Removing somebody unknown does nothing.
// The service must stay recoverable by those who remain, under a secret that the removed member has no share of.
const removeMember = {
  validate(args) {
    checkIdentifier(args.member_id, "member_id");
  },
  apply(args) {
    const id = args.member_id;
    const member = readRecord("members.info", id);
    if (member === undefined) {
      return;
    }
    const role = activeRecoveryRole(id, member);
    for (const name of ["info", "encryption_public_keys", "certs", "acks"]) {
      removeRecord(`members.${name}`, id);
    }
    removeRecord("history", id);
    if (role !== "NonParticipant") {
      checkRecoverable(countRecoveryMembers(), recoveryThreshold());
      if (serviceInfo().status === "Open") {
        ccf.node.triggerLedgerRekey();
      }
    }
  },
};

// The data of a member is replaced as a whole. It holds the roles, so this can give and take them.
const setMemberData = {
  validate(args) {
    checkIdentifier(args.member_id, "member_id");
    checkType(args.member_data, "object", "member_data");
  },
  apply(args) {
    const member = readRecord("members.info", args.member_id);
    check(member !== undefined, `Member ${args.member_id} does not exist`);
    member.member_data = args.member_data;
    writeRecord("members.info", args.member_id, member);
  },
};
