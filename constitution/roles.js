// ---------------------------------------------------------------------------------------------------------------------
// Roles
//
// Who in the consortium decides, and who only serves it. The data of a member says which roles it has.
// ---------------------------------------------------------------------------------------------------------------------

// An operator runs nodes. It may do alone what rule 1 of resolve lists.
function isOperator(member) {
  return Boolean(member?.member_data?.isOperator);
}

// A recovery operator holds recovery shares and decides nothing.
function isRecoveryOperator(member) {
  return Boolean(member?.member_data?.isRecoveryOperator);
}

// A governance operator may replace the constitution where the members allowed that.
function isCgsOperator(member) {
  return member?.member_data?.cgsRoles?.cgsOperator === "true";
}

// A contract operator may deploy contracts where the members allowed that.
function isContractOperator(member) {
  return member?.member_data?.cgsRoles?.contractOperator === "true";
}

// Everybody else is counted: nothing is accepted without all counted members that are active.
function isCounted(member) {
  return !(isOperator(member) || isRecoveryOperator(member) || isCgsOperator(member) || isContractOperator(member));
}

// The identifiers of the counted members in the given status.
function countedMembers(status) {
  const ids = [];
  forEachRecord("members.info", (id, member) => {
    if (isCounted(member) && member.status === status) {
      ids.push(id);
    }
  });
  return ids;
}

// Whether the consortium has been formed: a counted member is active, or once was. From then on an operator cannot
// change alone who decides or what may run, not even while the only member waits to be active again.
function isConsortiumFormed() {
  return hasRecord("cgs_consortium", ONLY) || countedMembers("Active").length > 0;
}

// Remembers that the consortium was formed, before anything can be decided that takes away its last active member.
function rememberConsortium() {
  if (!hasRecord("cgs_consortium", ONLY) && countedMembers("Active").length > 0) {
    writeRecord("cgs_consortium", ONLY, { formed: true });
  }
}

// How many active members can help to recover the service. Participants hold a share each, an owner needs no other.
function countRecoveryMembers() {
  const count = { participants: 0, owners: 0 };
  forEachRecord("members.info", (id, member) => {
    const role = activeRecoveryRole(id, member);
    count.participants += role === "Participant" ? 1 : 0;
    count.owners += role === "Owner" ? 1 : 0;
  });
  return count;
}

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
