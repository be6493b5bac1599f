// ---------------------------------------------------------------------------------------------------------------------
// Actions
//
// Everything a proposal can do. `validate(args)` throws when the arguments cannot be right; it runs once, when the
// proposal is made. `apply(args, proposalId)` carries the action out; it runs once, when the proposal is accepted.
// A name that is not listed does not exist.
// ---------------------------------------------------------------------------------------------------------------------

const ACTIONS = new Map([
  ["set_member", setMember],
  ["remove_member", removeMember],
  ["set_member_data", setMemberData],
  ["set_user", setUser],
  ["remove_user", removeUser],
  ["set_user_data", setUserData],

  ["set_constitution", setConstitution],
  ["transition_service_to_open", transitionServiceToOpen],
  ["assert_service_identity", assertServiceIdentity],
  ["set_recovery_threshold", setRecoveryThreshold],
  ["set_service_configuration", setServiceConfiguration],
  ["set_js_runtime_options", setJsRuntimeOptions],
  ["trigger_ledger_chunk", triggerLedgerChunk],
  ["trigger_snapshot", triggerSnapshot],
  ["set_cgs_runtime_options", setCgsRuntimeOptions],
  ["set_js_app", noApplicationByVote],
  ["remove_js_app", noApplicationByVote],
  ["refresh_js_app_bytecode_cache", noApplicationByVote],

  ["set_contract", setContract],
  ["set_member_document", setMemberDocument],
  ["set_deployment_spec", setDeploymentSpec],
  ["set_deployment_info", setDeploymentInfo],
  ["set_contract_runtime_options_enable_logging", enableLogging],
  ["set_contract_runtime_options_disable_logging", disableLogging],
  ["set_contract_runtime_options_enable_telemetry", enableTelemetry],
  ["set_contract_runtime_options_disable_telemetry", disableTelemetry],
]);
