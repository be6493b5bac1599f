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
