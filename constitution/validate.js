// ---------------------------------------------------------------------------------------------------------------------
// validate
//
// Whether a proposal may be made. It is called once, before anything of the proposal is recorded, and answers
// `{valid, description}`. The description names the actions that are at fault.
// ---------------------------------------------------------------------------------------------------------------------

export function validate(input) {
  let proposal;
  try {
    proposal = JSON.parse(input);
  } catch (error) {
    return refuse(`the proposal is not JSON: ${error.message}`);
  }
  if (!Array.isArray(proposal?.actions)) {
    return refuse("the proposal must be an object whose field 'actions' is a list");
  }
  if (proposal.actions.length === 0) {
    return refuse("the list of actions is empty, so there is nothing to decide");
  }
  const faults = proposal.actions.map(faultOf).filter((fault) => fault !== undefined);
  return faults.length === 0 ? { valid: true, description: "" } : refuse(listed(faults));
}

function refuse(description) {
  return { valid: false, description };
}

// The first faults in full; nobody needs a thousand to correct a proposal.
function listed(faults) {
  const most = 20;
  const more = faults.length > most ? [`and ${faults.length - most} more`] : [];
  return [...faults.slice(0, most), ...more].join(", ");
}

// What is wrong with one action, or undefined.
function faultOf(action, position) {
  const name = action?.name;
  const definition = ACTIONS.get(name);
  if (definition === undefined) {
    return `${name}: no such action`;
  }
  try {
    definition.validate(action.args);
    return undefined;
  } catch (error) {
    return `${name} at position ${position} failed validation: ${error}\n${error.stack}`;
  }
}
