//! What costs time, taken out of the order of the transactions: checks of signatures.

use crypto::{Certificate, Digest, PublicKey};
use kv::TxId;

use crate::{
    LedgerError,
    signature::{NodeSignature, verify_cose},
};

/// A signature with all that its check needs, so that it can be checked later, and beside others.
#[derive(Debug, Clone)]
pub(super) enum Check {
    /// A node's, over the root that it names.
    Node { signature: Box<NodeSignature>, key: PublicKey },
    /// The service's.
    Service { cose: Vec<u8>, service: Certificate, root: Digest, tx_id: TxId },
    /// That of a certificate by any of these, newest last.
    Certificate { certificate: Certificate, issuers: Vec<Certificate> },
}

impl Check {
    /// # Errors
    /// A signature that does not verify, or is about something else.
    pub(super) fn run(&self) -> Result<(), LedgerError> {
        match self {
            Self::Node { signature, key } => signature.verify(key),
            Self::Service { cose, service, root, tx_id } => verify_cose(cose, service, root, *tx_id),
            Self::Certificate { certificate, issuers } => issued_by_any(certificate, issuers),
        }
    }
}

fn issued_by_any(certificate: &Certificate, issuers: &[Certificate]) -> Result<(), LedgerError> {
    if issuers.iter().rev().any(|issuer| certificate.verify_issued_by(issuer).is_ok()) {
        return Ok(());
    }
    Err(LedgerError::differs(
        "issuer of cert of the signature",
        "the node itself or the service",
        certificate.subject(),
    ))
}

/// Applies `each` to all items, on as many threads as there are processors; the results keep the order.
pub(super) fn in_parallel<'i, T: Sync, R: Send>(items: &'i [T], each: impl Fn(&'i T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let share = items.len().div_ceil(threads).max(MIN_SHARE);
    let mut shares = items.chunks(share);
    let first = shares.next().unwrap_or_default();
    std::thread::scope(|scope| {
        let each = &each;
        let others: Vec<_> =
            shares.map(|share| scope.spawn(move || share.iter().map(each).collect::<Vec<R>>())).collect();
        let mut results: Vec<R> = first.iter().map(each).collect();
        for other in others {
            match other.join() {
                Ok(more) => results.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}

/// Beyond this the one thread that puts the results in order is the bound.
const MAX_THREADS: usize = 16;
/// A thread is not worth starting for less.
const MIN_SHARE: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order() {
        for count in [0usize, 1, 3, 4, 5, 100, 1001] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(in_parallel(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}
