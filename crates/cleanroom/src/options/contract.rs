//! Options of a contract. Each member switches its execution off and on, which is how consent is given and taken back;
//! logging and telemetry are voted.

use api::{ApiError, Caller, Input, Output};
use kv::Tx;
use serde_json::json;

use super::switches::{self, Place, Switches};
use crate::{
    ACCEPTED_CONTRACTS, evidence::authorise_or_prove, party::Party, proposals::proposals_for, require_active_member,
    roles::is_counted,
};

const EXECUTION: Place = Place { table: "public:contracts_execution_status", list: "serializedMemberToStatusMap" };
const NOT_ACCEPTED: (&str, &str) = ("ContractNotAccepted", "Contract does not exist or has not been accepted.");

/// `POST /app/contracts/{contractId}/runtimeoptions/{option}/status`: the consent check of clean rooms, and for everybody
/// who is known.
///
/// # Errors
/// As [`crate::authorise`]; without credentials 401 (D12) or 400 `AttestationMissing`; 400 `InvalidOption`.
pub fn get_contract_option(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise_or_prove(tx, caller, input)?;
    let (contract, option) = (input.param("contractId"), option(input));
    if !["execution", "logging", "telemetry"].contains(&option) {
        let message =
            format!("The option value {option} is invalid. Valid values are 'execution', 'logging' and 'telemetry'.");
        return Err(ApiError::bad_request("InvalidOption", message));
    }
    if !tx.has(ACCEPTED_CONTRACTS, contract.as_bytes()) {
        return Ok(Output::json(&switches::disabled(NOT_ACCEPTED.0, NOT_ACCEPTED.1)));
    }
    if option == "execution" { execution(tx, contract) } else { voted(tx, contract, option) }
}

/// `POST /app/contracts/{contractId}/runtimeoptions/{option}/enable`
///
/// # Errors
/// 403 `CallerNotAuthorized` (D17), 400 `InvalidOption` or `ContractNotAccepted`.
pub fn enable_contract(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    switch(tx, caller, input, true)
}

/// `POST /app/contracts/{contractId}/runtimeoptions/{option}/disable`
///
/// # Errors
/// As [`enable_contract`].
pub fn disable_contract(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    switch(tx, caller, input, false)
}

fn switch(tx: &mut Tx, caller: &Caller, input: &Input, on: bool) -> Result<Output, ApiError> {
    require_active_member(tx, caller)?;
    let (contract, option) = (input.param("contractId"), option(input));
    if option != "execution" {
        let message =
            format!("The option value {option} is invalid. Use proposals for options other than 'execution'.");
        return Err(ApiError::bad_request("InvalidOption", message));
    }
    if !tx.has(ACCEPTED_CONTRACTS, contract.as_bytes()) {
        return Err(ApiError::bad_request(NOT_ACCEPTED.0, NOT_ACCEPTED.1));
    }
    let mut switches = Switches::read(tx, &EXECUTION, contract)?;
    switches.set(Party::of(caller), on);
    switches.write(tx, &EXECUTION, contract);
    Ok(Output::empty())
}

/// The option of the path; an old spelling (D29) without one means the execution.
fn option(input: &Input) -> &str {
    match input.param("option") {
        "" => "execution",
        option => option,
    }
}

/// Of those who have switched it off, the ones count that have a say in the consortium (D14).
fn execution(tx: &mut Tx, contract: &str) -> Result<Output, ApiError> {
    let mut off = Vec::new();
    for party in Switches::read(tx, &EXECUTION, contract)?.off() {
        if is_counted(tx, &party.id)? {
            off.push(party);
        }
    }
    let text = "Contract has been disabled by the following member(s)";
    Ok(Output::json(&switches::answer(&off, "ContractDisabled", text)))
}

fn voted(tx: &mut Tx, contract: &str, option: &str) -> Result<Output, ApiError> {
    let status = switches::voted(tx, &format!("public:ccf.gov.contracts_{option}_status"), contract)?;
    let proposals = proposals_for(tx, &format!("set_contract_runtime_options_enable_{option}"), contract)?;
    Ok(Output::json(&json!({ "status": status, "proposalIds": proposals })))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::testing::{input, member, propose, refused, text, world};

    /// A service with contract c accepted, and these members.
    fn with_members(members: &[(&str, Value)]) -> Tx {
        let mut tx = world();
        tx.put(ACCEPTED_CONTRACTS, "c", "{}");
        for (id, data) in members {
            let record = json!({"status": "Active", "member_data": data});
            tx.put("public:ccf.gov.members.info", (*id).to_owned(), record.to_string());
        }
        tx
    }

    fn ask(contract: &str, option: &str) -> Input {
        Input { params: vec![("contractId", contract.into()), ("option", option.into())], ..input("", "", "", b"") }
    }

    fn status(tx: &mut Tx, option: &str) -> String {
        text(&get_contract_option(tx, &member("accepted"), &ask("c", option)).unwrap()).to_owned()
    }

    #[test]
    fn any_member_takes_back_its_consent_and_nobody_else_gives_it() {
        let mut tx = with_members(&[("m2", json!(null))]);
        assert_eq!(status(&mut tx, "execution"), r#"{"status":"enabled"}"#);
        for id in ["m2", "active"] {
            assert_eq!(disable_contract(&mut tx, &member(id), &ask("c", "execution")).unwrap(), Output::empty());
        }
        let off = |ids: &str| {
            format!(
                r#"{{"status":"disabled","reason":{{"code":"ContractDisabled","message":"Contract has been disabled by the following member(s): m[{ids}]."}}}}"#
            )
        };
        assert_eq!(status(&mut tx, "execution"), off("m2,active"));
        enable_contract(&mut tx, &member("m2"), &ask("c", "execution")).unwrap();
        assert_eq!(status(&mut tx, "execution"), off("active"));
        disable_contract(&mut tx, &member("m2"), &ask("c", "execution")).unwrap();
        assert_eq!(status(&mut tx, "execution"), off("m2,active"));
        let stored = r#"{"serializedMemberToStatusMap":"[[\"m2\",\"disabled\"],[\"active\",\"disabled\"]]"}"#;
        assert_eq!(tx.get(EXECUTION.table, b"c").unwrap(), stored);
    }

    #[test]
    fn d14_switches_of_removed_members_and_operators_do_not_count() {
        let roles = [
            ("operator", json!({"isOperator": true})),
            ("recovery", json!({"isRecoveryOperator": "true"})),
            ("cgs", json!({"cgsRoles": {"cgsOperator": "true"}})),
            ("contract", json!({"cgsRoles": {"contractOperator": "true"}})),
            ("plain", json!({"isOperator": false, "cgsRoles": {"contractOperator": "false"}})),
            ("removed", json!(null)),
        ];
        let mut tx = with_members(&roles);
        for (id, _) in &roles {
            disable_contract(&mut tx, &member(id), &ask("c", "execution")).unwrap();
        }
        tx.remove("public:ccf.gov.members.info", "removed");
        assert!(status(&mut tx, "execution").contains("m[plain]"));
        tx.remove("public:ccf.gov.members.info", "plain");
        assert_eq!(status(&mut tx, "execution"), r#"{"status":"enabled"}"#);
    }

    #[test]
    fn d29_the_old_path_without_an_option_is_about_the_execution() {
        let mut tx = with_members(&[]);
        disable_contract(&mut tx, &member("active"), &input("contractId", "c", "", b"")).unwrap();
        assert!(status(&mut tx, "execution").contains("m[active]"));
    }

    #[test]
    fn refusals_come_in_order() {
        let mut tx = with_members(&[]);
        let mut of = |caller: &str, contract: &str, option: &str| {
            let error = enable_contract(&mut tx, &member(caller), &ask(contract, option)).unwrap_err();
            (error.status, error.code, error.message)
        };
        assert_eq!(of("accepted", "nope", "nope").0, 403);
        let text = "The option value logging is invalid. Use proposals for options other than 'execution'.";
        assert_eq!(of("active", "nope", "logging"), (400, "InvalidOption", text.into()));
        let text = "Contract does not exist or has not been accepted.";
        assert_eq!(of("active", "nope", "execution"), (400, "ContractNotAccepted", text.into()));
    }

    #[test]
    fn unknown_options_come_before_unknown_contracts() {
        let mut tx = with_members(&[]);
        let error = get_contract_option(&mut tx, &member("active"), &ask("nope", "nope")).unwrap_err();
        assert_eq!((error.status, error.code), (400, "InvalidOption"));
        assert_eq!(
            error.message,
            "The option value nope is invalid. Valid values are 'execution', 'logging' and 'telemetry'."
        );
        for option in ["execution", "logging", "telemetry"] {
            let output = get_contract_option(&mut tx, &member("active"), &ask("nope", option)).unwrap();
            assert_eq!(
                text(&output),
                r#"{"status":"disabled","reason":{"code":"ContractNotAccepted","message":"Contract does not exist or has not been accepted."}}"#
            );
        }
    }

    #[test]
    fn logging_and_telemetry_are_voted() {
        let mut tx = with_members(&[]);
        let action = |name: &str| json!({"actions": [{"name": name, "args": {"contractId": "c"}}]}).to_string();
        assert_eq!(status(&mut tx, "telemetry"), r#"{"status":"disabled","proposalIds":[]}"#);
        propose(&mut tx, "p1", "Open", &action("set_contract_runtime_options_enable_logging"));
        propose(&mut tx, "p2", "Open", &action("set_contract_runtime_options_disable_logging"));
        assert_eq!(status(&mut tx, "logging"), r#"{"status":"disabled","proposalIds":["p1"]}"#);
        tx.put("public:ccf.gov.contracts_telemetry_status", "c", r#"{"status":"enabled"}"#);
        assert_eq!(status(&mut tx, "telemetry"), r#"{"status":"enabled","proposalIds":[]}"#);
    }

    #[test]
    fn d12_consent_is_not_told_to_the_world() {
        let mut tx = with_members(&[]);
        let anonymous = get_contract_option(&mut tx, &Caller::anonymous(), &ask("c", "execution"));
        assert_eq!(refused(anonymous), (400, "AttestationMissing"));
    }
}
