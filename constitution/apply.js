// ---------------------------------------------------------------------------------------------------------------------
// apply
//
// Carries out an accepted proposal, action by action. An error undoes all of it, and the proposal has failed.
// ---------------------------------------------------------------------------------------------------------------------

export function apply(proposal, proposalId) {
  rememberConsortium();
  for (const action of JSON.parse(proposal).actions) {
    const definition = ACTIONS.get(action.name);
    check(definition !== undefined, `${action.name}: no such action`);
    definition.apply(action.args, proposalId);
  }
}
