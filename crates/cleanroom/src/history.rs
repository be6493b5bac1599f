//! The states of a proposal over time, from the writes of its record.

mod range;

use api::{ApiError, Caller, Input, Output};
use bytes::Bytes;
use kv::Tx;
use serde_json::{Map, Value, json};

use crate::{authorise, stored};
use range::Range;

const PROPOSALS_INFO: &str = "public:ccf.gov.proposals_info";

/// Writes on a page at most, however many a request asks for.
const MAX_PER_PAGE: usize = 2000;

/// Some of the committed writes of one key, oldest first, each with its seqno.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// At least one if there is any in the range.
    pub writes: Vec<(u64, Bytes)>,
    /// The next one in the range, which has no place here.
    pub next: Option<u64>,
}

/// All committed writes of one key, which whoever keeps the ledger can look up.
pub trait PastWrites {
    /// Why a request about them was refused, or why they cannot be read.
    type Error: From<ApiError>;

    /// The seqno of the last write.
    ///
    /// # Errors
    /// They cannot be looked up.
    fn last(&self) -> Result<Option<u64>, Self::Error>;

    /// The seqno of the first write from one seqno to another, both included.
    ///
    /// # Errors
    /// They cannot be looked up.
    fn first(&self, from: u64, to: u64) -> Result<Option<u64>, Self::Error>;

    /// The writes from one seqno to another, both included: at most so many, and fewer if they are large.
    ///
    /// # Errors
    /// They cannot be read.
    fn page(&self, from: u64, to: u64, at_most: usize) -> Result<Page, Self::Error>;
}

/// `GET /app/proposals/{proposalId}/historical?from_seqno=&to_seqno=&max_seqno_per_page=`
///
/// `writes` are those of the proposal's record in `public:ccf.gov.proposals_info`; `input.committed` is the last committed
/// transaction.
///
/// A page covers at most the asked number of seqnos, counted from the first write in the range, so no page but the only
/// one is empty (D22).
///
/// # Errors
/// As [`authorise`]; 400 `InvalidQueryParameterValue` that names the parameter (D4); that the writes cannot be read.
pub fn proposal_history<W: PastWrites>(
    tx: &mut Tx,
    caller: &Caller,
    input: &Input,
    writes: &W,
) -> Result<Output, W::Error> {
    authorise(tx, caller)?;
    let range = Range::parse(&input.query, writes.last()?, input.committed.seqno)?;
    let page = read(writes, &range)?;
    let id = input.param("proposalId");
    let entries: Result<Vec<Value>, ApiError> = page.writes.iter().map(|write| entry(id, write)).collect();
    let mut body = Map::new();
    body.insert("value".into(), entries?.into());
    if let Some(next) = page.next {
        let link = format!("/app/proposals/{}/historical?{}", encode(id), range.next_query(next));
        body.insert("nextLink".into(), link.into());
    }
    Ok(Output::json(&Value::Object(body)))
}

/// The page that begins with the first write in the range.
fn read<W: PastWrites>(writes: &W, range: &Range) -> Result<Page, W::Error> {
    let Some(first) = writes.first(range.from, range.to)? else { return Ok(Page::default()) };
    let end = range.page_end(first);
    let page = writes.page(first, end, MAX_PER_PAGE)?;
    if page.next.is_some() || end == range.to {
        return Ok(page);
    }
    Ok(Page { next: writes.first(end.saturating_add(1), range.to)?, ..page })
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
