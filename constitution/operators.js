// ---------------------------------------------------------------------------------------------------------------------
// Operators
//
// Rule 1 of resolve: what an operator decides alone. An operator runs machines. It prepares a service for the members
// who are to come; once one of them is there it keeps the service running and may make it stricter, but who decides,
// who is trusted and what may run is no longer up to it.
//
// Each action is judged by the records as they are before the proposal, and none of those that are lawful makes another
// one lawful that was not. So nothing is gained by putting several into one proposal, or by making several proposals.
// ---------------------------------------------------------------------------------------------------------------------

// Everything in the proposal must be something that the operator may do alone; otherwise all of it needs the members.
function operatorActsAlone(matter) {
  if (!isOperator(matter.proposer)) {
    return undefined;
  }
  const lawful = isConsortiumFormed() ? UPKEEP : PREPARATIONS;
  const mayDoAlone = ({ name, args }) => lawful.has(name) && lawful.get(name)(args);
  return matter.actions.length > 0 && matter.actions.every(mayDoAlone) ? ACCEPTED : undefined;
}

const always = () => true;

// ---- Before the consortium is formed ----

// No counted member has ever been active. The operator prepares the service, and whoever joins afterwards sees what it
// did.
const PREPARATIONS = new Map([
  // It opens the service and keeps it running.
  ["transition_service_to_open", always],
  ["trigger_ledger_chunk", always],
  ["trigger_snapshot", always],
  ["set_recovery_threshold", always],

  // It puts up and takes down nodes, and says which machines may run one.
  ["transition_node_to_trusted", always],
  ["remove_node", always],
  ["set_node_data", always],
  ["set_node_certificate_validity", always],
  ["set_service_certificate_validity", always],
  ["add_snp_uvm_endorsement", always],
  ["remove_snp_uvm_endorsement", always],
  ["set_snp_minimum_tcb_version_hex", always],
  ["remove_snp_minimum_tcb_version", always],

  // It says whose tokens are believed.
  ["set_ca_cert_bundle", always],
  ["remove_ca_cert_bundle", always],
  ["set_jwt_issuer", always],
  ["remove_jwt_issuer", always],

  // It brings in other operators, and removes them.
  ["set_member", isForOperator],
  ["remove_member", isRemovalOfOperator],
]);

// ---- From then on ----

// A counted member is active or once was. This holds in every state of the service, also while it is recovered.
const UPKEEP = new Map([
  // It opens the service and keeps it running.
  ["transition_service_to_open", always],
  ["trigger_ledger_chunk", always],
  ["trigger_snapshot", always],

  // It may ask for more recovery shares, not for fewer.
  ["set_recovery_threshold", keepsRecoveryThreshold],

  // It admits nodes that pass the join policy of the members, and takes down nodes.
  ["transition_node_to_trusted", admitsByPolicy],
  ["remove_node", always],
  ["set_node_data", always],

  // It renews certificates; for how long at most was fixed when the service was founded.
  ["set_node_certificate_validity", always],
  ["set_service_certificate_validity", always],

  // It may make the join policy stricter. Measurements and host data it cannot add at all; a minimum it cannot remove.
  ["add_snp_uvm_endorsement", keepsUvmEndorsement],
  ["remove_snp_uvm_endorsement", always],
  ["set_snp_minimum_tcb_version_hex", keepsMinimumTcb],

  // It may take away trust in issuers of tokens, and give none.
  ["set_ca_cert_bundle", keepsCaCertBundle],
  ["remove_ca_cert_bundle", always],
  ["set_jwt_issuer", keepsJwtIssuer],
  ["remove_jwt_issuer", always],

  // It removes operators, and brings in none.
  ["remove_member", isRemovalOfOperator],
]);

// ---- What makes such an action lawful ----

// The member to be set will be an operator, and nobody else before: whoever was invited to decide is not turned into one.
function isForOperator({ cert, member_data }) {
  const before = readRecord("members.info", ccf.pemToId(cert));
  return isOperator({ member_data }) && (before === undefined || isOperator(before));
}

// The member to be removed is an operator.
function isRemovalOfOperator({ member_id }) {
  return isOperator(readRecord("members.info", member_id));
}

// The threshold does not fall.
function keepsRecoveryThreshold({ recovery_threshold }) {
  return recovery_threshold >= recoveryThreshold();
}

// The node that waits passes the join policy. For one that does not wait nothing is decided.
function admitsByPolicy({ node_id }) {
  const node = readRecord("nodes.info", node_id);
  return node?.status !== "Pending" || passesJoinPolicy(node);
}

// The bundle is there already, with the same certificates.
function keepsCaCertBundle({ name, cert_bundle }) {
  return readRecord("tls.ca_cert_bundles", name) === cert_bundle;
}

// The issuer is there already, exactly as it is to be set, and gets no keys.
function keepsJwtIssuer(args) {
  const issuer = readRecord("jwt.issuers", args.issuer);
  const wanted = issuerRecord(args);
  const same = (field) => issuer?.[field] === wanted[field];
  return !isGiven(args.jwks) && ["issuer", "auto_refresh", "ca_cert_bundle_name"].every(same);
}
