// ---------------------------------------------------------------------------------------------------------------------
// Actions
//
// Everything a proposal can do. `validate(args)` throws when the arguments cannot be right; it runs once, when the
// proposal is made. `apply(args, proposalId)` carries the action out; it runs once, when the proposal is accepted.
// A name that is not listed does not exist.
// ---------------------------------------------------------------------------------------------------------------------

const ACTIONS = new Map([
  // Who takes part
  ["set_member", setMember],
  ["remove_member", removeMember],
  ["set_member_data", setMemberData],
  ["set_user", setUser],
  ["remove_user", removeUser],
  ["set_user_data", setUserData],
  ["set_user_identity", setUserIdentity],
  ["remove_user_identity", removeUserIdentity],
  ["set_user_invitation_by_jwt_claims", setUserInvitation],
  ["remove_user_invitation_by_jwt_claims", removeUserInvitation],

  // How the service is run, and under which rules
  ["set_recovery_threshold", setRecoveryThreshold],
  ["trigger_recovery_shares_refresh", triggerRecoverySharesRefresh],
  ["trigger_ledger_rekey", triggerLedgerRekey],
  ["transition_service_to_open", transitionServiceToOpen],
  ["assert_service_identity", assertServiceIdentity],
  ["set_service_configuration", setServiceConfiguration],
  ["set_js_runtime_options", setJsRuntimeOptions],
  ["trigger_ledger_chunk", triggerLedgerChunk],
  ["trigger_snapshot", triggerSnapshot],
  ["trigger_acme_refresh", triggerAcmeRefresh],
  ["set_constitution", setConstitution],
  ["set_cgs_runtime_options", setCgsRuntimeOptions],
  ["set_js_app", applicationByVote],
  ["remove_js_app", applicationByVote],
  ["refresh_js_app_bytecode_cache", applicationByVote],

  // Which machines run it
  ["transition_node_to_trusted", transitionNodeToTrusted],
  ["remove_node", removeNode],
  ["set_node_data", setNodeData],
  ["set_node_certificate_validity", setNodeCertificateValidity],
  ["set_all_nodes_certificate_validity", setAllNodesCertificateValidity],
  ["set_service_certificate_validity", setServiceCertificateValidity],
  ["add_node_code", addNodeCode],
  ["remove_node_code", removeNodeCode],
  ["add_executor_node_code", addExecutorNodeCode],
  ["remove_executor_node_code", removeExecutorNodeCode],
  ["add_snp_measurement", addSnpMeasurement],
  ["remove_snp_measurement", removeSnpMeasurement],
  ["add_snp_host_data", addSnpHostData],
  ["remove_snp_host_data", removeSnpHostData],
  ["add_snp_uvm_endorsement", addSnpUvmEndorsement],
  ["remove_snp_uvm_endorsement", removeSnpUvmEndorsement],
  ["set_snp_minimum_tcb_version_hex", setSnpMinimumTcbVersionHex],
  ["remove_snp_minimum_tcb_version", removeSnpMinimumTcbVersion],

  // Whose tokens of identity are believed
  ["set_ca_cert_bundle", setCaCertBundle],
  ["remove_ca_cert_bundle", removeCaCertBundle],
  ["set_jwt_issuer", setJwtIssuer],
  ["set_jwt_public_signing_keys", setJwtPublicSigningKeys],
  ["remove_jwt_issuer", removeJwtIssuer],

  // What clean rooms may do
  ["set_contract", setContract],
  ["set_member_document", setMemberDocument],
  ["set_deployment_spec", setDeploymentSpec],
  ["set_deployment_info", setDeploymentInfo],
  ["set_contract_runtime_options_enable_logging", enableLogging],
  ["set_contract_runtime_options_disable_logging", disableLogging],
  ["set_contract_runtime_options_enable_telemetry", enableTelemetry],
  ["set_contract_runtime_options_disable_telemetry", disableTelemetry],
  ["set_clean_room_policy", setCleanRoomPolicy],

  // Which keys the service holds for them
  ["enable_oidc_issuer", enableOidcIssuer],
  ["set_oidc_issuer_url", setOidcIssuerUrl],
  ["oidc_issuer_enable_rotate_signing_key", rotateOidcSigningKey],
  ["enable_signing", enableSigning],
  ["signing_enable_rotate_signing_key", rotateSigningKey],
  ["enable_ca", enableCa],
  ["ca_enable_rotate_signing_key", rotateCaSigningKey],
]);
