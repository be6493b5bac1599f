// ---------------------------------------------------------------------------------------------------------------------
// Recovery
//
// After a disaster members bring the service back with their recovery shares. Participants hold a share each, and as
// many as the threshold says are needed; an owner needs no other.
// ---------------------------------------------------------------------------------------------------------------------

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

// New shares for everybody who holds one; the old ones are worth nothing then.
const triggerRecoverySharesRefresh = {
  validate: checkNoArguments,
  apply() {
    ccf.node.triggerRecoverySharesRefresh();
  },
};

// A new secret for what is private in the ledger from now on, and new shares of it.
const triggerLedgerRekey = {
  validate: checkNoArguments,
  apply() {
    ccf.node.triggerLedgerRekey();
  },
};

function recoveryThreshold() {
  return serviceConfiguration().recovery_threshold ?? 1;
}

// Another threshold needs other shares, so it waits for a service that is not being recovered, and an open service must
// have enough members to hold them.
function prepareThreshold(threshold) {
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

// How many active members can help to recover the service.
function countRecoveryMembers() {
  const count = { participants: 0, owners: 0 };
  forEachRecord("members.info", (id, member) => {
    const role = activeRecoveryRole(id, member);
    count.participants += role === "Participant" ? 1 : 0;
    count.owners += role === "Owner" ? 1 : 0;
  });
  return count;
}

// Only an active member with a key can take part, and it does unless it was said otherwise.
function activeRecoveryRole(id, member) {
  const able = member.status === "Active" && hasRecord("members.encryption_public_keys", id);
  return able ? (member.recovery_role ?? "Participant") : "NonParticipant";
}

// The service stays recoverable: as many participants as the threshold asks for, or an owner where there are none.
function checkRecoverable(count, threshold) {
  const { participants, owners } = count;
  check(
    participants >= threshold || (participants === 0 && owners > 0),
    `The number of active recovery members (${participants}) would be less than the recovery threshold (${threshold})`,
  );
}
