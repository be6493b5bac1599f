use std::path::PathBuf;

use crypto::CryptoError;
use kv::TxId;
use ledger::receipt::ReceiptError;

use crate::pin::Fork;

/// The result of every call.
pub type Result<T> = std::result::Result<T, ClientError>;

/// What can go wrong with a call. Each text says what to do next; none contains key material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is not one of a service.
    #[error("{url:?} is not the address of a service: {why}. Write https://HOST:PORT.")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// No answer, or not all of it.
    #[error("{url} does not answer: {why}. Is the node running, and is the address right?")]
    Unreachable {
        /// The service.
        url: String,
        /// What the network says.
        why: String,
    },
    /// The TLS certificate was not issued by the pinned service.
    #[error(
        "{url} does not prove to be the pinned service: {why}. Either somebody is in between, or this is another \
         service, or it was recovered and has a new identity. Ask another member for the current certificate over a \
         channel that you trust; only then run `cgs login` with it."
    )]
    ServiceChanged {
        /// The service.
        url: String,
        /// What differs.
        why: String,
    },
    /// The TLS certificate is right but cannot be used.
    #[error("the TLS certificate of {url} cannot be used: {why}")]
    TlsCertificate {
        /// The service.
        url: String,
        /// Dates or names, and what to do.
        why: String,
    },
    /// The service refuses.
    #[error("{status} {code}: {message}{}", hint(code))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The OData code.
        code: String,
        /// The text of the service.
        message: String,
    },
    /// The answer is not of the documented form.
    #[error("{what} of the service is not of the documented form: {why}. Do client and service have the same version?")]
    Malformed {
        /// Which answer.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The answer is longer than it may be.
    #[error("the answer to {path} is longer than {limit} bytes")]
    TooLong {
        /// What was asked.
        path: String,
        /// The limit.
        limit: usize,
    },
    /// The service needs time: its index is being rebuilt, or a transaction is not committed yet.
    #[error(
        "the service cannot show {what} yet (it answers 202); this is not a sign of a rollback. Try again shortly."
    )]
    NotYet {
        /// What was asked.
        what: String,
    },
    /// The service does not extend what it showed before.
    #[error(
        "rolled back or forked: {fork}. This service does not continue the history that it showed to you before, so \
         answers of it, and votes on it, may be undone. Tell the other members. If it was put back on purpose and all \
         members agree, --accept-rollback forgets the pin."
    )]
    Forked {
        /// What differs.
        fork: Fork,
    },
    /// A receipt proves nothing.
    #[error("the receipt of {tx_id} does not verify: {source}")]
    Receipt {
        /// The transaction.
        tx_id: TxId,
        /// The step that fails.
        source: ReceiptError,
    },
    /// A receipt of another transaction.
    #[error("the receipt of {tx_id} is that of {got}")]
    OtherReceipt {
        /// The transaction asked for.
        tx_id: TxId,
        /// The one that the receipt names.
        got: TxId,
    },
    /// The profile has no member key.
    #[error(
        "this needs the key of a member, and the profile has none: run `cgs login` with --member-key and --member-cert"
    )]
    NoIdentity,
    /// No such profile.
    #[error("there is no profile {name:?} in {}: run `cgs login {name} --url … --service-cert …` first", directory.display())]
    NoProfile {
        /// The name.
        name: String,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// A text that cannot be a name here.
    #[error(
        "{name:?} cannot be the name of a {what}: use 1 to 128 of the characters A-Z a-z 0-9 . _ - and start with no dot"
    )]
    Name {
        /// What was to be named.
        what: &'static str,
        /// What was given.
        name: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is not {what}: {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A key or certificate is not good.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl ClientError {
    pub(crate) fn malformed(what: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Malformed { what, why: why.to_string() }
    }

    /// The OData code, if this is a refusal of the service.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }
}

/// What to do about a refusal, where the text of the service does not say it.
fn hint(code: &str) -> &'static str {
    match code {
        "FrontendNotOpen" => " The members open the service by vote: `cgs service open`.",
        "ContractNotFound" => " `cgs contract list` shows what there is.",
        "ProposalNotFound" => " `cgs proposal list` shows what there is.",
        "ProposalNotOpen" => " `cgs proposal show` tells what became of it.",
        "InvalidAuthenticationInfo" => {
            " Is this key that of an active member (`cgs member list`)? An invited one accepts with `cgs member activate`."
        }
        "StateDigestMismatch" => " The state was updated in between: run `cgs member activate` again.",
        "VoteAlreadyExists" => " A vote can be repeated, not changed.",
        "ProposalCreatedTooLongAgo" | "InvalidCreatedAt" => " Check the clock of this machine.",
        _ => "",
    }
}
