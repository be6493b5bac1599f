use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{SubmitError, Transaction};

/// Transactions that may wait for the commit thread.
pub const MAX_WAITING: usize = 4096;
/// Memory of transactions that wait for the commit thread, in bytes.
pub const MAX_WAITING_BYTES: usize = 128 << 20;
/// Places that are kept free for what has [precedence](Transaction::with_precedence).
pub(crate) const RESERVED: usize = 256;
/// Memory that is kept free for it: more than the largest transaction takes.
const RESERVED_BYTES: usize = 64 << 20;
/// Bytes of a permit.
const UNIT: usize = 1 << 10;

/// Room for what waits for the commit thread, by number and by memory. Whoever finds none is told so at once: waiting
/// for room would only be another queue, and one without a bound.
pub(crate) struct Room {
    ordinary: Lane,
    reserved: Lane,
}

/// What something that waits takes up; dropping it makes room.
pub(crate) struct Place {
    _place: OwnedSemaphorePermit,
    _memory: OwnedSemaphorePermit,
}

struct Lane {
    places: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    all: usize,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { ordinary: Lane::new(MAX_WAITING, MAX_WAITING_BYTES), reserved: Lane::new(RESERVED, RESERVED_BYTES) }
    }

    /// Room for a transaction.
    ///
    /// # Errors
    /// [`SubmitError::Busy`]
    pub(crate) fn for_transaction(&self, transaction: &Transaction) -> Result<Place, SubmitError> {
        let place = self.ordinary.take(transaction.memory());
        if transaction.precedence { place.or_else(|_| self.reserved.take(transaction.memory())) } else { place }
    }

    /// Room for one who wants to place the next transaction alone.
    ///
    /// # Errors
    /// [`SubmitError::Busy`]
    pub(crate) fn for_hold(&self) -> Result<Place, SubmitError> {
        self.reserved.take(0)
    }
}

impl Lane {
    fn new(places: usize, bytes: usize) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { places: semaphore(places), memory: semaphore(bytes / UNIT), all: places }
    }

    fn take(&self, bytes: usize) -> Result<Place, SubmitError> {
        let waiting = || self.all - self.places.available_permits().min(self.all);
        let busy = |_| SubmitError::Busy { waiting: waiting() };
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let memory = self.memory.clone().try_acquire_many_owned(units).map_err(busy)?;
        Ok(Place { _place: self.places.clone().try_acquire_owned().map_err(busy)?, _memory: memory })
    }
}

#[cfg(test)]
mod tests {
    use kv::{State, Tx};

    use super::*;

    fn transaction(bytes: usize) -> Transaction {
        let mut tx = Tx::new(State::default());
        tx.put("public:m", "k", vec![0; bytes]);
        Transaction::new(tx, [0; 32])
    }

    #[test]
    fn there_is_room_for_so_many_and_for_precedence_behind_them() {
        let room = Room::new();
        let mut places: Vec<Place> =
            (0..MAX_WAITING).map(|_| room.for_transaction(&transaction(10)).unwrap()).collect();
        let refused = room.for_transaction(&transaction(10)).err();
        assert!(matches!(refused, Some(SubmitError::Busy { waiting: MAX_WAITING })), "{refused:?}");
        let urgent = transaction(10).with_precedence();
        places.extend((0..RESERVED).map(|number| match number % 2 {
            0 => room.for_transaction(&urgent).unwrap(),
            _ => room.for_hold().unwrap(),
        }));
        assert!(room.for_transaction(&urgent).is_err() && room.for_hold().is_err());
        places.clear();
        assert!(room.for_transaction(&transaction(10)).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_the_largest_transaction_finds_room() {
        let room = Room::new();
        let largest = transaction(16 << 20);
        let mut places = Vec::new();
        while let Ok(place) = room.for_transaction(&largest) {
            places.push(place);
        }
        assert_eq!(places.len(), MAX_WAITING_BYTES / largest.memory());
        places.push(room.for_transaction(&largest.with_precedence()).unwrap());
        assert!(room.for_transaction(&transaction(16 << 20).with_precedence()).is_err());
        places.truncate(1);
        assert!(room.for_transaction(&transaction(16 << 20)).is_ok());
    }
}
