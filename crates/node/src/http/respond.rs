//! From an answer to what is written: header names in lower case and in order, reasons as CCF spells them.

use api::{ApiError, Body, Output};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::Full;
use hyper::ext::ReasonPhrase;
use kv::TxId;

use super::{Interface, Response, room::NoRoom};

const TRANSACTION_ID: HeaderName = HeaderName::from_static("x-ms-ccf-transaction-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain");
const JAVASCRIPT: HeaderValue = HeaderValue::from_static("text/javascript");
/// Reasons that are not what [`StatusCode::canonical_reason`] says: names as in an enumeration.
const REASONS: [(u16, ReasonPhrase); 17] = [
    (204, ReasonPhrase::from_static(b"NO_CONTENT")),
    (202, ReasonPhrase::from_static(b"ACCEPTED")),
    (400, ReasonPhrase::from_static(b"BAD_REQUEST")),
    (401, ReasonPhrase::from_static(b"UNAUTHORIZED")),
    (403, ReasonPhrase::from_static(b"FORBIDDEN")),
    (404, ReasonPhrase::from_static(b"NOT_FOUND")),
    (405, ReasonPhrase::from_static(b"METHOD_NOT_ALLOWED")),
    (406, ReasonPhrase::from_static(b"NOT_ACCEPTABLE")),
    (408, ReasonPhrase::from_static(b"REQUEST_TIMEOUT")),
    (409, ReasonPhrase::from_static(b"CONFLICT")),
    (412, ReasonPhrase::from_static(b"PRECONDITION_FAILED")),
    (413, ReasonPhrase::from_static(b"PAYLOAD_TOO_LARGE")),
    (431, ReasonPhrase::from_static(b"REQUEST_HEADER_FIELDS_TOO_LARGE")),
    (500, ReasonPhrase::from_static(b"INTERNAL_SERVER_ERROR")),
    (501, ReasonPhrase::from_static(b"NOT_IMPLEMENTED")),
    (503, ReasonPhrase::from_static(b"SERVICE_UNAVAILABLE")),
    (308, ReasonPhrase::from_static(b"PERMANENT_REDIRECT")),
];

/// An answer, with the transaction that it is about if clients are to know it.
#[must_use]
pub fn respond(output: Output, tx_id: Option<TxId>) -> Response {
    let (content_type, bytes) = match output.body {
        Body::Empty => (None, Bytes::new()),
        Body::Json(text) => (Some(JSON), text.into()),
        Body::Text(text) => (Some(TEXT), text.into()),
        Body::JavaScript(text) => (Some(JAVASCRIPT), text.into()),
        Body::Raw(bytes) => (None, bytes),
    };
    build(output.status, content_type, bytes, &output.headers, tx_id)
}

/// An answer that changes nothing, if there is room for it at this interface until its client has read it.
///
/// # Errors
/// 503 `TooManyPendingTransactions`
pub fn respond_within(interface: &Interface, output: Output, tx_id: Option<TxId>) -> Result<Response, ApiError> {
    let room = interface.room_for_answer(length(&output.body)).map_err(|NoRoom| {
        let text = "Too many answers are waiting to be read by their clients. Retry later.";
        ApiError::new(503, "TooManyPendingTransactions", text).with_header("retry-after", "1")
    })?;
    let response = respond(output, tx_id);
    let Some(room) = room else { return Ok(response) };
    Ok(response.map(|body| Full::new(room.with(body.into_inner().unwrap_or_default()))))
}

fn length(body: &Body) -> usize {
    match body {
        Body::Empty => 0,
        Body::Json(text) | Body::Text(text) | Body::JavaScript(text) => text.len(),
        Body::Raw(bytes) => bytes.len(),
    }
}

/// A refusal.
#[must_use]
pub fn refuse(error: &ApiError) -> Response {
    build(error.status, Some(JSON), error.body().into(), &error.headers, None)
}

/// An answer without a body.
#[must_use]
pub fn empty(status: u16, headers: &[(&'static str, String)]) -> Response {
    build(status, None, Bytes::new(), headers, None)
}

fn build(
    status: u16,
    content_type: Option<HeaderValue>,
    body: Bytes,
    extra: &[(&'static str, String)],
    tx_id: Option<TxId>,
) -> Response {
    let length = body.len();
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status != 200
        && let Some((_, reason)) = REASONS.iter().find(|(code, _)| *code == status)
    {
        response.extensions_mut().insert(reason.clone());
    }
    let headers = response.headers_mut();
    headers.reserve(3 + extra.len());
    insert(headers, extra, |name| name < "content-length");
    headers.insert(header::CONTENT_LENGTH, length.into());
    if let Some(content_type) = content_type {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    insert(headers, extra, |name| name >= "content-length");
    if let Some(tx_id) = tx_id {
        headers.insert(TRANSACTION_ID, transaction_id(tx_id));
    }
    response
}

fn insert(headers: &mut http::HeaderMap, extra: &[(&'static str, String)], wanted: impl Fn(&str) -> bool) {
    for (name, value) in extra.iter().filter(|(name, _)| wanted(name)) {
        // A value that cannot be a header is a mistake here, not the client's; it does not cost the client its answer.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// `view.seqno`, written into a buffer of its own size: this runs for every read.
fn transaction_id(id: TxId) -> HeaderValue {
    let mut buffer = [0; 41];
    let mut at = buffer.len();
    let mut push = |byte: u8| {
        at = at.saturating_sub(1);
        if let Some(place) = buffer.get_mut(at) {
            *place = byte;
        }
    };
    digits(id.seqno, &mut push);
    push(b'.');
    digits(id.view, &mut push);
    HeaderValue::from_bytes(buffer.get(at..).unwrap_or_default()).unwrap_or(HeaderValue::from_static("0.0"))
}

/// The decimal digits of a number, the last one first.
fn digits(mut number: u64, push: &mut impl FnMut(u8)) {
    loop {
        push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(response: &Response) -> Vec<&str> {
        response.headers().keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn headers_are_in_order() {
        let output = Output::new(202, Body::Text("later".into()))
            .with_header("retry-after", "3")
            .with_header("cache-control", "no-cache");
        let response = respond(output, Some(TxId::new(2, 17)));
        let expected = ["cache-control", "content-length", "content-type", "retry-after", "x-ms-ccf-transaction-id"];
        assert_eq!(names(&response), expected);
        assert_eq!(response.headers()["x-ms-ccf-transaction-id"], "2.17");
        assert_eq!(response.headers()["content-length"], "5");
        assert_eq!(response.extensions().get::<ReasonPhrase>().unwrap().as_bytes(), b"ACCEPTED");
    }

    #[test]
    fn refusals_are_json() {
        let error = ApiError::new(405, "UnsupportedHttpVerb", "no").with_header("allow", "OPTIONS, GET");
        let response = refuse(&error);
        assert_eq!(names(&response), ["allow", "content-length", "content-type"]);
        assert_eq!(response.extensions().get::<ReasonPhrase>().unwrap().as_bytes(), b"METHOD_NOT_ALLOWED");
        assert!(respond(Output::empty(), None).extensions().is_empty());
    }

    #[test]
    fn transaction_ids_of_any_size_are_written() {
        for id in [TxId::default(), TxId::new(2, 10), TxId::new(u64::MAX, u64::MAX)] {
            assert_eq!(transaction_id(id), id.to_string());
        }
    }
}
