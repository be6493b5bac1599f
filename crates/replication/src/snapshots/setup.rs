use std::{sync::Arc, thread::JoinHandle};

use disk::Disk;
use tokio::sync::mpsc::WeakSender;

use super::{Base, Occasions, Queue, SnapshotOptions, SnapshotStatus, Taker};
use crate::{Background, ReplicationError, past::Past, planted, sequencer::Request};

/// What the commit thread needs to have snapshots taken.
pub(crate) struct Setup {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) options: SnapshotOptions,
    pub(crate) background: Background,
    /// The snapshot that the ledger was read behind.
    pub(crate) base: Option<Base>,
    /// Bytes of entries that were read behind it.
    pub(crate) grown: u64,
}

impl Setup {
    /// What became of snapshots before this start.
    pub(crate) fn status(&self) -> SnapshotStatus {
        let (last, bytes) = self.base.as_ref().map(|base| (base.name, base.bytes)).unzip();
        SnapshotStatus { last, bytes: bytes.unwrap_or_default(), ..SnapshotStatus::default() }
    }

    /// Who says when one is due, and the thread that takes it, if that has one to itself.
    pub(crate) fn begin(
        self,
        queue: &Arc<Queue>,
        past: Past,
        requests: WeakSender<Request>,
    ) -> Result<(Occasions, Option<JoinHandle<()>>), ReplicationError> {
        let Self { disk, options, background, base, grown } = self;
        let last = base.map_or(0, |base| base.name.seqno);
        let taker = Taker { disk, directory: options.directory, queue: queue.clone(), past };
        let occasions = Occasions::new(queue.clone(), options.tx_count, last, grown);
        if background == Background::Inline {
            return Ok((occasions.taken_by(taker), None));
        }
        let run = planted::carry(move || taker.run(&requests));
        let thread = std::thread::Builder::new().name("snapshots".into()).spawn(run);
        Ok((occasions, Some(thread.map_err(ReplicationError::Thread)?)))
    }
}
