use std::{pin::Pin, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::room::{NoRoom, Room, Taken};

/// Bodies up to this many bytes are read whatever else is going on.
const SMALL: usize = 16 << 10;
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
    /// Too many others are arriving.
    NoRoom,
}

impl From<NoRoom> for NoBody {
    fn from(_: NoRoom) -> Self {
        Self::NoRoom
    }
}

/// The whole body, of at most `limit` bytes, and the room that it takes up until its request is answered.
pub(super) async fn read(mut body: Incoming, limit: u64, room: &Room) -> Result<(Bytes, Option<Taken>), NoBody> {
    if body.is_end_stream() {
        return Ok((Bytes::new(), None));
    }
    // Refused by its announced length, before the client is told to go on (`expect: 100-continue`).
    if body.size_hint().lower() > limit {
        return Err(NoBody::TooLarge);
    }
    tokio::time::timeout(PATIENCE, collect(Pin::new(&mut body), limit, room)).await.unwrap_or(Err(NoBody::Late))
}

async fn collect(mut body: Pin<&mut Incoming>, limit: u64, room: &Room) -> Result<(Bytes, Option<Taken>), NoBody> {
    // A body of unknown length may become as long as it is allowed to be.
    let expected = body.size_hint().upper().unwrap_or(limit);
    let mut place = None;
    let Some(first) = next(&mut body).await? else { return Ok((Bytes::new(), None)) };
    if body.is_end_stream() {
        within(first.len(), limit)?;
        let place = if first.len() > SMALL { Some(room.take(expected)?) } else { None };
        return Ok((first, place));
    }
    let mut whole = BytesMut::with_capacity(capacity(&body, first.len()));
    whole.extend_from_slice(&first);
    while let Some(data) = next(&mut body).await? {
        within(whole.len() + data.len(), limit)?;
        if place.is_none() && whole.len() + data.len() > SMALL {
            place = Some(room.take(expected)?);
        }
        whole.extend_from_slice(&data);
    }
    Ok((whole.freeze(), place))
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

/// What the client announced, but not more than is read without further ado.
fn capacity(body: &Pin<&mut Incoming>, first: usize) -> usize {
    first + usize::try_from(body.size_hint().lower()).unwrap_or(0).min(SMALL)
}
