use std::sync::Arc;

use super::{Job, Queue, Taker};

/// When snapshots are due: the commit thread's part.
pub(crate) struct Occasions {
    queue: Arc<Queue>,
    tx_count: u64,
    /// The seqno of the last one, also if it could not be written.
    last: u64,
    /// Bytes of the ledger behind that.
    grown: u64,
    /// Who takes them, if the commit thread does.
    taker: Option<Arc<Taker>>,
}

impl Occasions {
    /// Goes on behind the snapshot at `last` (0 for none), behind which there are `grown` bytes of ledger.
    pub(crate) fn new(queue: Arc<Queue>, tx_count: u64, last: u64, grown: u64) -> Self {
        Self { queue, tx_count, last, grown, taker: None }
    }

    /// The commit thread takes them itself.
    pub(super) fn taken_by(self, taker: Taker) -> Self {
        Self { taker: Some(Arc::new(taker)), ..self }
    }

    /// Whether there is one to take behind the batch that ends with `seqno`. One that was not asked for waits for the
    /// one that is being written, and is never due because of the evidence of another one alone.
    pub(crate) fn is_due(&self, seqno: u64, asked: bool, is_evidence_only: bool) -> bool {
        if asked {
            return true;
        }
        let enough = seqno.saturating_sub(self.last) >= self.tx_count && self.grown >= self.queue.last_bytes();
        enough && !is_evidence_only && !self.queue.is_busy()
    }

    /// A batch of so many bytes was committed.
    pub(crate) fn batch(&mut self, bytes: usize) {
        self.grown = self.grown.saturating_add(bytes as u64);
    }

    /// Asks for the one behind the last batch.
    pub(crate) fn take(&mut self, job: Job) {
        self.taken(job.committed.state.tx_id().seqno);
        self.queue.put(job);
    }

    fn taken(&mut self, seqno: u64) {
        (self.last, self.grown) = (seqno, 0);
    }

    /// Who takes them, if the commit thread does.
    pub(crate) fn taker(&self) -> Option<Arc<Taker>> {
        self.taker.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SnapshotStatus;

    fn occasions(bytes: u64) -> Occasions {
        Occasions::new(Arc::new(Queue::new(SnapshotStatus { bytes, ..SnapshotStatus::default() })), 10, 0, 0)
    }

    #[test]
    fn d34_the_ledger_must_have_grown_by_the_size_of_the_last_snapshot() {
        let mut occasions = occasions(500);
        occasions.batch(499);
        assert!(!occasions.is_due(1000, false, false), "many transactions, but little ledger");
        occasions.batch(1);
        assert!(!occasions.is_due(9, false, false), "much ledger, but few transactions");
        assert!(occasions.is_due(10, false, false));
        assert!(occasions.is_due(3, true, false), "whoever asks gets one");
        occasions.taken(10);
        assert!(!occasions.is_due(1000, false, false), "the ledger has to grow again");
        occasions.batch(500);
        assert!(!occasions.is_due(19, false, false) && occasions.is_due(20, false, false));
    }

    #[test]
    fn a_snapshot_is_no_reason_for_another_one() {
        let occasions = Occasions::new(Arc::new(Queue::new(SnapshotStatus::default())), 1, 0, 0);
        assert!(occasions.is_due(2, false, false) && !occasions.is_due(2, false, true));
    }
}
