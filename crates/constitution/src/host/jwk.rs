//! JSON Web Keys (RFC 7517) of public keys, and PEM.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use crypto::{Curve, KeyParts, OkpCurve};
use serde_json::{Map, Value};
use unique_json::from_unique_json;

/// The kinds of keys, by their `kty`, and their curves, by their `crv`.
const EC: &str = "EC";
const RSA: &str = "RSA";
const OKP: &str = "OKP";
const CURVES: [(&str, Curve); 3] = [("P-256", Curve::P256), ("P-384", Curve::P384), ("P-521", Curve::P521)];
const OKP_CURVES: [(&str, OkpCurve); 2] = [("Ed25519", OkpCurve::Ed25519), ("X25519", OkpCurve::X25519)];

/// The JWK of a PEM key of kind `kty`, as text, with its members in the order of their names (CCF).
pub(super) fn from_pem(kty: &str, pem: &str, kid: Option<String>) -> Result<String, String> {
    let parts = KeyParts::from_pem(pem).map_err(|why| why.to_string())?;
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let (kind, mut members) = match &parts {
        KeyParts::Ec { curve, x, y } => (EC, vec![("crv", name(&CURVES, *curve)), ("x", text(x)), ("y", text(y))]),
        KeyParts::Rsa { n, e } => (RSA, vec![("n", text(n)), ("e", text(e))]),
        KeyParts::Okp { curve, x } => (OKP, vec![("crv", name(&OKP_CURVES, *curve)), ("x", text(x))]),
    };
    if kind != kty {
        return Err(format!("the key is of kind {kind}, not {kty}"));
    }
    members.push(("kty", kind.to_owned()));
    members.extend(kid.map(|kid| ("kid", kid)));
    members.sort_unstable();
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
    Ok(Value::Object(members.collect::<Map<_, _>>()).to_string())
}

/// The PEM key of a JWK of kind `kty`.
pub(super) fn to_pem(kty: &str, jwk: &str) -> Result<String, String> {
    let jwk = from_unique_json(jwk.as_bytes()).map_err(|why| why.to_string())?;
    if member(&jwk, "kty")? != kty {
        return Err(format!("\"kty\" must be \"{kty}\""));
    }
    let parts = match kty {
        EC => KeyParts::Ec { curve: curve(&CURVES, &jwk)?, x: bytes(&jwk, "x")?, y: bytes(&jwk, "y")? },
        RSA => KeyParts::Rsa { n: bytes(&jwk, "n")?, e: bytes(&jwk, "e")? },
        _ => {
            let x = bytes(&jwk, "x")?.try_into().map_err(|_| "\"x\" must have 32 bytes".to_owned())?;
            KeyParts::Okp { curve: curve(&OKP_CURVES, &jwk)?, x }
        }
    };
    parts.to_pem().map_err(|why| why.to_string())
}

fn name<T: PartialEq>(curves: &[(&str, T)], curve: T) -> String {
    curves.iter().find(|(_, known)| *known == curve).map(|(name, _)| (*name).to_owned()).unwrap_or_default()
}

fn curve<T: Copy>(curves: &[(&str, T)], jwk: &Value) -> Result<T, String> {
    let wanted = member(jwk, "crv")?;
    let found = curves.iter().find(|(name, _)| *name == wanted).map(|(_, curve)| *curve);
    found.ok_or_else(|| {
        let known: Vec<&str> = curves.iter().map(|(name, _)| *name).collect();
        format!("\"crv\" must be one of {}", known.join(", "))
    })
}

fn bytes(jwk: &Value, name: &str) -> Result<Vec<u8>, String> {
    let text = member(jwk, name)?;
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("\"{name}\" is not base64url without padding"))
}

fn member<'a>(jwk: &'a Value, name: &str) -> Result<&'a str, String> {
    jwk.get(name).and_then(Value::as_str).ok_or_else(|| format!("\"{name}\" must be a string"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.2.
    const ED25519: &str = r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    /// RFC 7517, appendix A.1, the first key without what it may be used for.
    const P256: &str = r#"{"crv":"P-256","kid":"1","kty":"EC","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;

    #[test]
    fn keys_of_the_standards_come_back() {
        let back = |kty, jwk, kid: Option<&str>| from_pem(kty, &to_pem(kty, jwk).unwrap(), kid.map(str::to_owned));
        assert_eq!(back(OKP, ED25519, None).as_deref(), Ok(ED25519));
        assert_eq!(back(EC, P256, Some("1")).as_deref(), Ok(P256));
        let (pem, _) = crypto::wrap::generate_rsa_pair().unwrap();
        let jwk = from_pem(RSA, &pem, None).unwrap();
        assert!(jwk.starts_with(r#"{"e":"AQAB","kty":"RSA","n":""#), "{jwk}");
        assert_eq!(to_pem(RSA, &jwk), Ok(pem));
    }

    #[test]
    fn what_is_no_key_of_its_kind_is_refused() {
        let pem = to_pem(EC, P256).unwrap();
        assert_eq!(from_pem(RSA, &pem, None), Err("the key is of kind EC, not RSA".to_owned()));
        assert!(from_pem(EC, "no", None).is_err());
        for (kty, jwk, expected) in [
            (EC, ED25519, "\"kty\" must be \"EC\""),
            (EC, "[]", "\"kty\" must be a string"),
            (EC, r#"{"kty":"EC","crv":"P-1"}"#, "\"crv\" must be one of P-256, P-384, P-521"),
            (OKP, r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#, "\"x\" must have 32 bytes"),
            (RSA, r#"{"kty":"RSA","n":"+","e":"AQAB"}"#, "\"n\" is not base64url without padding"),
            (RSA, r#"{"kty":"RSA","n":"AQ=="}"#, "\"n\" is not base64url without padding"),
            (RSA, r#"{"kty":"RSA","n":"AQ"}"#, "\"e\" must be a string"),
        ] {
            assert_eq!(to_pem(kty, jwk), Err(expected.to_owned()), "{jwk}");
        }
        let twice = to_pem(EC, r#"{"kty":"EC","kty":"RSA"}"#).unwrap_err();
        assert!(twice.starts_with("duplicate member \"kty\""), "{twice}");
        assert!(to_pem(EC, &P256.replace("4Etl", "4Etm")).unwrap_err().contains("not on its curve"));
    }
}
