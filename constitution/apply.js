// ---------------------------------------------------------------------------------------------------------------------
// apply
//
// Carries out an accepted proposal, action by action. An error undoes all of it, and the proposal has failed.
// ---------------------------------------------------------------------------------------------------------------------

export function apply(proposal, proposalId) {
  const { actions } = JSON.parse(proposal);
  const othersEnd = !actions.every(leavesOthersOpen);
  rememberConsortium();
  for (const action of actions) {
    const definition = ACTIONS.get(action.name);
    check(definition !== undefined, `${action.name}: no such action`);
    definition.apply(action.args, proposalId);
  }
  if (othersEnd) {
    dropOtherProposals(proposalId);
  }
}

// Other open proposals end with a proposal that changes the ground on which they were made and voted on: the rules, or
// a join policy that becomes wider. One that leaves the policy as wide as it was, or makes it narrower, ends nothing.
function leavesOthersOpen({ name, args }) {
  const keepsGround = CHANGES_OF_GROUND.get(name);
  return keepsGround === undefined || keepsGround(args);
}

// Whether such a change leaves the ground as it is, by the records as they are before the proposal.
const CHANGES_OF_GROUND = new Map([
  ["set_constitution", () => false],
  ["add_node_code", keepsNodeCode],
  ["add_snp_measurement", keepsSnpMeasurement],
  ["add_snp_host_data", keepsSnpHostData],
  ["add_snp_uvm_endorsement", keepsUvmEndorsement],
  ["set_snp_minimum_tcb_version_hex", keepsMinimumTcb],
]);

function dropOtherProposals(proposalId) {
  forEachOpenProposal((id, proposal) => {
    if (id !== proposalId) {
      writeRecord("proposals_info", id, { ...proposal, state: "Dropped" });
    }
  });
}
