use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, header};
use serde_json::{Map, Value};

/// Why the token of a request is refused, in the words of CCF.
///
/// Every token is: no key of an issuer can be registered with this version of the service, so the last answer is always
/// that the key is not known.
pub(super) fn refusal(headers: &HeaderMap) -> String {
    match key_id(headers) {
        Ok(kid) => format!("JWT signing key not found for kid {kid}"),
        Err(reason) => reason,
    }
}

/// The key that a well-formed token says it was signed with.
fn key_id(headers: &HeaderMap) -> Result<String, String> {
    let token = bearer(headers)?;
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else {
        return Err("Malformed JWT: must contain exactly 3 parts".into());
    };
    let header = object("header", header)?;
    let kid = check_header(&header).map_err(|why| format!("JWT header does not follow schema: {why}"))?;
    let payload = object("payload", payload)?;
    for field in ["exp", "iss"] {
        require(&payload, field).map_err(|why| format!("JWT payload is missing required field: {why}"))?;
    }
    decode("signature", signature)?;
    Ok(kid)
}

fn bearer(headers: &HeaderMap) -> Result<&str, String> {
    let header = headers.get(header::AUTHORIZATION).ok_or("Missing authorization header")?;
    let token = header.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
    token.ok_or_else(|| "Authorization header does not have Bearer scheme".into())
}

fn check_header(header: &Map<String, Value>) -> Result<String, String> {
    let alg = require(header, "alg")?;
    if !matches!(alg.as_str(), Some("RS256" | "ES256")) {
        return Err(format!("At #/alg: {alg} is not convertible to JwtCryptoAlgorithm"));
    }
    let kid = require(header, "kid")?;
    kid.as_str().map(str::to_owned).ok_or_else(|| format!("At #/kid: Not a string: {kid}"))
}

fn require<'a>(object: &'a Map<String, Value>, field: &str) -> Result<&'a Value, String> {
    object.get(field).ok_or_else(|| format!("At #/: Missing required field '{field}' in object: {}", sorted(object)))
}

/// The object as text with its members in the order of their names.
fn sorted(object: &Map<String, Value>) -> String {
    let mut object = object.clone();
    object.sort_keys();
    Value::Object(object).to_string()
}

/// A part of the token that cannot be decoded is the caller's fault; the reference answers 500.
fn object(part: &str, text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(&decode(part, text)?) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(format!("Malformed JWT: the {part} is not a JSON object")),
    }
}

fn decode(part: &str, text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim_end_matches('=');
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("Malformed JWT: the {part} is not base64url"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(authorization: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        refusal(&headers)
    }

    fn token(header: &Value, payload: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        refused(&format!("Bearer {}.{}.c2ln", part(header), part(payload)))
    }

    #[test]
    fn texts_are_as_recorded() {
        assert_eq!(refusal(&HeaderMap::new()), "Missing authorization header");
        assert_eq!(refused("Basic abc"), "Authorization header does not have Bearer scheme");
        assert_eq!(refused("Bearer abc"), "Malformed JWT: must contain exactly 3 parts");
        assert_eq!(
            refused("Bearer eyJhbGciOiJub25lIn0.e30."),
            "JWT header does not follow schema: At #/alg: \"none\" is not convertible to JwtCryptoAlgorithm"
        );
        let header = json!({"alg": "RS256", "kid": "k1"});
        assert_eq!(
            token(&header, &json!({"tid": "t", "iss": "i", "iat": 1})),
            "JWT payload is missing required field: At #/: Missing required field 'exp' in object: \
             {\"iat\":1,\"iss\":\"i\",\"tid\":\"t\"}"
        );
        assert_eq!(token(&header, &json!({"iss": "i", "exp": 1})), "JWT signing key not found for kid k1");
    }

    #[test]
    fn d04_what_cannot_be_decoded_is_refused() {
        assert_eq!(refused("Bearer *.e30.x"), "Malformed JWT: the header is not base64url");
        assert_eq!(refused("Bearer bm8.e30.x"), "Malformed JWT: the header is not a JSON object");
        let error = token(&json!({"alg": "ES256"}), &json!({}));
        assert!(error.ends_with("Missing required field 'kid' in object: {\"alg\":\"ES256\"}"), "{error}");
        assert!(token(&json!({"alg": "ES256", "kid": 5}), &json!({})).ends_with("At #/kid: Not a string: 5"));
    }
}
