use std::collections::BTreeMap;
use std::io;

use super::random::Random;

/// What a disk writes at once or not at all.
const SECTOR: usize = 512;

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

/// The content of one file: as it is durable, and as the running system sees it.
#[derive(Clone, Default)]
pub(super) struct Content {
    synced: Vec<u8>,
    pending: Vec<Change>,
    now: Vec<u8>,
}

impl Content {
    fn durable(bytes: Vec<u8>) -> Self {
        Self { synced: bytes.clone(), pending: Vec::new(), now: bytes }
    }

    pub(super) fn now(&self) -> &[u8] {
        &self.now
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.change(Change::Write { offset: size(offset), bytes: bytes.to_vec() });
    }

    pub(super) fn set_len(&mut self, len: u64) {
        self.change(Change::SetLen(size(len)));
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.now, &change);
        self.pending.push(change);
    }

    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let from = size(offset);
        let bytes = from.checked_add(buffer.len()).and_then(|to| self.now.get(from..to));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.synced, &change);
        }
    }

    /// A sync that failed: the running system goes on seeing the changes, but they will never be written.
    pub(super) fn lose_pending(&mut self) {
        self.pending.clear();
    }

    pub(super) fn after_power_loss(self, random: &mut Random) -> Self {
        Self::durable(match random.below(5) {
            0 => self.synced,
            1 => self.with_all(),
            2 => self.with_beginning(random),
            _ => self.with_sectors(random),
        })
    }

    fn with_all(mut self) -> Vec<u8> {
        self.sync();
        self.synced
    }

    /// Changes survive in order up to one of which only the first bytes do.
    fn with_beginning(mut self, random: &mut Random) -> Vec<u8> {
        let whole = random.below(self.pending.len() + 1);
        for (number, mut change) in self.pending.drain(..).enumerate().take(whole + 1) {
            if number == whole {
                match &mut change {
                    Change::Write { bytes, .. } => bytes.truncate(random.below(bytes.len() + 1)),
                    Change::SetLen(_) => break,
                }
            }
            apply(&mut self.synced, &change);
        }
        self.synced
    }

    /// Each sector has an age of its own: the system wrote it back after some of its changes, or never.
    fn with_sectors(mut self, random: &mut Random) -> Vec<u8> {
        let ages = self.pending.len() + 1;
        let mut age_of = BTreeMap::new();
        for (number, change) in self.pending.iter().enumerate() {
            match change {
                Change::SetLen(_) if random.coin() => apply(&mut self.synced, change),
                Change::SetLen(_) => {}
                Change::Write { offset, bytes } => {
                    for (at, piece) in sectors(*offset, bytes) {
                        let age = *age_of.entry(at / SECTOR).or_insert_with(|| random.below(ages));
                        if number < age {
                            overwrite(&mut self.synced, at, piece);
                        }
                    }
                }
            }
        }
        self.synced
    }
}

/// Cuts a write where sectors meet.
fn sectors(offset: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let (mut at, mut rest) = (offset, bytes);
    std::iter::from_fn(move || {
        let (piece, behind) = rest.split_at_checked(SECTOR - at % SECTOR).unwrap_or((rest, &[]));
        let here = at;
        at += piece.len();
        rest = behind;
        (!piece.is_empty()).then_some((here, piece))
    })
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes } => overwrite(content, *offset, bytes),
        Change::SetLen(len) => content.resize(*len, 0),
    }
}

fn overwrite(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset.saturating_add(bytes.len());
    if content.len() < end && !bytes.is_empty() {
        content.resize(end, 0);
    }
    if let Some(target) = content.get_mut(offset..end) {
        target.copy_from_slice(bytes);
    }
}

fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
