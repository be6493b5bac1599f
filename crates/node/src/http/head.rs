use api::ApiError;
use http::{HeaderMap, request::Parts};

use super::room::{NoRoom, Room, Taken};
use crate::config::HttpLimits;

/// Heads up to this many bytes are read whatever else is going on.
const ORDINARY: usize = 4 << 10;

/// Checks number and sizes of the headers.
///
/// # Errors
/// 431 with the recorded texts.
pub(super) fn check(headers: &HeaderMap, limits: &HttpLimits) -> Result<(), ApiError> {
    if headers.len() > limits.max_headers_count {
        return Err(too_large(format!("Too many headers (max number allowed: {})", limits.max_headers_count)));
    }
    let most = limits.max_header_size.bytes;
    for (name, value) in headers {
        let (part, bytes) =
            if name.as_str().len() > value.len() { ("key", name.as_str().len()) } else { ("value", value.len()) };
        if u64::try_from(bytes).unwrap_or(u64::MAX) > most {
            let text = &limits.max_header_size.text;
            let name = name.as_str();
            return Err(too_large(format!("Header {part} for '{name}' is too large (max size allowed: {text})")));
        }
    }
    Ok(())
}

/// Room for a head, as long as its request lasts; nothing for one of ordinary size.
pub(super) fn room(head: &Parts, room: &Room) -> Result<Option<Taken>, NoRoom> {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let bytes: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if target + bytes <= ORDINARY {
        return Ok(None);
    }
    room.take(u64::try_from(target + bytes).unwrap_or(u64::MAX)).map(Some)
}

fn too_large(message: String) -> ApiError {
    ApiError::new(431, "RequestHeaderTooLarge", message)
}
