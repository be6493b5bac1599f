//! Chains of certificates of processors.

use std::sync::LazyLock;

use attestation::{Trail, snp::Chain};
use crypto::{Certificate, certificates_from_pem};

use super::{check, file};

/// The genuine chains, as DER.
static GENUINE: LazyLock<Vec<Vec<Vec<u8>>>> = LazyLock::new(|| {
    let read = |name: &&str| ders(&String::from_utf8(file(&format!("{name}/chain.pem"))).expect("PEM"));
    ["genoa", "milan-v2", "turin", "vlek"].iter().map(read).collect()
});

/// The bytes as a chain in PEM; and as each of the certificates of one that is genuine, another one for each length.
///
/// # Panics
/// If a chain is believed that is not one of the genuine ones.
pub fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        verify(text);
    }
    let Ok(certificate) = Certificate::from_der(data) else { return };
    let genuine = &GENUINE[data.len() % GENUINE.len()];
    for which in 0..3 {
        let pem = |at: usize| Certificate::from_der(&genuine[at]).expect("it is genuine").to_pem();
        let chain: String = (0..3).map(|at| if at == which { certificate.to_pem() } else { pem(at) }).collect();
        verify(&chain);
    }
}

fn verify(chain: &str) {
    match Chain::verify(chain, &mut Trail::new()) {
        Ok(verified) => {
            let found = ders(chain);
            assert!(GENUINE.contains(&found), "AMD has not signed this");
            assert_eq!(verified.chip().der(), found[0]);
            assert!(!verified.product().is_empty());
        }
        Err(rejection) => check(&rejection),
    }
}

fn ders(pem: &str) -> Vec<Vec<u8>> {
    certificates_from_pem(pem).expect("certificates").iter().map(|one| one.der().to_vec()).collect()
}
