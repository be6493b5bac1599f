use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of a permit.
const UNIT: u64 = 1 << 10;

/// Memory for what clients send or are sent. Whoever they are, they have not proven anything yet, may take their time,
/// and can do a hundred things at once in each session of HTTP/2.
#[derive(Debug)]
pub(super) struct Room {
    units: Arc<Semaphore>,
    all: u32,
}

/// What is taken of the room, until this is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    _units: OwnedSemaphorePermit,
}

/// There is no room.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

impl Room {
    /// Room for so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let all = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX);
        let permits = usize::try_from(all).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(permits)), all }
    }

    /// Room for so many bytes. What is larger than all of it takes all of it.
    pub(super) fn take(&self, bytes: u64) -> Result<Taken, NoRoom> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.all);
        let permit = self.units.clone().try_acquire_many_owned(units).map_err(|_| NoRoom)?;
        Ok(Taken { _units: permit })
    }
}

/// Bytes that keep their room until the last of them is gone, wherever they lie on their way to the client.
struct Kept {
    bytes: Bytes,
    _room: Taken,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Taken {
    /// The bytes, with the room that they take up.
    pub(super) fn with(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Kept { bytes, _room: self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_their_room() {
        let room = Room::new(10 << 10);
        let bytes = room.take(6 << 10).unwrap().with(Bytes::from_static(b"abc"));
        let part = bytes.slice(1..);
        drop(bytes);
        assert_eq!((room.take(5 << 10).unwrap_err(), &part[..]), (NoRoom, &b"bc"[..]));
        drop(part);
        let all = room.take(u64::MAX).unwrap();
        assert!(room.take(1).is_err());
        drop(all);
        assert!(room.take(10 << 10).is_ok());
    }
}
