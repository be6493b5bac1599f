use std::{fmt, str::FromStr};

/// The identifier of a transaction: `view.seqno`, for example `2.17`.
///
/// Ordered by view, then seqno. `0.0` stands for "before the first transaction".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TxId {
    /// The raft term of the primary that ordered the transaction, plus one; the first view of a service is 2.
    pub view: u64,
    /// The position in the ledger, counted from 1.
    pub seqno: u64,
}

impl TxId {
    /// The identifier `view.seqno`.
    #[must_use]
    pub const fn new(view: u64, seqno: u64) -> Self {
        Self { view, seqno }
    }
}

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.view, self.seqno)
    }
}

/// A text that is not `view.seqno` with two positive decimal numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a transaction ID (VIEW.SEQNO): {0:?}")]
pub struct ParseTxIdError(pub String);

impl FromStr for TxId {
    type Err = ParseTxIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let positive = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            part.parse::<u64>().ok().filter(|n| digits && *n > 0)
        };
        text.split_once('.')
            .and_then(|(view, seqno)| Some(Self::new(positive(view)?, positive(seqno)?)))
            .ok_or_else(|| ParseTxIdError(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        assert_eq!("2.17".parse(), Ok(TxId::new(2, 17)));
        assert_eq!(TxId::new(2, 17).to_string(), "2.17");
        for bad in ["", "2", "2.", ".1", "0.1", "1.0", "+1.2", "2.1.3", " 2.1", "99999999999999999999.1"] {
            assert!(bad.parse::<TxId>().is_err(), "{bad}");
        }
    }
}
