use api::{ApiError, Body, Output};
use bytes::Bytes;
use consortium::proposals;
use kv::{State, Tx, TxId};
use ledger::tables;
use tokio::sync::Mutex;

use super::of_state;
use crate::{inside::Inside, reply::Answered};

/// The list of all proposals, as long as there is no other.
///
/// Proposals stay for ever (D5) and anybody may ask for all of them. So the list is made once for each change, for one who
/// asks while the others wait, on a thread that serves nobody else; and all answers that are being sent are one text.
#[derive(Default)]
pub(crate) struct Survey {
    known: Mutex<Option<(TxId, Bytes)>>,
}

impl Survey {
    async fn list(&self, state: impl FnOnce() -> State) -> Result<(Bytes, Tx), ApiError> {
        let mut known = self.known.lock().await;
        let state = state();
        let (changed, tx) = (state.changed(tables::PROPOSALS_INFO), Tx::new(state.clone()));
        if let Some((at, text)) = &*known
            && *at == changed
        {
            return Ok((text.clone(), tx));
        }
        let list = tokio::task::spawn_blocking(move || proposals::list(&mut Tx::new(state)));
        let list = list.await.map_err(|why| ApiError::internal(why.to_string()))??;
        let text = match list.body {
            Body::Json(text) => Bytes::from(text),
            _ => Bytes::new(),
        };
        *known = Some((changed, text.clone()));
        Ok((text, tx))
    }
}

/// `GET /gov/members/proposals`
pub(crate) async fn all_proposals(inside: &Inside) -> Answered {
    let (text, tx) = inside.survey.list(|| inside.service.committed().state.clone()).await?;
    of_state(Output::new(200, Body::Raw(text)).with_header("content-type", "application/json"), &tx)
}

#[cfg(test)]
mod tests {
    use kv::WriteSet;

    use super::*;

    fn with(state: &State, table: &'static str, key: &'static str) -> State {
        let (mut writes, mut state) = (WriteSet::default(), state.clone());
        let info = r#"{"ballots":{},"proposer_id":"a","state":"Accepted"}"#;
        writes.put(table, key, info);
        state.apply(TxId::new(2, state.tx_id().seqno + 1), &writes);
        state
    }

    #[tokio::test]
    async fn the_list_is_made_once_for_each_change() {
        let survey = Survey::default();
        let ask = async |state: &State| survey.list(|| state.clone()).await.unwrap().0;
        let one = with(&State::default(), tables::PROPOSALS_INFO, "one");
        let (first, again) = (ask(&one).await, ask(&with(&one, "public:other", "k")).await);
        assert!(std::str::from_utf8(&first).unwrap().contains(r#""proposalId":"one""#));
        assert_eq!(first.as_ptr(), again.as_ptr(), "the answers share one text");
        let two = ask(&with(&one, tables::PROPOSALS_INFO, "two")).await;
        assert!(std::str::from_utf8(&two).unwrap().contains(r#""proposalId":"two""#));
    }
}
