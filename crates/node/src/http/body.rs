use std::{pin::Pin, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

/// How long a client may take to send a body.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoBody {
    /// It is longer than allowed.
    TooLarge,
    /// It does not come.
    Late,
    /// The client has gone, or what it sends is not a body.
    Broken,
}

/// The whole body, of at most `limit` bytes.
pub(super) async fn read(mut body: Incoming, limit: u64) -> Result<Bytes, NoBody> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    // Refused by its announced length, before the client is told to go on (`expect: 100-continue`).
    if body.size_hint().lower() > limit {
        return Err(NoBody::TooLarge);
    }
    tokio::time::timeout(PATIENCE, collect(Pin::new(&mut body), limit)).await.unwrap_or(Err(NoBody::Late))
}

async fn collect(mut body: Pin<&mut Incoming>, limit: u64) -> Result<Bytes, NoBody> {
    let Some(first) = next(&mut body).await? else { return Ok(Bytes::new()) };
    if body.is_end_stream() {
        return within(first.len(), limit).map(|()| first);
    }
    let mut whole = BytesMut::with_capacity(capacity(&body, first.len(), limit));
    whole.extend_from_slice(&first);
    while let Some(data) = next(&mut body).await? {
        within(whole.len() + data.len(), limit)?;
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// The next data; trailers are passed over.
async fn next(body: &mut Pin<&mut Incoming>) -> Result<Option<Bytes>, NoBody> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| NoBody::Broken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn within(bytes: usize, limit: u64) -> Result<(), NoBody> {
    if u64::try_from(bytes).unwrap_or(u64::MAX) > limit { Err(NoBody::TooLarge) } else { Ok(()) }
}

/// What the client announced, but not more than it may send.
fn capacity(body: &Pin<&mut Incoming>, first: usize, limit: u64) -> usize {
    first + usize::try_from(body.size_hint().lower().min(limit)).unwrap_or(0)
}
