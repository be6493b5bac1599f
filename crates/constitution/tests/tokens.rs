//! Issuers of tokens, their keys, and the authorities over which these are fetched, in the shipped constitution.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

mod common;

use common::consortium::{Consortium, action, certificate, consortium, only};
use constitution::Effect;
use serde_json::{Value, json};

/// A certificate as a JSON Web Key carries it.
fn x5c(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

/// A key, given by a certificate, with something changed.
fn key_with(changes: Value) -> Value {
    let mut key = json!({"kid": "k", "kty": "RSA", "x5c": [x5c(&certificate().0)]});
    for (name, value) in changes.as_object().unwrap() {
        key[name] = value.clone();
    }
    key
}

fn keys(key: Value) -> Value {
    json!({"issuer": "https://i", "jwks": {"keys": [key]}})
}

fn keys_of(issuer: &str) -> Value {
    json!({"issuer": issuer, "jwks": {"keys": []}})
}

fn failure(consortium: &mut Consortium, name: &str, args: Value) -> Option<String> {
    consortium.apply(&only(name, args)).err().map(|error| error.to_string())
}

#[test]
fn issuers_with_wrong_arguments() {
    let (mut consortium, _) = consortium();
    let refresh = |issuer: &str| json!({"issuer": issuer, "auto_refresh": true, "ca_cert_bundle_name": "b"});
    let https = "issuer must be a URL starting with https:// if auto_refresh is true";
    let plain = "issuer must be a URL without query/fragment if auto_refresh is true";
    let bundle = "ca_cert_bundle_name is missing but required if auto_refresh is true";
    let set = "set_jwt_issuer";
    for (name, args, expected) in [
        (set, json!({}), "issuer must be of type string but is undefined"),
        (set, json!({"issuer": "x", "auto_refresh": "yes"}), "auto_refresh must be of type boolean but is string"),
        (
            set,
            json!({"issuer": "x", "ca_cert_bundle_name": 5}),
            "ca_cert_bundle_name must be of type string but is number",
        ),
        (set, json!({"issuer": "x", "jwks": {}}), "jwks.keys must be an array"),
        (set, json!({"issuer": "x", "jwks": 5}), "jwks must be of type object but is number"),
        (set, json!({"issuer": "https://x", "auto_refresh": true}), bundle),
        (set, json!({"issuer": "https://x", "auto_refresh": true, "ca_cert_bundle_name": ""}), bundle),
        (set, refresh("x"), https),
        (set, refresh("http://x"), https),
        (set, refresh("https://"), https),
        (set, refresh("https:///x"), https),
        (set, refresh("https://user@x"), https),
        (set, refresh("HTTPS://x"), https),
        (set, refresh("https://x?y"), plain),
        (set, refresh("https://x/y#z"), plain),
        (set, refresh("https://x/y z"), plain),
        ("remove_jwt_issuer", json!({}), "issuer must be of type string but is undefined"),
        ("set_jwt_public_signing_keys", json!({}), "issuer must be of type string but is undefined"),
        ("set_ca_cert_bundle", json!({}), "name must be of type string but is undefined"),
        (
            "set_ca_cert_bundle",
            json!({"name": "x", "cert_bundle": "x"}),
            "cert_bundle must be a valid X509 certificate (bundle) in PEM format",
        ),
        ("remove_ca_cert_bundle", json!({}), "name must be of type string but is undefined"),
    ] {
        assert_eq!(consortium.fault(name, args.clone()), Some(format!("Error: {expected}")), "{name} {args}");
    }
    for args in [
        json!({"issuer": "not a URL"}),
        json!({"issuer": "x", "auto_refresh": null, "ca_cert_bundle_name": null, "jwks": null}),
        json!({"issuer": "https://x", "auto_refresh": false, "jwks": {"keys": []}}),
        refresh("https://x"),
        refresh("https://x:8443/tenant/v2.0"),
    ] {
        assert_eq!(consortium.fault(set, args.clone()), None, "{args}");
    }
}

#[test]
fn keys_with_wrong_arguments() {
    let (mut consortium, _) = consortium();
    let no_certificate = "must be a valid X509 certificate (bundle) in PEM format";
    for (args, expected) in [
        (json!({"issuer": "i"}), "jwks must be of type object but is undefined".to_owned()),
        (json!({"issuer": "i", "jwks": null}), "jwks must be an object with a field 'keys'".to_owned()),
        (json!({"issuer": "i", "jwks": {"keys": {}}}), "jwks.keys must be an array".to_owned()),
        (keys(json!("k")), "jwks.keys[0] must be of type object but is string".to_owned()),
        (keys(Value::Null), "jwks.keys[0] must be an object".to_owned()),
        (keys(json!({})), "jwks.keys[0].kid must be of type string but is undefined".to_owned()),
        (keys(key_with(json!({"kid": 5}))), "jwks.keys[0].kid must be of type string but is number".to_owned()),
        (keys(json!({"kid": "k"})), "jwks.keys[0].kty must be of type string but is undefined".to_owned()),
        (keys(key_with(json!({"issuer": 5}))), "jwks.keys[0].issuer must be of type string but is number".to_owned()),
        (
            keys(json!({"kid": "k", "kty": "RSA", "n": "AQAB", "e": "AQAB"})),
            "jwks.keys[0].x5c must be an array".to_owned(),
        ),
        (keys(key_with(json!({"x5c": []}))), "jwks.keys[0].x5c must be an array of minimum 1 elements".to_owned()),
        (keys(key_with(json!({"x5c": [5]}))), "jwks.keys[0].x5c[0] must be of type string but is number".to_owned()),
        (keys(key_with(json!({"x5c": ["AAAA"]}))), format!("jwks.keys[0].x5c[0] {no_certificate}")),
        (keys(key_with(json!({"x5c": [""]}))), format!("jwks.keys[0].x5c[0] {no_certificate}")),
        (
            keys(json!({"kid": "k", "kty": "EC", "crv": "P-256", "x": "AA"})),
            "jwks.keys[0].y must be of type string but is undefined".to_owned(),
        ),
    ] {
        let expected = Some(format!("Error: {expected}"));
        assert_eq!(consortium.fault("set_jwt_public_signing_keys", args.clone()), expected, "{args}");
    }
    for key in [
        key_with(json!({})),
        key_with(json!({"kty": "EC", "issuer": null})),
        json!({"kid": "k", "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
    ] {
        assert_eq!(consortium.fault("set_jwt_public_signing_keys", keys(key.clone())), None, "{key}");
    }
}

#[test]
fn bundles_are_kept_under_their_names() {
    let (mut consortium, pem) = consortium();
    for name in ["b", "__proto__"] {
        consortium.apply(&only("set_ca_cert_bundle", json!({"name": name, "cert_bundle": pem}))).unwrap();
        assert_eq!(consortium.get("tls.ca_cert_bundles", name), json!(pem));
        consortium.apply(&only("remove_ca_cert_bundle", json!({"name": name}))).unwrap();
        assert_eq!(consortium.get("tls.ca_cert_bundles", name), Value::Null);
        consortium.apply(&only("remove_ca_cert_bundle", json!({"name": name}))).unwrap();
    }
}

#[test]
fn an_issuer_is_kept_without_what_is_not_known() {
    let (mut consortium, pem) = consortium();
    let refreshed = json!({"issuer": "https://i", "auto_refresh": true, "ca_cert_bundle_name": "b", "more": 1});
    assert_eq!(
        failure(&mut consortium, "set_jwt_issuer", refreshed.clone()).unwrap(),
        "Error: No CA cert bundle found with name 'b'"
    );
    let both = json!([
        action("set_ca_cert_bundle", json!({"name": "b", "cert_bundle": pem})),
        action("set_jwt_issuer", refreshed)
    ]);
    consortium.apply(&both).unwrap();
    assert_eq!(
        consortium.raw("jwt.issuers", b"https://i").unwrap(),
        r#"{"issuer":"https://i","auto_refresh":true,"ca_cert_bundle_name":"b"}"#
    );
    consortium.apply(&only("set_jwt_issuer", json!({"issuer": "https://i", "auto_refresh": false}))).unwrap();
    assert_eq!(consortium.get("jwt.issuers", "https://i"), json!({"issuer": "https://i", "auto_refresh": false}));
}

#[test]
fn keys_need_an_issuer() {
    let (mut consortium, _) = consortium();
    assert_eq!(
        failure(&mut consortium, "set_jwt_public_signing_keys", keys(key_with(json!({})))).unwrap(),
        "Error: issuer https://i not found"
    );
}

/// What an accepted proposal asks of the keys of issuers.
fn effects(consortium: &mut Consortium, name: &str, args: Value) -> Vec<Effect> {
    consortium.apply(&only(name, args)).unwrap().effects
}

fn set_keys(issuer: &str, jwks: &Value) -> [Effect; 1] {
    [Effect::SetJwtPublicSigningKeys { issuer: issuer.to_owned(), jwks: jwks.clone() }]
}

#[test]
fn the_keys_of_an_issuer_are_replaced_and_removed_with_it() {
    let (mut consortium, _) = consortium();
    let jwks = json!({"keys": [key_with(json!({"issuer": "https://i"}))]});
    let with_keys = json!({"issuer": "https://i", "jwks": jwks});
    let without = json!({"issuer": "https://i"});
    assert_eq!(effects(&mut consortium, "set_jwt_issuer", with_keys.clone()), set_keys("https://i", &jwks));
    assert_eq!(consortium.get("jwt.issuers", "https://i"), without);
    assert_eq!(effects(&mut consortium, "set_jwt_public_signing_keys", with_keys), set_keys("https://i", &jwks));
    // Set again without keys, it keeps them.
    assert_eq!(effects(&mut consortium, "set_jwt_issuer", without.clone()), []);
    let removal = [Effect::RemoveJwtPublicSigningKeys { issuer: "https://i".to_owned() }];
    assert_eq!(effects(&mut consortium, "remove_jwt_issuer", without.clone()), removal);
    assert_eq!(consortium.get("jwt.issuers", "https://i"), Value::Null);
    assert_eq!(effects(&mut consortium, "remove_jwt_issuer", without), []);
}

/// A table of keys has no names but those put into it.
#[test]
fn issuers_may_have_the_names_of_objects() {
    let (mut consortium, _) = consortium();
    for issuer in ["constructor", "__proto__"] {
        let args = json!({"issuer": issuer});
        assert!(failure(&mut consortium, "set_jwt_public_signing_keys", keys_of(issuer)).is_some());
        consortium.apply(&only("set_jwt_issuer", args.clone())).unwrap();
        assert_eq!(consortium.get("jwt.issuers", issuer), args);
        assert_eq!(failure(&mut consortium, "set_jwt_public_signing_keys", keys_of(issuer)), None);
    }
}
