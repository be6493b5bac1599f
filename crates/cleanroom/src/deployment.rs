//! What is deployed for a contract: its specification and what is known of the deployment, both voted.

use api::{ApiError, Caller, Input, Output};
use kv::Tx;
use serde_json::{Map, Value, json};

use crate::{proposals::proposals_for, stored};

const SPECS: &str = "public:ccf.gov.deployment_specs";
const INFO: &str = "public:ccf.gov.deployment_info";

/// `POST /app/contracts/{contractId}/deploymentspec`: the voted specification, and the Open proposals of another one.
///
/// # Errors
/// 500 if what is stored is damaged.
pub fn get_spec(tx: &mut Tx, _: &Caller, input: &Input) -> Result<Output, ApiError> {
    voted(tx, input.param("contractId"), SPECS, "set_deployment_spec")
}

/// `POST /app/contracts/{contractId}/deploymentinfo`: likewise for the information about the deployment.
///
/// # Errors
/// As [`get_spec`].
pub fn get_info(tx: &mut Tx, _: &Caller, input: &Input) -> Result<Output, ApiError> {
    voted(tx, input.param("contractId"), INFO, "set_deployment_info")
}

fn voted(tx: &mut Tx, contract: &str, table: &str, action: &str) -> Result<Output, ApiError> {
    let proposals = proposals_for(tx, action, contract)?;
    let mut answer = Map::from_iter([("proposalIds".to_owned(), json!(proposals))]);
    let stored = stored::json(tx, table, contract.as_bytes())?;
    let data = stored.map_or_else(|| Some(json!({})), |mut stored| stored.get_mut("data").map(Value::take));
    // A record without data has none to show, as JSON.stringify leaves out what is undefined.
    if let Some(data) = data {
        answer.insert("data".into(), data);
    }
    Ok(Output::json(&answer.into()))
}

#[cfg(test)]
mod tests {
    use api::Body;

    use super::*;
    use crate::testing::{propose, world};

    fn read(tx: &mut Tx, contract: &str) -> String {
        let input = Input { params: vec![("contractId", contract.into())], ..Input::default() };
        match get_spec(tx, &Caller::anonymous(), &input).unwrap().body {
            Body::Json(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn shows_what_was_voted_and_what_is_proposed_for_the_contract() {
        let mut tx = world();
        let action = |name: &str, contract: &str| json!({"name": name, "args": {"contractId": contract}});
        let proposal = |actions: Vec<Value>| json!({ "actions": actions }).to_string();
        let twice = proposal(vec![action("set_deployment_spec", "c"), action("set_deployment_spec", "c")]);
        propose(&mut tx, "p1", "Open", &twice);
        propose(&mut tx, "p2", "Open", &proposal(vec![action("set_deployment_spec", "other")]));
        propose(&mut tx, "p3", "Open", &proposal(vec![action("set_deployment_info", "c")]));
        propose(&mut tx, "p4", "Accepted", &proposal(vec![action("set_deployment_spec", "c")]));
        assert_eq!(read(&mut tx, "c"), r#"{"proposalIds":["p1"],"data":{}}"#);
        tx.put(SPECS, "c", r#"{"data":{"image":"x","n":1.0}}"#);
        assert_eq!(read(&mut tx, "c"), r#"{"proposalIds":["p1"],"data":{"image":"x","n":1}}"#);
        assert_eq!(read(&mut tx, "nope"), r#"{"proposalIds":[],"data":{}}"#);
        tx.put(SPECS, "c", "{}");
        assert_eq!(read(&mut tx, "c"), r#"{"proposalIds":["p1"]}"#);
    }
}
