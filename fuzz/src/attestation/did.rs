//! Names of makers.

use std::sync::LazyLock;

use attestation::did::resolve;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{Certificate, cose::Sign1, sha256};

use super::{check, container};

/// The certificates of a genuine maker.
static CHAIN: LazyLock<Vec<Certificate>> = LazyLock::new(|| {
    let message = Sign1::from_bytes(container().uvm_endorsements.as_deref().expect("it has one")).expect("a message");
    let chain = message.x5chain().expect("certificates");
    chain.into_iter().map(|der| Certificate::from_der(der).expect("a certificate")).collect()
});

/// The policies that the first certificate satisfies.
const SATISFIED: [&str; 7] = [
    "eku:1.3.6.1.4.1.311.76.59.1.1",
    "eku:1.3.6.1.4.1.311.76.59.1.2",
    "subject:C:US",
    "subject:CN:ContainerPlat",
    "subject:L:Redmond",
    "subject:O:Microsoft%20Corporation",
    "subject:ST:Washington",
];

/// The bytes as a name; and as the policies of one.
///
/// # Panics
/// If a name resolves that is not one of the maker's.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if is_resolved(text) {
        let (authority, policies) = text.split_once("::").expect("it has policies");
        let authorities = CHAIN[1..].iter().map(|one| URL_SAFE_NO_PAD.encode(sha256(one.der())));
        assert!(authorities.into_iter().any(|one| authority == format!("did:x509:0:sha256:{one}")), "{text:?}");
        check_policies(policies);
    }
    let root = URL_SAFE_NO_PAD.encode(sha256(CHAIN[2].der()));
    if is_resolved(&format!("did:x509:0:sha256:{root}::{text}")) {
        check_policies(text);
    }
}

fn is_resolved(name: &str) -> bool {
    let resolved = resolve(name, &CHAIN);
    if let Err(rejection) = &resolved {
        check(rejection);
    }
    resolved.is_ok()
}

/// Each policy is one that is known to be satisfied, or several of them on a subject, however they are written.
fn check_policies(policies: &str) {
    for policy in policies.split("::") {
        let is_subject = policy.starts_with("subject:");
        let values = ["US", "Washington", "Redmond", "Microsoft", "ContainerPlat", "%"];
        let is_known = SATISFIED.contains(&policy) || is_subject && values.iter().any(|value| policy.contains(value));
        assert!(is_known, "{policy:?}");
    }
}
