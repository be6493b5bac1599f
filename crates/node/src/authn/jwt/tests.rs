use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use consortium::jwt;
use crypto::{Curve, SigningKey, sign_rs256, wrap::generate_rsa_pair};
use kv::{State, Tx};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://idp.example.com/x";
const NOW: i64 = 1_700_000_000;

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// An issuer with one key on P-256.
struct Idp {
    key: SigningKey,
    issuer: &'static str,
    constraint: Option<&'static str>,
}

impl Idp {
    fn new() -> Self {
        Self { key: SigningKey::generate(Curve::P256).unwrap(), issuer: ISSUER, constraint: None }
    }

    fn jwk(&self) -> Value {
        let spki = self.key.public().spki_der();
        let number = |range| URL_SAFE_NO_PAD.encode(&spki[range]);
        let mut jwk = json!({"kty": "EC", "kid": "k1", "crv": "P-256", "x": number(27..59), "y": number(59..91)});
        if let Some(constraint) = self.constraint {
            jwk["issuer"] = constraint.into();
        }
        jwk
    }

    fn register(&self, tx: &mut Tx) {
        jwt::set_keys(tx, self.issuer, &json!({"keys": [self.jwk()]})).unwrap();
    }

    fn sign(&self, header: &str, payload: &str) -> String {
        let signed = format!("{header}.{payload}");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()).unwrap()))
    }

    fn token(&self, claims: &Value) -> String {
        let mut payload = json!({"iss": ISSUER, "exp": NOW + 60, "oid": "o1"});
        payload.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        self.sign(&part(&json!({"alg": "ES256", "kid": "k1"})), &part(&payload))
    }
}

fn world(idps: &[&Idp]) -> Tx {
    let mut tx = Tx::new(State::default());
    idps.iter().for_each(|idp| idp.register(&mut tx));
    tx
}

fn ask(tx: &mut Tx, token: &str) -> Result<Token, String> {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    check(&headers, tx, NOW)
}

fn refused(token: &str) -> String {
    ask(&mut world(&[]), token).unwrap_err()
}

#[test]
fn a_good_token_says_who_asks() {
    let idp = Idp::new();
    let token = ask(&mut world(&[&idp]), &idp.token(&json!({"nbf": NOW, "tid": "t"}))).unwrap();
    assert_eq!(token.key_issuer, ISSUER);
    assert_eq!(
        (&token.header["alg"], &token.payload["oid"], &token.payload["tid"]),
        (&json!("ES256"), &json!("o1"), &json!("t"))
    );
}

#[test]
fn rsa_tokens_are_verified_too() {
    let (public, private) = generate_rsa_pair().unwrap();
    let spki: String = public.lines().filter(|line| !line.starts_with('-')).collect();
    let record = json!([{"issuer": ISSUER, "public_key": spki}]);
    let mut tx = world(&[]);
    tx.put(tables::JWT_PUBLIC_SIGNING_KEYS_METADATA, "k1", record.to_string());
    let signed = |alg: &str| {
        let payload = part(&json!({"iss": "anybody", "exp": NOW}));
        let signed = format!("{}.{payload}", part(&json!({"alg": alg, "kid": "k1"})));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(sign_rs256(&private, signed.as_bytes()).unwrap()))
    };
    ask(&mut tx, &signed("RS256")).unwrap();
    assert_eq!(ask(&mut tx, &signed("ES256")).unwrap_err(), "Signature verification failed");
}

#[test]
fn texts_are_as_recorded() {
    let mut tx = world(&[]);
    assert_eq!(check(&HeaderMap::new(), &mut tx, NOW).unwrap_err(), "Missing authorization header");
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, "Basic abc".parse().unwrap());
    assert_eq!(check(&headers, &mut tx, NOW).unwrap_err(), "Authorization header does not have Bearer scheme");
    headers.append(header::AUTHORIZATION, "Bearer a.b.c".parse().unwrap());
    assert_eq!(check(&headers, &mut tx, NOW).unwrap_err(), "There is more than one authorization header");
    for token in ["abc", "a.b", "a.b.c.d", ""] {
        assert_eq!(refused(token), "Malformed JWT: must contain exactly 3 parts");
    }
    assert_eq!(
        refused("eyJhbGciOiJub25lIn0.e30."),
        "JWT header does not follow schema: At #/alg: \"none\" is not convertible to JwtCryptoAlgorithm"
    );
    let header = part(&json!({"alg": "RS256", "kid": "k1"}));
    let payload = part(&json!({"tid": "t", "iss": "i", "iat": 1}));
    assert_eq!(
        refused(&format!("{header}.{payload}.c2ln")),
        "JWT payload is missing required field: At #/: Missing required field 'exp' in object: \
         {\"iat\":1,\"iss\":\"i\",\"tid\":\"t\"}"
    );
    let payload = part(&json!({"iss": "i", "exp": 1}));
    assert_eq!(refused(&format!("{header}.{payload}.c2ln")), "JWT signing key not found for kid k1");
}

#[test]
fn signature_times_and_issuer_are_checked_in_this_order() {
    let idp = Idp { constraint: Some(ISSUER), ..Idp::new() };
    let stranger = Idp::new();
    let mut tx = world(&[&idp]);
    let mut reason = |idp: &Idp, claims: Value| ask(&mut tx, &idp.token(&claims)).unwrap_err();
    assert_eq!(reason(&stranger, json!({"exp": 1})), "Signature verification failed");
    assert_eq!(
        reason(&idp, json!({"nbf": NOW + 1, "exp": 1})),
        format!("Current time {NOW} is before token's Not Before (nbf) claim optional({})", NOW + 1)
    );
    assert_eq!(
        reason(&idp, json!({"exp": NOW - 1, "iss": "x"})),
        format!("Current time {NOW} is after token's Expiration Time (exp) claim {}", NOW - 1)
    );
    let other = format!("Kid k1 failed issuer constraint validation {ISSUER}");
    assert_eq!(reason(&idp, json!({"iss": "https://other.example.com/"})), other);
    assert_eq!(reason(&idp, json!({"tid": "t"})), other);
    ask(&mut tx, &idp.token(&json!({}))).unwrap();
}

#[test]
fn one_key_id_may_be_that_of_several_issuers() {
    let (one, two) = (Idp::new(), Idp { issuer: "https://two.example.com", ..Idp::new() });
    let mut tx = world(&[&one, &two]);
    assert_eq!(ask(&mut tx, &one.token(&json!({}))).unwrap().key_issuer, ISSUER);
    assert_eq!(ask(&mut tx, &two.token(&json!({}))).unwrap().key_issuer, "https://two.example.com");
    jwt::remove_keys(&mut tx, ISSUER).unwrap();
    assert_eq!(ask(&mut tx, &one.token(&json!({}))).unwrap_err(), "Signature verification failed");
}

#[test]
fn entra_tokens_are_those_of_their_tenant() {
    let issuer = "https://login.microsoftonline.com/common/v2.0";
    let constraint = Some("https://login.microsoftonline.com/{tenantid}/v2.0");
    let idp = Idp { issuer, constraint, ..Idp::new() };
    let mut tx = world(&[&idp]);
    let iss = "https://login.microsoftonline.com/t1/v2.0";
    ask(&mut tx, &idp.token(&json!({"iss": iss, "tid": "t1"}))).unwrap();
    for claims in [json!({"iss": iss, "tid": "t2"}), json!({"iss": iss}), json!({"tid": "t1"})] {
        let error = ask(&mut tx, &idp.token(&claims)).unwrap_err();
        assert!(error.starts_with("Kid k1 failed issuer constraint validation https://login"), "{error}");
    }
}

#[test]
fn a_fetched_key_signs_the_tokens_of_its_issuer_with_any_tenant() {
    let idp = Idp::new();
    let mut tx = world(&[]);
    tx.put(tables::JWT_ISSUERS, ISSUER, r#"{"auto_refresh":true,"ca_cert_bundle_name":"b"}"#);
    tx.put(tables::TLS_CA_CERT_BUNDLES, "b", r#""PEM""#);
    let bundle = jwt::Bundle { name: "b".into(), text: "PEM".into() };
    assert!(jwt::refresh_keys(&mut tx, ISSUER, &bundle, &json!({"keys": [idp.jwk()]}), ISSUER).unwrap());
    ask(&mut tx, &idp.token(&json!({"tid": "t"}))).unwrap();
    let error = ask(&mut tx, &idp.token(&json!({"iss": "https://other.example.com"}))).unwrap_err();
    assert_eq!(error, format!("Kid k1 failed issuer constraint validation {ISSUER}"));
}

#[test]
fn d04_what_cannot_be_decoded_is_refused() {
    let (header, payload) = (part(&json!({"alg": "ES256", "kid": "k1"})), part(&json!({"iss": "i", "exp": 1})));
    let raw = |text: &[u8]| URL_SAFE_NO_PAD.encode(text);
    for (token, text) in [
        ("*.e30.x".into(), "Malformed JWT: the header is not base64url"),
        ("bm8.e30.x".into(), "Malformed JWT: the header is not a JSON object: expected ident at line 1 column 2"),
        (format!("{}.e30.x", raw(b"[]")), "Malformed JWT: the header is not a JSON object"),
        (format!("{}.e30.x", raw(b"\"\xff\"")), "Malformed JWT: the header is not UTF-8"),
        (format!("{header}.{}.x", raw(b"{\"a\":\"\xff\"}")), "Malformed JWT: the payload is not UTF-8"),
        (format!("{header}.*.x"), "Malformed JWT: the payload is not base64url"),
        (format!("{header}.{payload}.*"), "Malformed JWT: the signature is not base64url"),
        (
            format!("{}.e30.x", part(&json!({"alg": "ES256", "kid": 5}))),
            "JWT header does not follow schema: At #/kid: Not a string: 5",
        ),
    ] {
        assert_eq!(refused(&token), text);
    }
    let error = refused(&format!("{}.e30.x", part(&json!({"alg": "ES256"}))));
    assert!(error.ends_with("Missing required field 'kid' in object: {\"alg\":\"ES256\"}"), "{error}");
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let idp = Idp::new();
    let mut tx = world(&[&idp]);
    let raw = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = part(&json!({"alg": "ES256", "kid": "k1"}));
    let payload = raw(&format!(r#"{{"iss":"{ISSUER}","exp":{},"oid":"o1","oid":"o2"}}"#, NOW + 60));
    let error = ask(&mut tx, &idp.sign(&header, &payload)).unwrap_err();
    assert!(error.starts_with(r#"Malformed JWT: the payload is not a JSON object: duplicate member "oid""#), "{error}");
    let payload = part(&json!({"iss": ISSUER, "exp": NOW + 60}));
    let twice = raw(r#"{"alg":"none","alg":"ES256","kid":"k1"}"#);
    let error = ask(&mut tx, &idp.sign(&twice, &payload)).unwrap_err();
    assert!(error.starts_with(r#"Malformed JWT: the header is not a JSON object: duplicate member "alg""#), "{error}");
    let critical = part(&json!({"alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": false}));
    assert_eq!(
        ask(&mut tx, &idp.sign(&critical, &payload)).unwrap_err(),
        "JWT header does not follow schema: At #/crit: no extension is supported"
    );
}

#[test]
fn times_are_numbers_and_sizes_have_limits() {
    let idp = Idp::new();
    let mut tx = world(&[&idp]);
    for (claims, text) in [
        (json!({"exp": "1700000060"}), "At #/exp: Not a time in seconds: \"1700000060\""),
        (json!({"exp": -1}), "At #/exp: Not a time in seconds: -1"),
        (json!({"exp": 1e300}), "At #/exp: Not a time in seconds: 1e+300"),
        (json!({"nbf": null}), "At #/nbf: Not a time in seconds: null"),
        (json!({"iss": 5}), "At #/iss: Not a string: 5"),
        (json!({"tid": ["t"]}), "At #/tid: Not a string: [\"t\"]"),
    ] {
        let error = ask(&mut tx, &idp.token(&claims)).unwrap_err();
        assert_eq!(error, format!("JWT payload does not follow schema: {text}"));
    }
    ask(&mut tx, &idp.token(&json!({"exp": NOW as f64 + 0.5}))).unwrap();
    let long = idp.token(&json!({"x": "x".repeat(MAX_TOKEN_BYTES)}));
    assert_eq!(refused(&long), format!("Malformed JWT: it has {} bytes; there may be 16384", long.len()));
    let deep = format!("{}.{}.", part(&json!({"alg": "ES256", "kid": "k1"})), URL_SAFE_NO_PAD.encode("[".repeat(500)));
    assert!(refused(&deep).contains("recursion limit exceeded"), "{}", refused(&deep));
}

proptest! {
    #[test]
    fn no_changed_token_is_good(at in 0_usize..300, bit in 0_u8..6) {
        let idp = Idp::new();
        let mut tx = world(&[&idp]);
        let mut token = idp.token(&json!({})).into_bytes();
        let at = at % token.len();
        token[at] ^= 1 << bit;
        if let Ok(token) = String::from_utf8(token) && http::HeaderValue::from_str(&token).is_ok() {
            prop_assert!(ask(&mut tx, &token).is_err());
        }
    }

    #[test]
    fn any_text_is_refused(token in "[ -~]{0,60}(\\.[ -~]{0,20}){0,3}") {
        prop_assert!(verify(&token, &mut |_| None, NOW).is_err());
    }
}
