use std::time::Duration;

use http::Method;
use kv::TxId;
use ledger::receipt::{self, Receipt};

use crate::{
    Answer, Body, ClientError, Connection, Profiles, Result,
    pin::{Fork, Pin, PinFile},
};

/// How often a 202 is followed by another question.
const ATTEMPTS: u32 = 8;
const LONGEST_WAIT: u64 = 3;

/// What becomes of the pin when a service is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinPolicy {
    /// A service that does not extend it is refused.
    Enforce,
    /// It is forgotten: the person knows that the service was put back.
    Forget,
}

/// A service, with typed calls.
#[derive(Debug)]
pub struct Service {
    connection: Connection,
    pin: Option<PinFile>,
}

impl Service {
    /// A service of which nothing is remembered.
    #[must_use]
    pub fn without_pin(connection: Connection) -> Self {
        Self { connection, pin: None }
    }

    /// The service of a profile, after checking that it extends the pin.
    ///
    /// # Errors
    /// [`ClientError::Forked`], [`ClientError::ServiceChanged`], or what keeps it from being opened or checked.
    pub async fn open(profiles: &Profiles, name: &str, policy: PinPolicy) -> Result<Self> {
        let connection = profiles.load(name)?.connection()?;
        let file = profiles.pin_file(name)?;
        if policy == PinPolicy::Forget {
            file.forget()?;
        }
        let kept = file.read()?;
        let service = Self { connection, pin: Some(file) };
        if let Some(pin) = kept {
            service.check_pin(&pin).await?;
        }
        Ok(service)
    }

    /// The connections.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Checks that the service still shows exactly the pinned receipt.
    ///
    /// # Errors
    /// [`ClientError::Forked`] if not; [`ClientError::NotYet`] as long as the service cannot tell (D22).
    pub async fn check_pin(&self, pin: &Pin) -> Result<()> {
        let tx_id = pin.tx_id().unwrap_or_default();
        let receipt = self.show_receipt(tx_id).await?;
        pin.compare(&receipt).map_err(|fork| ClientError::Forked { fork })?;
        self.verify_receipt(tx_id, &receipt)
    }

    /// Keeps the highest transaction that was answered, with its receipt. To be called when the work is done.
    ///
    /// # Errors
    /// As [`Self::check_pin`], and those of the file system.
    pub async fn keep_pin(&self) -> Result<()> {
        let Some(file) = &self.pin else { return Ok(()) };
        let Some(tx_id) = self.connection.highest_seen() else { return Ok(()) };
        if file.read()?.and_then(|kept| kept.tx_id()) >= Some(tx_id) {
            return Ok(());
        }
        match self.receipt(tx_id).await {
            // The old pin stays good.
            Err(ClientError::NotYet { .. }) => Ok(()),
            receipt => file.advance(&Pin::new(tx_id, receipt?)),
        }
    }

    /// The receipt of a committed transaction, verified against the pinned service.
    ///
    /// # Errors
    /// [`ClientError::Forked`] if the service does not have a transaction that it has answered with,
    /// [`ClientError::Refused`] if it never did, and whatever is wrong with the receipt.
    pub async fn receipt(&self, tx_id: TxId) -> Result<Receipt> {
        let promised = self.connection.highest_seen().is_some_and(|seen| seen == tx_id);
        let receipt = if promised { self.show_receipt(tx_id).await? } else { self.ask_receipt(tx_id).await? };
        self.verify_receipt(tx_id, &receipt)?;
        Ok(receipt)
    }

    /// The receipt of a transaction that the service has answered with, so it must have it.
    async fn show_receipt(&self, tx_id: TxId) -> Result<Receipt> {
        match self.ask_receipt(tx_id).await {
            Err(ClientError::Refused { status: 404, code, .. }) => {
                Err(ClientError::Forked { fork: Fork::Missing { tx_id, code } })
            }
            answer => answer,
        }
    }

    async fn ask_receipt(&self, tx_id: TxId) -> Result<Receipt> {
        let path = format!("/node/receipt?transaction_id={tx_id}");
        self.patiently(&path, &format!("the receipt of {tx_id}")).await?.json("the receipt")
    }

    fn verify_receipt(&self, tx_id: TxId, receipt: &Receipt) -> Result<()> {
        let verified = receipt::verify(receipt, self.connection.service())
            .map_err(|source| ClientError::Receipt { tx_id, source })?;
        match verified.tx_id {
            Some(got) if got != tx_id => Err(ClientError::OtherReceipt { tx_id, got }),
            _ => Ok(()),
        }
    }

    /// Reads, and asks again while the answer is 202.
    pub(crate) async fn patiently(&self, path: &str, what: &str) -> Result<Answer> {
        for _ in 0..ATTEMPTS {
            let answer = self.connection.send(Method::GET, path, Body::Empty).await?.success()?;
            if answer.status != 202 {
                return Ok(answer);
            }
            let seconds = answer.retry_after.unwrap_or(1).min(LONGEST_WAIT);
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
        Err(ClientError::NotYet { what: what.to_owned() })
    }
}
