use std::sync::Arc;

use crypto::Digest;
use ledger::{LedgerError, chunk::ChunkName, merkle::Tree};

use super::{Place, chunks, files::Files};
use crate::{ReplicationError, history::Part, shared::Shared, store::EntryReader};

/// Reads what lies before the snapshot that the node has started from, then writes the index file of each chunk that is
/// complete.
pub(crate) struct Indexer {
    files: Files,
    reader: EntryReader,
    /// Chunks that lie before the snapshot and are not read yet.
    past: Vec<ChunkName>,
    /// The last seqno that has an index file, or could not have one.
    written: u64,
}

/// Whether the work is to go on; not, if the node is stopping.
type GoOn<'a> = &'a dyn Fn() -> bool;

/// A past that leads to another root.
struct OtherRoot;

impl Indexer {
    /// `past` are the complete chunks that lie before the snapshot, if there is one.
    pub(crate) fn new(place: &Place, reader: EntryReader, past: Vec<ChunkName>) -> Result<Self, ReplicationError> {
        Ok(Self { files: Files::new(place)?, reader, past, written: 0 })
    }

    /// Does what there is to do.
    pub(crate) fn work(&mut self, shared: &Shared, go_on: GoOn<'_>) {
        if !self.past.is_empty() {
            self.load(shared, go_on);
        }
        while go_on() {
            // Each turn takes one complete chunk.
            let Some(part) = shared.history().complete_behind(self.written) else { break };
            if !self.files.has(part.start(), part.last()) {
                self.files.write(&part);
            }
            self.written = part.last();
        }
    }

    /// Reads the past and puts it before what is known.
    fn load(&mut self, shared: &Shared, go_on: GoOn<'_>) {
        let past = std::mem::take(&mut self.past);
        let Some((seqno, root)) = shared.history().gap() else { return };
        self.written = seqno;
        let read = match self.read(&past, shared, root, go_on) {
            // Index files are derived: whichever of them is wrong, the chunks decide.
            Ok(Some(Err(OtherRoot))) => self.rebuild(&past, shared, (seqno, root), go_on),
            Ok(Some(Ok(parts))) => Ok(Some(parts)),
            Ok(None) => Ok(None),
            Err(why) => Err(why),
        };
        match read {
            Ok(Some(parts)) => shared.history_mut().fill(parts),
            Ok(None) => {}
            Err(why) => {
                tracing::error!(error = %why, "what lies before the snapshot cannot be indexed: questions about it are refused");
                shared.history_mut().give_up(&why.to_string());
            }
        }
    }

    /// The past from the index files, and from the chunks that have none. Nothing if the work is to end.
    #[expect(clippy::type_complexity, reason = "three outcomes, told apart right where this is called")]
    fn read(
        &mut self,
        past: &[ChunkName],
        shared: &Shared,
        root: Digest,
        go_on: GoOn<'_>,
    ) -> Result<Option<Result<Vec<Arc<Part>>, OtherRoot>>, ReplicationError> {
        let (mut tree, mut parts, mut new) = (Tree::new(), Vec::with_capacity(past.len()), Vec::new());
        for name in past {
            if !go_on() {
                return Ok(None);
            }
            let last = name.end.unwrap_or_default();
            let part = match self.files.read(name.start, last) {
                Some(part) => Arc::new(part),
                None => {
                    let part = Arc::new(chunks::read(&self.reader, *name, None)?);
                    new.push(part.clone());
                    part
                }
            };
            part.append_to(&mut tree);
            parts.push(part);
            shared.history_mut().progress(last);
        }
        if tree.root() != root {
            return Ok(Some(Err(OtherRoot)));
        }
        new.iter().for_each(|part| self.files.write(part));
        Ok(Some(Ok(parts)))
    }

    /// The past from the chunks alone. Index files that say something else are replaced.
    fn rebuild(
        &mut self,
        past: &[ChunkName],
        shared: &Shared,
        (seqno, root): (u64, Digest),
        go_on: GoOn<'_>,
    ) -> Result<Option<Vec<Arc<Part>>>, ReplicationError> {
        let (mut tree, mut parts) = (Tree::new(), Vec::with_capacity(past.len()));
        for name in past {
            if !go_on() {
                return Ok(None);
            }
            shared.history_mut().progress(name.start - 1);
            parts.push(Arc::new(chunks::read(&self.reader, *name, Some(&mut tree))?));
        }
        if tree.root() != root {
            let (expected, got) = (hex::encode(root), hex::encode(tree.root()));
            let why = LedgerError::Differs { field: "root at the snapshot", expected, got };
            let file = past.last().map_or_else(String::new, ToString::to_string);
            return Err(ReplicationError::ledger(file, seqno, why));
        }
        for part in &parts {
            if self.files.read(part.start(), part.last()).as_ref() != Some(&**part) {
                tracing::warn!(first = part.start(), last = part.last(), "an index file is made again from its chunk");
                self.files.write(part);
            }
        }
        Ok(Some(parts))
    }
}
