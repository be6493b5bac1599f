use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use crypto::{Curve, SigningKey, issue};
use kv::{State, TxId};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const ISSUER: &str = "https://idp.example.com/x";
const OTHER: &str = "https://other.example.com";

fn key(curve: Curve) -> SigningKey {
    SigningKey::generate(curve).unwrap()
}

fn jwk(kid: &str, key: &SigningKey) -> Value {
    let (name, length) = match key.curve() {
        Curve::P256 => ("P-256", 32),
        Curve::P384 => ("P-384", 48),
        Curve::P521 => ("P-521", 66),
    };
    let spki = key.public().spki_der();
    let point = &spki[spki.len() - 2 * length..];
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[..length]), URL_SAFE_NO_PAD.encode(&point[length..]));
    json!({"kty": "EC", "kid": kid, "crv": name, "x": x, "y": y})
}

fn set(keys: &[Value]) -> Value {
    json!({"keys": keys})
}

fn empty() -> Tx {
    Tx::new(State::default())
}

fn table(tx: &mut Tx) -> Vec<(String, Value)> {
    let entries = tx.entries(KEYS);
    entries.iter().map(|(kid, value)| (stored::lossy(kid), serde_json::from_slice(value).unwrap())).collect()
}

/// The same state, with what the transaction wrote in it.
fn committed(tx: Tx) -> Tx {
    let mut state = tx.base().clone();
    let next = TxId::new(2, state.tx_id().seqno + 1);
    state.apply(next, tx.writes());
    Tx::new(state)
}

fn refused(jwks: &Value) -> String {
    let mut tx = empty();
    let error = set_keys(&mut tx, ISSUER, jwks).unwrap_err().to_string();
    assert!(tx.is_read_only());
    error
}

#[test]
fn records_are_stored_as_the_reference_does() {
    let key = key(Curve::P256);
    let spki = STANDARD.encode(key.public().spki_der());
    let mut tx = empty();
    let mut constrained = jwk("a", &key);
    constrained["issuer"] = json!("https://example.com/");
    set_keys(&mut tx, ISSUER, &set(&[constrained, jwk("b", &key)])).unwrap();
    let stored = |kid: &str, tx: &mut Tx| stored::text(tx, KEYS, kid.as_bytes()).unwrap();
    assert_eq!(
        stored("a", &mut tx),
        format!(r#"[{{"constraint":"https://example.com/","issuer":"{ISSUER}","public_key":"{spki}"}}]"#)
    );
    assert_eq!(stored("b", &mut tx), format!(r#"[{{"issuer":"{ISSUER}","public_key":"{spki}"}}]"#));
}

#[test]
fn all_keys_of_an_issuer_are_replaced_and_those_of_others_stay() {
    let key = key(Curve::P256);
    let mut tx = empty();
    set_keys(&mut tx, ISSUER, &set(&[jwk("a", &key), jwk("b", &key)])).unwrap();
    set_keys(&mut tx, OTHER, &set(&[jwk("b", &key)])).unwrap();
    let issuers = |tx: &mut Tx| -> Vec<(String, Vec<String>)> {
        let names = |value: &Value| -> Vec<String> {
            value.as_array().unwrap().iter().map(|key| key["issuer"].as_str().unwrap().into()).collect()
        };
        table(tx).iter().map(|(kid, value)| (kid.clone(), names(value))).collect()
    };
    assert_eq!(issuers(&mut tx), [("a".into(), vec![ISSUER.into()]), ("b".into(), vec![ISSUER.into(), OTHER.into()])]);
    set_keys(&mut tx, ISSUER, &set(&[jwk("c", &key)])).unwrap();
    assert_eq!(issuers(&mut tx), [("b".into(), vec![OTHER.into()]), ("c".into(), vec![ISSUER.into()])]);
    remove_keys(&mut tx, OTHER).unwrap();
    assert_eq!(issuers(&mut tx), [("c".into(), vec![ISSUER.to_owned()])]);
}

#[test]
fn what_does_not_change_is_not_written() {
    let (key, other) = (key(Curve::P256), key(Curve::P384));
    let mut tx = empty();
    set_keys(&mut tx, OTHER, &set(&[jwk("a", &key)])).unwrap();
    set_keys(&mut tx, ISSUER, &set(&[jwk("a", &key), jwk("b", &key)])).unwrap();
    let mut tx = committed(tx);
    set_keys(&mut tx, OTHER, &set(&[jwk("a", &key)])).unwrap();
    set_keys(&mut tx, ISSUER, &set(&[jwk("b", &key), jwk("a", &key)])).unwrap();
    assert!(tx.is_read_only());
    set_keys(&mut tx, ISSUER, &set(&[jwk("b", &other), jwk("a", &key)])).unwrap();
    let written: Vec<_> = tx.writes().maps().flat_map(|(_, writes)| writes.keys().cloned()).collect();
    assert_eq!(written, ["b"]);
}

#[test]
fn keys_come_from_numbers_or_else_from_the_first_certificate() {
    for curve in [Curve::P256, Curve::P384, Curve::P521] {
        let key = key(curve);
        let validity = issue::Validity { from: 0, days: 1 };
        let certificate = STANDARD.encode(issue::self_signed(&key, "CN=x", &[], validity).unwrap().der());
        let by_certificate = json!({"kty": "EC", "kid": "c", "x5c": [certificate, "ignored"]});
        let mut by_both = jwk("b", &key);
        by_both["x5c"] = by_certificate["x5c"].clone();
        let mut tx = empty();
        set_keys(&mut tx, ISSUER, &set(&[jwk("n", &key), by_certificate, by_both.clone()])).unwrap();
        for kid in ["n", "c", "b"] {
            let records = key_records(&tx.get(KEYS, kid.as_bytes()).unwrap()).unwrap();
            assert_eq!(records[0].public_key, key.public().spki_der());
        }
        let other = jwk("b", &self::key(curve));
        by_both["x"] = other["x"].clone();
        by_both["y"] = other["y"].clone();
        assert!(refused(&set(&[by_both])).ends_with("jwks.keys[0].x5c[0] is the certificate of another key"));
    }
}

/// Members look at the numbers that the kind of a key has; tokens are verified with nothing else.
#[test]
fn a_key_is_of_the_kind_that_it_says() {
    let (key, rsa) = (key(Curve::P256), crypto::wrap::generate_rsa_pair().unwrap().0);
    let rsa = crypto::KeyParts::from_spki_der(pem::parse(rsa).unwrap().contents()).unwrap();
    let crypto::KeyParts::Rsa { n, e } = rsa else { panic!("not RSA") };
    let mut both = jwk("b", &key);
    both["n"] = URL_SAFE_NO_PAD.encode(&n).into();
    both["e"] = URL_SAFE_NO_PAD.encode(&e).into();
    let taken = |key: &Value| {
        let mut tx = empty();
        set_keys(&mut tx, ISSUER, &set(std::slice::from_ref(key))).unwrap();
        key_records(&tx.get(KEYS, b"b").unwrap()).unwrap().remove(0).public_key
    };
    assert_eq!(taken(&both), key.public().spki_der());
    both["kty"] = "RSA".into();
    assert_eq!(taken(&both), crypto::ForeignKey::from_rsa(&n, &e).unwrap().spki_der());
    let certificate = issue::self_signed(&key, "CN=x", &[], issue::Validity { from: 0, days: 1 }).unwrap();
    let of_other_kind = json!({"kty": "RSA", "kid": "b", "x5c": [STANDARD.encode(certificate.der())]});
    assert!(refused(&set(&[of_other_kind])).ends_with("is the certificate of a key of another kind than kty says"));
}

#[test]
fn keys_that_no_token_is_signed_with_are_left_out() {
    let key = key(Curve::P256);
    let mut encrypts = jwk("e", &key);
    encrypts["use"] = json!("enc");
    let others = [
        encrypts,
        json!({"kty": "OKP", "kid": "o", "crv": "Ed25519", "x": "AA"}),
        json!({"kty": "oct", "k": "AA"}),
        json!({"kty": "EC", "kid": "k", "crv": "secp256k1", "x": "AA", "y": "AA"}),
    ];
    let mut tx = empty();
    set_keys(&mut tx, ISSUER, &set(&[others.to_vec(), vec![jwk("a", &key)]].concat())).unwrap();
    assert_eq!(table(&mut tx).len(), 1);
    assert!(refused(&set(&others)).ends_with("jwks.keys has no key that tokens are signed with"));
}

#[test]
fn a_set_is_taken_as_a_whole_or_not_at_all() {
    let good = jwk("a", &key(Curve::P256));
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed["kid"] = json!("b");
        changed[name] = value;
        refused(&set(&[good.clone(), changed]))
    };
    for (name, value, text) in [
        ("kid", json!("a"), "jwks.keys[1].kid is that of another key"),
        ("kid", json!(""), "jwks.keys[1].kid must be a string that is not empty"),
        ("kid", json!(5), "jwks.keys[1].kid must be a string"),
        ("kid", json!("k".repeat(257)), "jwks.keys[1].kid has 257 bytes; there may be 256"),
        ("kty", json!(null), "jwks.keys[1].kty must be a string that is not empty"),
        ("x", json!("A".repeat(1401)), "jwks.keys[1].x has 1401 bytes; there may be 1400"),
        ("x", json!("*"), "jwks.keys[1].x is not base64url"),
        ("x", json!("AA"), "not a usable public key: coordinates of different lengths"),
        ("x", json!(null), "jwks.keys[1] must have n and e, or crv, x and y, or x5c"),
        ("issuer", json!("https://login.microsoftonline.com/{tenantid}/v2.0"), "or a parent domain"),
        ("issuer", json!("x".repeat(3000)), "jwks.keys[1].issuer has 3000 bytes; there may be 2048"),
    ] {
        let error = with(name, value);
        assert!(error.ends_with(text), "{error}");
    }
    assert!(refused(&set(&[])).ends_with("no key that tokens are signed with"));
    assert!(refused(&json!({})).ends_with("jwks.keys must be an array"));
    assert!(refused(&set(&vec![json!({}); 65])).ends_with("jwks.keys has 65 keys; there may be 64"));
    assert!(refused(&set(&[json!(1)])).ends_with("jwks.keys[0] must be an object"));
    let chain = |chain: Value| refused(&set(&[json!({"kty": "RSA", "kid": "a", "x5c": chain})]));
    assert!(chain(json!([])).ends_with(".x5c must be an array of certificates"));
    assert!(chain(json!(vec!["AA"; 17])).ends_with(".x5c has 17 certificates; there may be 16"));
    assert!(chain(json!(["A".repeat(20000)])).ends_with(".x5c[0] has 20000 bytes; there may be 16384"));
    assert!(chain(json!(["AA=="])).contains("jwks.keys[0]: not a usable certificate"));
    let small = json!({"kty": "RSA", "kid": "a", "n": URL_SAFE_NO_PAD.encode([0xff; 128]), "e": "AQAB"});
    assert!(refused(&set(&[small])).ends_with("an RSA key of 1024 bits; it must have 2048 to 8192"));
}

fn with_issuer(record: &Value, bundle: &str) -> Tx {
    let mut tx = empty();
    tx.put(tables::JWT_ISSUERS, ISSUER, record.to_string());
    tx.put(tables::TLS_CA_CERT_BUNDLES, "b", json!(bundle).to_string());
    tx
}

#[test]
fn d32_an_issuer_only_refreshes_what_was_voted() {
    let jwks = set(&[jwk("a", &key(Curve::P256))]);
    let voted = json!({"issuer": ISSUER, "auto_refresh": true, "ca_cert_bundle_name": "b"});
    let used = Bundle { name: "b".into(), text: "PEM".into() };
    let refreshed = |mut tx: Tx| (refresh_keys(&mut tx, ISSUER, &used, &jwks, ISSUER).unwrap(), table(&mut tx));
    let (done, keys) = refreshed(with_issuer(&voted, "PEM"));
    assert!(done && keys[0].1[0]["discovered_issuer"] == ISSUER && keys[0].1[0].get("constraint").is_none());
    let nothing = (false, Vec::new());
    assert_eq!(refreshed(empty()), nothing, "the issuer was removed meanwhile");
    assert_eq!(refreshed(with_issuer(&json!({"issuer": ISSUER, "auto_refresh": false}), "PEM")), nothing);
    assert_eq!(refreshed(with_issuer(&voted, "OTHER")), nothing, "the bundle was replaced meanwhile");
    let mut tx = with_issuer(&voted, "PEM");
    tx.remove(tables::TLS_CA_CERT_BUNDLES, "b");
    assert!(
        Bundle::of(&mut tx, ISSUER).unwrap_err().to_string().contains(r#"names a bundle "b", which does not exist"#)
    );
}

proptest! {
    #[test]
    fn any_set_is_taken_or_refused(
        kty in "RSA|EC|OKP|.{0,3}", kid in ".{0,4}", crv in "P-256|P-384|.{0,3}",
        number in "[A-Za-z0-9_-]{0,400}", x5c in prop::collection::vec("[A-Za-z0-9+/]{0,40}", 0..3),
    ) {
        let jwks = set(&[json!({"kty": kty, "kid": kid, "crv": crv, "n": number, "e": "AQAB", "x": number, "y": number, "x5c": x5c})]);
        let mut tx = empty();
        if set_keys(&mut tx, ISSUER, &jwks).is_ok() {
            prop_assert_eq!(table(&mut tx).len(), 1);
            remove_keys(&mut tx, ISSUER).unwrap();
        }
        prop_assert!(table(&mut tx).is_empty());
    }
}
