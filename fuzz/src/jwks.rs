//! Sets of keys that issuers publish.

use api::from_unique_json;
use consortium::jwt::{self, KeyRecord, MAX_KEY_ID_BYTES, MAX_KEYS, key_records, may_constrain, remove_keys};
use crypto::ForeignKey;
use kv::{State, Tx};
use ledger::tables;
use serde_json::Value;

const ISSUER: &str = "https://idp.example.com/x";
const OTHER: &str = "https://other.example.com";
const KEYS: &str = tables::JWT_PUBLIC_SIGNING_KEYS_METADATA;

/// The bytes as the set of an issuer, beside one of another issuer with the same key id.
///
/// # Panics
/// If a set is taken that must not be, or touches what is not its issuer's.
pub fn run(data: &[u8]) {
    let Ok(jwks) = from_unique_json(data) else { return };
    let mut tx = Tx::new(State::default());
    tx.put(KEYS, "k1", other_record());
    let before = all(&mut tx);
    if jwt::set_keys(&mut tx, ISSUER, &jwks).is_err() {
        assert_eq!(all(&mut tx), before, "a set is taken as a whole or not at all");
        return;
    }
    let taken = all(&mut tx);
    check(&taken, &jwks);
    jwt::set_keys(&mut tx, ISSUER, &jwks).expect("it was taken before");
    assert_eq!(all(&mut tx), taken, "taking it again changes nothing");
    remove_keys(&mut tx, ISSUER).expect("the table is sound");
    assert_eq!(all(&mut tx), before, "what others have is not touched");
}

fn check(taken: &[(Vec<u8>, Vec<KeyRecord>)], jwks: &Value) {
    let mut own = 0;
    for (kid, records) in taken {
        assert!(kid.len() <= MAX_KEY_ID_BYTES);
        for key in records.iter().filter(|key| key.issuer == ISSUER) {
            own += 1;
            assert_eq!(ForeignKey::from_spki_der(&key.public_key).expect("a key").spki_der(), key.public_key);
            assert!(key.constraint.as_deref().is_none_or(|constraint| may_constrain(ISSUER, constraint)));
        }
    }
    let published = jwks["keys"].as_array().map_or(0, Vec::len);
    assert!(own >= 1 && own <= published && published <= MAX_KEYS);
}

fn all(tx: &mut Tx) -> Vec<(Vec<u8>, Vec<KeyRecord>)> {
    let entries = tx.entries(KEYS);
    entries.iter().map(|(kid, value)| (kid.to_vec(), key_records(value).expect("a sound table"))).collect()
}

fn other_record() -> String {
    format!(r#"[{{"issuer":"{OTHER}","public_key":"AAAA"}}]"#)
}
