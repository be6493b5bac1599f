//! What is read from the ledger files.

use ::ledger::tables;
use api::{ApiError, Body, Caller, Input, Output};
use cleanroom::history::{Page, PastWrites};
use kv::{Tx, TxId};
use replication::{Order, Progress, Range, Replica, Status, Unavailable};

use super::transactions;
use crate::{
    inside::Inside,
    reply::{Answered, Reply},
};

/// `GET /{actor}/receipt?transaction_id=`
pub(crate) async fn receipt(inside: &Inside, input: &Input) -> Answered {
    let id = input.query.get("transaction_id").and_then(|text| text.parse::<TxId>().ok());
    let id = id.ok_or_else(|| ApiError::not_found("TransactionInvalid", "Could not extract Transaction Id"))?;
    let replica = inside.service.replica().clone();
    let output = match inside.service.read_files(move || replica.receipt(id)).await? {
        Ok(receipt) => {
            let text = serde_json::to_string(&receipt).map_err(|why| ApiError::internal(why.to_string()))?;
            Output::new(200, Body::Json(text))
        }
        Err(Unavailable::Indexing(progress)) => not_yet(progress),
        Err(why) => return Err(unavailable(id, &why)),
    };
    Ok(Reply { output, tx_id: Some(input.committed) })
}

fn unavailable(id: TxId, why: &Unavailable) -> ApiError {
    let Unavailable::NotCommitted(status) = why else {
        tracing::error!(%id, error = %why, "a receipt cannot be made");
        return ApiError::internal(format!("The receipt of transaction {id} cannot be made: {why}."));
    };
    let name = transactions::name(*status);
    let text = format!("Only committed transactions can be queried. Transaction {id} is {name}");
    match status {
        Status::Invalid => ApiError::not_found("TransactionInvalid", text),
        _ => ApiError::not_found("TransactionPendingOrUnknown", text).with_header("cache-control", "no-cache"),
    }
}

/// `GET /app/proposals/{proposalId}/historical`
pub(crate) async fn proposal_history(inside: &Inside, caller: &Caller, input: Input) -> Answered {
    let state = inside.service.committed().state.clone();
    let tx_id = state.tx_id();
    let (caller, input) = (caller.clone(), Input { committed: tx_id, ..input });
    let writes = ProposalWrites { replica: inside.service.replica().clone(), id: input.param("proposalId").to_owned() };
    let read = move || cleanroom::proposal_history(&mut Tx::new(state), &caller, &input, &writes);
    let output = match inside.service.read_files(read).await? {
        Ok(output) => output,
        Err(Refusal::Indexing(progress)) => not_yet(progress),
        Err(Refusal::Request(why)) => return Err(why),
    };
    Ok(Reply { output, tx_id: Some(tx_id) })
}

/// What a client is told that asks for what is not indexed yet: to ask again (D22).
fn not_yet(Progress { done, total }: Progress) -> Output {
    let progress = serde_json::json!({ "indexing": { "done": done, "total": total } });
    Output::new(202, Body::Json(progress.to_string())).with_header("retry-after", "1")
}

/// The writes of a proposal's record, up to the last one that is committed.
struct ProposalWrites {
    replica: Replica,
    id: String,
}

impl ProposalWrites {
    fn any(&self, from: u64, to: u64, order: Order) -> Result<Option<u64>, Refusal> {
        let range = Range { from, to, at_most: 1, order };
        Ok(self.replica.first_write_to(tables::PROPOSALS_INFO, self.id.as_bytes(), &range)?)
    }
}

impl PastWrites for ProposalWrites {
    type Error = Refusal;

    fn last(&self) -> Result<Option<u64>, Refusal> {
        self.any(1, u64::MAX, Order::NewestFirst)
    }

    fn first(&self, from: u64, to: u64) -> Result<Option<u64>, Refusal> {
        self.any(from, to, Order::OldestFirst)
    }

    fn page(&self, from: u64, to: u64, at_most: usize) -> Result<Page, Refusal> {
        let range = Range { from, to, at_most, order: Order::OldestFirst };
        let found = self.replica.writes_to(tables::PROPOSALS_INFO, self.id.as_bytes(), &range)?;
        let writes = found.writes.into_iter().filter_map(|write| Some((write.seqno, write.value?))).collect();
        Ok(Page { writes, next: found.next })
    }
}

/// Why a question about the past has no answer (yet).
enum Refusal {
    Request(ApiError),
    Indexing(Progress),
}

impl From<ApiError> for Refusal {
    fn from(why: ApiError) -> Self {
        Self::Request(why)
    }
}

impl From<Unavailable> for Refusal {
    fn from(why: Unavailable) -> Self {
        match why {
            Unavailable::Indexing(progress) => Self::Indexing(progress),
            other => {
                tracing::error!(error = %other, "the ledger cannot be read");
                Self::Request(ApiError::internal(format!("The ledger cannot be read: {other}.")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_as_recorded() {
        let error = unavailable(TxId::new(2, 9), &Unavailable::NotCommitted(Status::Unknown));
        assert_eq!((error.status, error.code), (404, "TransactionPendingOrUnknown"));
        assert_eq!(error.message, "Only committed transactions can be queried. Transaction 2.9 is Unknown");
        assert_eq!(error.headers, [("cache-control", "no-cache".to_owned())]);
        let error = unavailable(TxId::new(1, 9), &Unavailable::NotCommitted(Status::Invalid));
        assert_eq!((error.code, error.headers.len()), ("TransactionInvalid", 0));
    }

    #[test]
    fn d22_what_is_not_indexed_yet_is_to_be_asked_again() {
        let output = not_yet(Progress { done: 3, total: 9 });
        assert_eq!((output.status, &output.headers[..]), (202, &[("retry-after", "1".to_owned())][..]));
        let Body::Json(text) = output.body else { panic!("not JSON") };
        assert_eq!(text, r#"{"indexing":{"done":3,"total":9}}"#);
        assert!(matches!(Refusal::from(Unavailable::Indexing(Progress { done: 3, total: 9 })), Refusal::Indexing(_)));
        let Refusal::Request(error) = Refusal::from(Unavailable::Unreadable("ledger_1-9.committed: seqno 7".into()))
        else {
            panic!("not an error")
        };
        assert_eq!((error.status, error.message.contains("ledger_1-9.committed: seqno 7")), (500, true));
    }
}
