//! Snapshot files.

use crypto::{AesKey, Certificate};
use ledger::{
    secrets::LedgerSecrets,
    snapshot::{Restored, Snapshot, SnapshotName, restore},
};

/// A snapshot of our own, of the service below, under a ledger secret of sevens.
const OWN: &[u8] = include_bytes!("../corpus/snapshot/own");
const OWN_NAME: SnapshotName = SnapshotName { seqno: 6, evidence: 7, committed: true };

/// The bytes as a snapshot with its receipt, as one without, and as one to start from.
///
/// # Panics
/// If a receipt is taken that claims another body, or anything is restored that the service did not write.
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
    if let Ok(restored) = restore_own(data) {
        assert!(data == OWN && restored.state.tx_id().seqno == OWN_NAME.seqno, "a forged snapshot");
    }
}

fn restore_own(data: &[u8]) -> Result<Restored, ledger::LedgerError> {
    let key = AesKey::from_bytes([7; 32])?;
    let service = Certificate::from_pem(include_str!("snapshot/service.pem"))?;
    restore(OWN_NAME, data, &LedgerSecrets::from_keys([(1, key)])?, &[], &service)
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
        assert_eq!(restore_own(OWN).unwrap().evidence, "5.7".parse().unwrap());
        assert!(restore_own(include_bytes!("../corpus/snapshot/committed")).is_err());
    }
}
