//! Entries of a ledger.

use std::sync::OnceLock;

use crypto::AesKey;
use ledger::{
    entry::{EntryInput, EntryType, decode, encode, split_first},
    secrets::LedgerSecrets,
    show::{Filter, record},
    verify::{Options, Validator},
};

/// The ledger secret of the service that the corpus is from; it guards nothing.
const KEY: &str = "d917951c0773a06148d2ff5bf0c984d075fdceb601255157ac004bb53b351079";
/// Where the digest of the commit evidence lies: behind header, tag, IV and length; type, seqno and claims digest.
const EVIDENCE: std::ops::Range<usize> = 85..117;
/// The tag depends on it.
const TAG: std::ops::Range<usize> = 8..24;
/// Where the public domain begins, length first.
const DOMAIN: usize = 36;

/// The bytes as an entry.
///
/// # Panics
/// If an entry is taken that is not written in the one form that there is, or opened though it was changed.
pub fn run(data: &[u8]) {
    if let Ok((entry, rest)) = split_first(data) {
        assert_eq!([entry, rest].concat(), data);
    }
    let Ok(entry) = decode(data) else { return };
    assert_eq!(entry.bytes(), data);
    assert!(entry.public.maps().all(|(name, _)| kv::is_public(name)));
    record(&entry, &Filter::default()).expect("nothing is opened");
    // In the first place of a ledger it brings no certificate that could verify anything.
    let _ = Validator::new(Options::default()).add(&entry);
    if entry.entry_type != EntryType::WriteSetWithCommitEvidenceAndClaims {
        return;
    }
    let claims_digest = entry.claims_digest.expect("type 4 has one");
    let (tx_id, flags) = (entry.tx_id, entry.header.flags);
    let (writes, from) = match entry.open(secrets()) {
        Ok(writes) => (writes, 0),
        Err(_) if entry.private.is_empty() => (entry.public.clone(), DOMAIN),
        Err(_) => return,
    };
    let input = EntryInput { tx_id, flags, writes: &writes, claims_digest, secrets: secrets() };
    let again = encode(input).expect("it was read").bytes;
    assert_eq!(again.len(), data.len());
    let mut pairs = again.iter().zip(data).enumerate().skip(from);
    let differing = pairs.find(|(at, (again, data))| again != data && !(EVIDENCE.contains(at) || TAG.contains(at)));
    assert_eq!(differing, None, "there is one form only");
}

fn secrets() -> &'static LedgerSecrets {
    static SECRETS: OnceLock<LedgerSecrets> = OnceLock::new();
    SECRETS.get_or_init(|| {
        let mut key = [0; 32];
        for (index, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&KEY[2 * index..2 * index + 2], 16).expect("hex");
        }
        LedgerSecrets::from_keys([(1, AesKey::from_bytes(key).expect("a key"))]).expect("one key")
    })
}
