//! The life of proposals, with closures in place of scripts.

mod bounding;
mod creating;
mod failing;
mod indexing;
mod reading;
mod voting;

use api::Body;
use constitution::{Effect, Outcome, ScriptError, TableWrite};
use ledger::tables;
use serde_json::{Value, json};

use super::*;
use crate::{
    envelope::MessageType,
    members,
    testing::{Closures, Consortium, body, context, threw, value, with_scripts},
};

const PROPOSAL: &str = r#"{"actions":[]}"#;

fn propose_as(
    consortium: &mut Consortium,
    engine: &Closures,
    index: usize,
    created_at: i64,
) -> Result<Value, ApiError> {
    let signed = Signed { created_at, ..consortium.signed(index, MessageType::Proposal, None, PROPOSAL) };
    let mut tx = consortium.tx();
    let decided = with_scripts(engine, |scripts| {
        let validated = validate(&mut consortium.tx(), &signed, scripts)?;
        create(&mut tx, &signed, &validated, &[created_at.to_le_bytes()[0]; 32], scripts, &context())
    })?;
    consortium.commit(tx);
    Ok(body(&decided.output))
}

fn propose(consortium: &mut Consortium, engine: &Closures) -> String {
    propose_as(consortium, engine, 0, 100).unwrap()["proposalId"].as_str().unwrap().to_owned()
}

fn vote(
    consortium: &mut Consortium,
    engine: &Closures,
    id: &str,
    index: usize,
    ballot: &str,
) -> Result<Value, ApiError> {
    let payload = json!({ "ballot": ballot }).to_string();
    let signed = consortium.signed(index, MessageType::Ballot, Some(id), payload);
    let member = signed.member_id.clone();
    let mut tx = consortium.tx();
    let decided = with_scripts(engine, |scripts| submit_ballot(&mut tx, &signed, id, &member, scripts, &context()))?;
    consortium.commit(tx);
    Ok(body(&decided.output))
}

fn stored_info(consortium: &Consortium, id: &str) -> ProposalInfo {
    ProposalInfo::read(&mut consortium.tx(), id).unwrap().unwrap()
}
