use api::from_unique_json;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::Scheme;
use serde_json::{Map, Value};

/// Bytes of a token.
pub const MAX_TOKEN_BYTES: usize = 16 << 10;

type Members = Map<String, Value>;

/// A token that is well-formed; nothing of it is verified.
pub(super) struct Parsed<'a> {
    pub(super) algorithm: Scheme,
    pub(super) kid: String,
    pub(super) iss: String,
    pub(super) tid: Option<String>,
    /// In seconds since 1970.
    pub(super) exp: i64,
    pub(super) nbf: Option<i64>,
    pub(super) header: Members,
    pub(super) payload: Members,
    /// Header and payload as they were signed.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
}

impl<'a> Parsed<'a> {
    pub(super) fn of(token: &'a str) -> Result<Self, String> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(format!("Malformed JWT: it has {} bytes; there may be {MAX_TOKEN_BYTES}", token.len()));
        }
        let (signed, header, payload, signature) = parts(token).ok_or("Malformed JWT: must contain exactly 3 parts")?;
        let header = object("header", header)?;
        let (algorithm, kid) =
            read_header(&header).map_err(|why| format!("JWT header does not follow schema: {why}"))?;
        let payload = object("payload", payload)?;
        for field in ["exp", "iss"] {
            require(&payload, field).map_err(|why| format!("JWT payload is missing required field: {why}"))?;
        }
        let invalid = |why: String| format!("JWT payload does not follow schema: {why}");
        Ok(Self {
            algorithm,
            kid,
            iss: text(&payload, "iss").map_err(invalid)?.unwrap_or_default(),
            tid: text(&payload, "tid").map_err(invalid)?,
            exp: seconds(&payload, "exp").map_err(invalid)?.unwrap_or_default(),
            nbf: seconds(&payload, "nbf").map_err(invalid)?,
            header,
            payload,
            signed,
            signature: decode("signature", signature)?,
        })
    }
}

/// What is signed, and the three parts.
fn parts(token: &str) -> Option<(&str, &str, &str, &str)> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    (!payload.contains('.')).then_some((signed, header, payload, signature))
}

fn read_header(header: &Members) -> Result<(Scheme, String), String> {
    let alg = require(header, "alg")?;
    let algorithm = match alg.as_str() {
        Some("RS256") => Scheme::RS256,
        Some("ES256") => Scheme::ES256,
        _ => return Err(format!("At #/alg: {alg} is not convertible to JwtCryptoAlgorithm")),
    };
    require(header, "kid")?;
    if header.contains_key("crit") {
        return Err("At #/crit: no extension is supported".into());
    }
    Ok((algorithm, text(header, "kid")?.unwrap_or_default()))
}

fn require<'a>(object: &'a Members, field: &str) -> Result<&'a Value, String> {
    object.get(field).ok_or_else(|| format!("At #/: Missing required field '{field}' in object: {}", sorted(object)))
}

/// The object as text with its members in the order of their names.
fn sorted(object: &Members) -> String {
    let mut object = object.clone();
    object.sort_keys();
    Value::Object(object).to_string()
}

fn text(object: &Members, field: &str) -> Result<Option<String>, String> {
    let Some(value) = object.get(field) else { return Ok(None) };
    value.as_str().map(|text| Some(text.to_owned())).ok_or_else(|| format!("At #/{field}: Not a string: {value}"))
}

/// A time (RFC 7519, NumericDate); parts of a second do not count.
fn seconds(object: &Members, field: &str) -> Result<Option<i64>, String> {
    /// Up to here all integers are doubles.
    const LATEST: f64 = 9_007_199_254_740_992.0;
    let Some(value) = object.get(field) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| (0.0..=LATEST).contains(seconds));
    let seconds = seconds.ok_or_else(|| format!("At #/{field}: Not a time in seconds: {value}"))?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is in the range of an i64, and parts of a second do not count"
    )]
    Ok(Some(seconds as i64))
}

/// A part of the token that cannot be decoded is the caller's fault; the reference answers 500 (D4).
fn object(part: &str, text: &str) -> Result<Members, String> {
    let bytes = decode(part, text)?;
    if std::str::from_utf8(&bytes).is_err() {
        return Err(format!("Malformed JWT: the {part} is not UTF-8"));
    }
    match from_unique_json(&bytes) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(format!("Malformed JWT: the {part} is not a JSON object")),
        Err(why) => Err(format!("Malformed JWT: the {part} is not a JSON object: {why}")),
    }
}

fn decode(part: &str, text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim_end_matches('=');
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("Malformed JWT: the {part} is not base64url"))
}
