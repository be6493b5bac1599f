//! What is read from the ledger files.

use api::{ApiError, Body, Caller, Input, Output};
use kv::{Tx, TxId};
use replication::{Status, Unavailable};

use super::transactions;
use crate::{
    inside::Inside,
    reply::{Answered, Reply},
};

/// `GET /{actor}/receipt?transaction_id=`
pub(crate) async fn receipt(inside: &Inside, input: &Input) -> Answered {
    let id = input.query.get("transaction_id").and_then(|text| text.parse::<TxId>().ok());
    let id = id.ok_or_else(|| ApiError::not_found("TransactionInvalid", "Could not extract Transaction Id"))?;
    let receipt = inside.service.receipt(id).await.map_err(|why| unavailable(id, &why))?;
    let text = serde_json::to_string(&receipt).map_err(|why| ApiError::internal(why.to_string()))?;
    Ok(Reply { output: Output::new(200, Body::Json(text)), tx_id: Some(input.committed) })
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
    // The state that is reported is at least as new as the writes that are: it is taken after them.
    let writes = inside.service.proposal_history(input.param("proposalId")).await?;
    let state = inside.service.committed().state.clone();
    let tx_id = state.tx_id();
    let input = Input { committed: tx_id, ..input };
    let output = cleanroom::proposal_history(&mut Tx::new(state), caller, &input, &writes)?;
    Ok(Reply { output, tx_id: Some(tx_id) })
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
}
