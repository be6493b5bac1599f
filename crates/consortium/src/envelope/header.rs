use api::ApiError;
use coset::cbor::{Value, de::from_reader_with_recursion_limit};

use super::framing::{self, Parts};

const ALG: &str = "alg";
const KID: &str = "kid";
const MSG_TYPE: &str = "ccf.gov.msg.type";
const CREATED_AT: &str = "ccf.gov.msg.created_at";
const PROPOSAL_ID: &str = "ccf.gov.msg.proposal_id";

/// The protected header of a governance request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) alg: i64,
    pub(super) kid: String,
    pub(super) msg_type: Option<String>,
    pub(super) created_at: i64,
    pub(super) proposal_id: Option<String>,
}

/// Reads the header without verifying anything, so that a wrong one can be named to the caller.
pub(super) fn parse(message: &[u8]) -> Result<Header, ApiError> {
    let fields = protected(message)?;
    let find = |name: &str| fields.iter().find(|(key, _)| names(key, name)).map(|(_, value)| value);
    let missing = |name: &str| malformed(&format!("Missing {name} in protected header"));
    let alg = find(ALG).ok_or_else(|| missing("algorithm (alg)"))?;
    let kid = find(KID).ok_or_else(|| missing(KID))?;
    let created_at = find(CREATED_AT).ok_or_else(|| missing("created_at"))?;
    let created_at = integer(CREATED_AT, created_at)?;
    if created_at < 0 {
        return Err(malformed("Header parameter created_at must be positive"));
    }
    Ok(Header {
        alg: integer(ALG, alg)?,
        kid: kid_text(kid)?,
        msg_type: find(MSG_TYPE).map(|value| text(MSG_TYPE, value)).transpose()?,
        created_at,
        proposal_id: find(PROPOSAL_ID).map(|value| text(PROPOSAL_ID, value)).transpose()?,
    })
}

/// 400 for a message that is not the envelope that is needed (D4).
pub(super) fn malformed(why: &str) -> ApiError {
    let message = format!("The request body is not a signed governance request (COSE_Sign1 with tag 18): {why}");
    ApiError::bad_request("InvalidInput", message)
}

/// The entries of the protected header. No label is in the headers twice: RFC 9052 (section 3) forbids it, and who reads the
/// message later must not read another one than what was decided on.
fn protected(message: &[u8]) -> Result<Vec<(Value, Value)>, ApiError> {
    let Parts { protected, unprotected } = framing::parts(message)?;
    let Ok(Value::Bytes(header)) = decode(protected) else { return Err(not_a_map("protected", protected)) };
    let Ok(Value::Map(fields)) = decode(&header) else { return Err(not_a_map("protected", &header)) };
    let Ok(Value::Map(others)) = decode(unprotected) else { return Err(not_a_map("unprotected", unprotected)) };
    let labels: Vec<&Value> = fields.iter().chain(&others).map(|(label, _)| label).collect();
    for (index, label) in labels.iter().enumerate() {
        if labels.iter().take(index).any(|earlier| earlier == label) {
            return Err(malformed(&format!("label {} is in the headers twice", shown(label))));
        }
    }
    Ok(fields)
}

/// One item of CBOR, of no more than [`framing::MAX_HEADER_BYTES`].
fn decode(bytes: &[u8]) -> Result<Value, ()> {
    let mut rest = bytes;
    let value = from_reader_with_recursion_limit(&mut rest, framing::MAX_NESTING).map_err(drop)?;
    if rest.is_empty() { Ok(value) } else { Err(()) }
}

fn not_a_map(which: &str, header: &[u8]) -> ApiError {
    let most = framing::MAX_NESTING;
    malformed(&format!(
        "the {} bytes of the {which} header are not a map with texts in UTF-8, and at most {most} lists and maps in each \
         other",
        header.len()
    ))
}

fn shown(label: &Value) -> String {
    match (label.as_integer(), label.as_text()) {
        (Some(number), _) => i128::from(number).to_string(),
        (_, Some(text)) => format!("{text:?}"),
        _ => "of neither number nor text".into(),
    }
}

/// Whether a key is the label of a parameter: the registered ones are numbers (RFC 9052), ours are texts.
fn names(key: &Value, name: &str) -> bool {
    match name {
        ALG => *key == Value::from(1),
        KID => *key == Value::from(4),
        text => key.as_text() == Some(text),
    }
}

fn wrong(name: &str, expected: &str) -> ApiError {
    malformed(&format!("Failed to decode protected header: {name} must be {expected}"))
}

fn integer(name: &str, value: &Value) -> Result<i64, ApiError> {
    value.as_integer().and_then(|number| i64::try_from(number).ok()).ok_or_else(|| wrong(name, "an integer"))
}

fn text(name: &str, value: &Value) -> Result<String, ApiError> {
    value.as_text().map(str::to_owned).ok_or_else(|| wrong(name, "a text"))
}

/// A kid is the text of the member id, as bytes.
fn kid_text(value: &Value) -> Result<String, ApiError> {
    let bytes = value.as_bytes().ok_or_else(|| wrong(KID, "a byte string"))?;
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| wrong(KID, "the id of a member, in UTF-8"))
}
