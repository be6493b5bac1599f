use api::{ApiError, Body, Input, Output};
use kv::TxId;
use replication::Status;
use serde_json::json;

use super::{json, tell};
use crate::{inside::Inside, reply::Answered};

const CODE: &str = "InvalidQueryParameterValue";

/// The name of a status in answers.
pub(super) fn name(status: Status) -> &'static str {
    match status {
        Status::Committed => "Committed",
        Status::Invalid => "Invalid",
        Status::Pending => "Pending",
        Status::Unknown => "Unknown",
    }
}

/// `GET /{actor}/tx?transaction_id=`
pub(crate) fn tx(inside: &Inside, input: &Input) -> Answered {
    let Some(text) = input.query.get("transaction_id") else {
        return Err(ApiError::bad_request(CODE, "Missing query parameter 'transaction_id'"));
    };
    let id: TxId = text.parse().map_err(|_| {
        let message = format!(
            "The value '{text}' passed as query parameter 'transaction_id' could not be converted to a valid \
             Transaction ID."
        );
        ApiError::bad_request(CODE, message)
    })?;
    let status = name(inside.service.tx_status(id));
    tell(Output::new(200, Body::Json(format!(r#"{{"status":"{status}","transaction_id":"{id}"}}"#))))
}

/// `GET /{actor}/commit?view_history=&view_history_since=`
pub(crate) fn commit(inside: &Inside, input: &Input) -> Answered {
    let committed = inside.service.committed().state.tx_id();
    let Some(since) = wanted_history(input, committed.view)? else {
        return tell(Output::new(200, Body::Json(format!(r#"{{"transaction_id":"{committed}"}}"#))));
    };
    let history = inside.service.view_history();
    let history: Vec<String> = history.iter().filter(|first| first.view >= since).map(TxId::to_string).collect();
    tell(json(&json!({ "transaction_id": committed.to_string(), "view_history": history })))
}

/// The first view that the client wants to see, if it wants to see any.
fn wanted_history(input: &Input, current: u64) -> Result<Option<u64>, ApiError> {
    let wrong = |name: &str, text: &str| {
        ApiError::bad_request(CODE, format!("Unable to parse value '{text}' in parameter '{name}'"))
    };
    if let Some(text) = input.query.get("view_history_since") {
        let view = text.parse::<u64>().map_err(|_| wrong("view_history_since", text))?;
        if !(1..=current).contains(&view) {
            let message = format!("Invalid value for 'view_history_since': {view} is not from 1 to {current}.");
            return Err(ApiError::bad_request(CODE, message));
        }
        return Ok(Some(view));
    }
    match input.query.get("view_history") {
        None | Some("false") => Ok(None),
        Some("true") => Ok(Some(1)),
        Some(text) => Err(wrong("view_history", text)),
    }
}

/// `GET /gov/service/transactions/{transactionId}`
pub(crate) fn transaction(inside: &Inside, input: &Input) -> Answered {
    let status = |id| name(inside.service.tx_status(id));
    tell(consortium::service::transaction(input.param("transactionId"), &status)?)
}

/// `GET /gov/service/transactions/commit`
pub(crate) fn transaction_commit(_: &Inside, input: &Input) -> Answered {
    tell(consortium::service::transaction_commit(input.committed))
}

#[cfg(test)]
mod tests {
    use api::Query;

    use super::*;

    fn wanted(raw: &str) -> Result<Option<u64>, ApiError> {
        wanted_history(&Input { query: Query::parse(raw), ..Input::default() }, 4)
    }

    #[test]
    fn history_is_told_to_those_who_ask() {
        assert_eq!(wanted(""), Ok(None));
        assert_eq!(wanted("view_history=false"), Ok(None));
        assert_eq!(wanted("view_history=true"), Ok(Some(1)));
        assert_eq!(wanted("view_history_since=4"), Ok(Some(4)));
        for bad in ["view_history=1", "view_history_since=0", "view_history_since=5", "view_history_since=x"] {
            assert_eq!(wanted(bad).unwrap_err().code, CODE, "{bad}");
        }
    }
}
