//! The first bytes of a session: whether they are HTTP at all.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What every HTTP/2 connection starts with, as far as it differs from HTTP/1.1 (RFC 9113, 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0";
/// The longest method, and a blank.
const LONGEST: usize = 12;
/// Most bytes of empty lines in front of a request.
const MOST_EMPTY: usize = 256;
/// How much of what was not understood is repeated to the client.
const FRAGMENT: usize = 1024;
const METHODS: [&[u8]; 34] = [
    b"ACL",
    b"BIND",
    b"CHECKOUT",
    b"CONNECT",
    b"COPY",
    b"DELETE",
    b"GET",
    b"HEAD",
    b"LINK",
    b"LOCK",
    b"M-SEARCH",
    b"MERGE",
    b"MKACTIVITY",
    b"MKCALENDAR",
    b"MKCOL",
    b"MOVE",
    b"NOTIFY",
    b"OPTIONS",
    b"PATCH",
    b"POST",
    b"PROPFIND",
    b"PROPPATCH",
    b"PURGE",
    b"PUT",
    b"REBIND",
    b"REPORT",
    b"SEARCH",
    b"SOURCE",
    b"SUBSCRIBE",
    b"TRACE",
    b"UNBIND",
    b"UNLINK",
    b"UNLOCK",
    b"UNSUBSCRIBE",
];

/// What a session starts with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// A request of HTTP/1.
    Http1(Bytes),
    /// A connection of HTTP/2.
    Http2(Bytes),
    /// Something else.
    Other(Bytes),
    /// Nothing.
    Closed,
}

/// Reads until it is known what the client speaks.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Opening {
    let mut bytes = BytesMut::with_capacity(4096);
    loop {
        match stream.read_buf(&mut bytes).await {
            Ok(more) if more > 0 => {}
            _ if bytes.is_empty() => return Opening::Closed,
            _ => return Opening::Other(bytes.freeze()),
        }
        if let Some(judge) = judge(&bytes) {
            return judge(bytes.freeze());
        }
    }
}

/// What the bytes are; `None` if there are too few.
fn judge(bytes: &[u8]) -> Option<fn(Bytes) -> Opening> {
    // RFC 9112 allows empty lines before a request, but a client could send them without end.
    let start = bytes.iter().take(MOST_EMPTY + 1).position(|byte| !matches!(byte, b'\r' | b'\n'));
    let Some(start) = start else { return (bytes.len() > MOST_EMPTY).then_some(Opening::Other) };
    let line = bytes.get(start..)?;
    if line.starts_with(HTTP2) {
        return Some(Opening::Http2);
    }
    match line.iter().position(|byte| *byte == b' ') {
        Some(_) if HTTP2.starts_with(line) => None,
        Some(end) => Some(if METHODS.contains(&line.get(..end)?) { Opening::Http1 } else { Opening::Other }),
        None if line.len() < LONGEST => None,
        None => Some(Opening::Other),
    }
}

/// Tells a client that what it sent is not HTTP.
pub(super) async fn refuse<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) {
    let fragment = String::from_utf8_lossy(bytes.get(..FRAGMENT).unwrap_or(bytes));
    let at = bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len());
    let body = format!(
        "Unable to parse data as a HTTP request. Error message is: HTTP parsing failed (HPE_INVALID_METHOD: Invalid \
         method encountered) around byte {at}\nError occurred while parsing fragment:\n{fragment}"
    );
    let head = format!(
        "HTTP/1.1 400 BAD_REQUEST\r\nconnection: close\r\ncontent-length: {}\r\ncontent-type: text/plain\r\n\r\n",
        body.len()
    );
    // A client that has gone does not need to be told.
    let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await;
    let _ = stream.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn opening(bytes: &[u8]) -> Opening {
        read(&mut &*bytes).await
    }

    #[tokio::test]
    async fn http_is_told_from_anything_else() {
        for good in ["GET / HTTP/1.1\r\n\r\n", "\r\nPUT /x HTTP/1.0\r\n", "UNSUBSCRIBE /"] {
            assert_eq!(opening(good.as_bytes()).await, Opening::Http1(good.into()), "{good}");
        }
        for bad in [
            "hello world\r\n\r\n",
            "get / HTTP/1.1\r\n",
            "\u{1}\u{2}",
            "BREW / HTTP/1.1\r\n",
            "GETTINGLONGERANDLONGER",
            "PRI",
        ] {
            assert_eq!(opening(bad.as_bytes()).await, Opening::Other(bad.into()), "{bad}");
        }
        assert_eq!(opening(b"PRI * HTTP/2.0\r\n\r\nSM").await, Opening::Http2("PRI * HTTP/2.0\r\n\r\nSM".into()));
        assert_eq!(opening(b"").await, Opening::Closed);
    }

    #[tokio::test]
    async fn empty_lines_are_not_read_without_end() {
        let many = "\r\n".repeat(1 << 20);
        let Opening::Other(bytes) = opening(many.as_bytes()).await else { panic!("taken for HTTP") };
        assert!(bytes.len() <= 8 << 10, "{} bytes were read", bytes.len());
        let few = ["\r\n".repeat(MOST_EMPTY / 2), "GET / HTTP/1.1\r\n".into()].concat();
        assert_eq!(opening(few.as_bytes()).await, Opening::Http1(few.clone().into()));
    }
}
