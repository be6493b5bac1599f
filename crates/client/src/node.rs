//! `/node`: what a service tells about itself.

use kv::TxId;

use crate::{Network, NodeState, Quote, Result, Service};

#[derive(serde::Deserialize)]
struct TransactionId {
    transaction_id: String,
}

#[derive(serde::Deserialize)]
struct Status {
    status: String,
}

impl Service {
    /// `GET /node/network`: the service and its state.
    ///
    /// # Errors
    /// See [`crate::ClientError`]; the same holds for every call.
    pub async fn network(&self) -> Result<Network> {
        self.connection().get("/node/network").await?.json("/node/network")
    }

    /// `GET /node/state`: the node and how it resumes.
    ///
    /// # Errors
    /// As [`Self::network`].
    pub async fn node_state(&self) -> Result<NodeState> {
        self.connection().get("/node/state").await?.json("/node/state")
    }

    /// `GET /node/quotes/self`: the evidence of what runs there.
    ///
    /// # Errors
    /// As [`Self::network`].
    pub async fn quote(&self) -> Result<Quote> {
        self.connection().get("/node/quotes/self").await?.json("/node/quotes/self")
    }

    /// `GET /node/commit`: the last committed transaction.
    ///
    /// # Errors
    /// As [`Self::network`].
    pub async fn commit(&self) -> Result<TxId> {
        let answer: TransactionId = self.connection().get("/node/commit").await?.json("/node/commit")?;
        answer.transaction_id.parse().map_err(|why| crate::ClientError::malformed("/node/commit", why))
    }

    /// `GET /node/tx`: `Committed`, `Invalid`, `Pending` or `Unknown`.
    ///
    /// # Errors
    /// As [`Self::network`].
    pub async fn transaction_status(&self, tx_id: TxId) -> Result<String> {
        let path = format!("/node/tx?transaction_id={tx_id}");
        let answer: Status = self.connection().get(&path).await?.json("/node/tx")?;
        Ok(answer.status)
    }

    /// `GET /node/ready/app`: whether the application is served.
    ///
    /// # Errors
    /// Only if no answer comes.
    pub async fn is_open(&self) -> Result<bool> {
        let answer = self.connection().send(http::Method::GET, "/node/ready/app", crate::Body::Empty).await?;
        Ok(answer.status == 204)
    }
}
