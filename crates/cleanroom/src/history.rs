//! The states of a proposal over time, from the writes of its record.

mod range;

use api::{ApiError, Caller, Input, Output};
use bytes::Bytes;
use kv::Tx;
use serde_json::{Map, Value, json};

use crate::{authorise, stored};
use range::Range;

const PROPOSALS_INFO: &str = "public:ccf.gov.proposals_info";

/// `GET /app/proposals/{proposalId}/historical?from_seqno=&to_seqno=&max_seqno_per_page=`
///
/// `writes` are all committed writes of the proposal's record in `public:ccf.gov.proposals_info`, oldest first, with their
/// seqnos; `input.committed` is the last committed transaction.
///
/// A page covers at most the asked number of seqnos, counted from the first write in the range, so no page but the only
/// one is empty (D22).
///
/// # Errors
/// As [`authorise`]; 400 `InvalidQueryParameterValue` that names the parameter (D4).
pub fn proposal_history(
    tx: &mut Tx,
    caller: &Caller,
    input: &Input,
    writes: &[(u64, Bytes)],
) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    let last_write = writes.last().map(|(seqno, _)| *seqno);
    let range = Range::parse(&input.query, last_write, input.committed.seqno)?;
    let in_range =
        || writes.iter().skip_while(|(seqno, _)| *seqno < range.from).take_while(|(seqno, _)| *seqno <= range.to);
    let end = in_range().next().map_or(range.to, |(first, _)| range.page_end(*first));
    let id = input.param("proposalId");
    let page: Result<Vec<Value>, ApiError> =
        in_range().take_while(|(seqno, _)| *seqno <= end).map(|write| entry(id, write)).collect();
    let mut body = Map::new();
    body.insert("value".into(), page?.into());
    if let Some((next, _)) = in_range().find(|(seqno, _)| *seqno > end) {
        let link = format!("/app/proposals/{}/historical?{}", encode(id), range.next_query(*next));
        body.insert("nextLink".into(), link.into());
    }
    Ok(Output::json(&Value::Object(body)))
}

fn entry(id: &str, (seqno, record): &(u64, Bytes)) -> Result<Value, ApiError> {
    let record = stored::parse(PROPOSALS_INFO, record)?;
    Ok(json!({ "seqno": seqno, "proposalId": id, "proposalState": record.get("state") }))
}

/// A path segment for a link: everything but unreserved characters is escaped; what already is stays as it was received.
fn encode(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'%' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests;
