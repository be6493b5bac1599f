//! Receipts, as JSON and as COSE.

use std::sync::OnceLock;

use crypto::Certificate;
use kv::TxId;
use ledger::receipt::{Receipt, verify, verify_cose_receipt};

/// Of the service that the corpus is from.
const SERVICE: &str = include_str!("../../tests/data/ccf-ledgers/cose_flipflop_service/service_cert.pem");

/// The bytes as a receipt.
///
/// # Panics
/// If one verifies that is not one of the corpus, in whatever other words.
pub fn run(data: &[u8]) {
    if let Ok(receipt) = serde_json::from_slice::<Receipt>(data)
        && let Ok(verified) = verify(&receipt, service())
    {
        assert!([None, Some(TxId::new(2, 17))].contains(&verified.tx_id), "{verified:?}");
        assert_eq!(verified.claims_digest, None);
        let again = serde_json::to_vec(&receipt).expect("a receipt");
        assert_eq!(serde_json::from_slice::<Receipt>(&again).expect("a receipt"), receipt);
    }
    if let Ok(verified) = verify_cose_receipt(data, service()) {
        assert_eq!(verified.tx_id, TxId::new(2, 15));
        assert_ne!(verified.claims_digest, [0; 32]);
    }
}

fn service() -> &'static Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| Certificate::from_pem(SERVICE).expect("a certificate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_verifies() {
        let receipt = |json: &[u8]| verify(&serde_json::from_slice(json).expect("a receipt"), service());
        let transaction = receipt(include_bytes!("../corpus/receipt/transaction")).expect("it is genuine");
        assert_eq!(transaction.tx_id, Some(TxId::new(2, 17)));
        let signature = receipt(include_bytes!("../corpus/receipt/signature")).expect("it is genuine");
        assert_eq!(signature.root, transaction.root);
        let cose = verify_cose_receipt(include_bytes!("../corpus/receipt/cose"), service()).expect("it is genuine");
        assert_eq!(cose.tx_id, TxId::new(2, 15));
    }
}
