//! Snapshot files.

use ledger::snapshot::{Snapshot, SnapshotName};

/// The bytes as a snapshot with its receipt, and as one without.
///
/// # Panics
/// If a receipt is taken that claims another body.
pub fn run(data: &[u8]) {
    let name = |committed| SnapshotName { seqno: 61, evidence: 62, committed };
    if Snapshot::read(name(true), data).is_ok() {
        let (body, receipt) = data.split_at(length(data));
        let claimed: String = crypto::sha256(body).iter().map(|byte| format!("{byte:02x}")).collect();
        let receipt: serde_json::Value = serde_json::from_slice(receipt).expect("a receipt follows");
        assert_eq!(receipt["leaf_components"]["claims_digest"], claimed.as_str());
    }
    if Snapshot::read(name(false), data).is_ok() {
        assert_eq!(length(data), data.len(), "nothing follows");
    }
}

/// Bytes of the entry, from its header.
fn length(data: &[u8]) -> usize {
    let mut size = [0; 8];
    size[..6].copy_from_slice(&data[2..8]);
    usize::try_from(u64::from_le_bytes(size)).expect("it was read") + 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_is_read() {
        let read = |committed, data: &[u8]| {
            let name = SnapshotName { seqno: 61, evidence: 62, committed };
            Snapshot::read(name, data).map(|snapshot| snapshot.name())
        };
        assert!(read(true, include_bytes!("../corpus/snapshot/committed")).is_ok());
        assert!(read(false, include_bytes!("../corpus/snapshot/body")).is_ok());
        assert!(read(true, include_bytes!("../corpus/snapshot/body")).is_err());
    }
}
