use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::Disk;

use super::frame::{self, Chain, Fault, Keys};
use super::memory::Memory;
use super::record::{self, Record};
use super::segment::{self, Active, Closed, PREAMBLE, VERSION};
use super::writer::Writer;
use super::{Cut, LogError, LogOptions, Opened};
use crate::planted::{self, Fault as Planted};

/// Reads all segments and makes the log ready to be written.
pub(super) fn open(
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: &LogOptions,
) -> Result<(Memory, Writer, Opened), LogError> {
    let keys = Keys::new(&options.mac_key);
    make_directory(&*disk, &dir)?;
    let numbers: Vec<u64> = disk.list(&dir)?.iter().filter_map(|name| segment::number(name)).collect();
    let (memory, mut writer, cut) = if numbers.is_empty() {
        let memory = Memory::default();
        let writer = Writer::create(disk, dir, keys, options.segment_bytes, memory.summary())?;
        (memory, writer, None)
    } else {
        Replay::new(&*disk, &dir, &keys).run(&numbers)?.resume(disk.clone(), dir.clone(), keys, options)?
    };
    writer.remove_purged(memory.purged().map(|purged| purged.index))?;
    let opened = Opened {
        cut,
        segments: writer.closed.len() + 1,
        entries: memory.len(),
        purged: memory.purged(),
        last: memory.last(),
        vote: memory.vote(),
    };
    Ok((memory, writer, opened))
}

/// Its name is synced even if it is there: the start that made it may have ended before that.
fn make_directory(disk: &dyn Disk, dir: &Path) -> Result<(), LogError> {
    if !disk.exists(dir)? {
        disk.create_dir(dir)?;
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok(disk.sync_dir(parent.unwrap_or(Path::new(".")), "directory of the raft log")?)
}

/// Reading the segments, oldest first.
struct Replay<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    keys: &'a Keys,
    chain: Chain,
    memory: Memory,
    segments: Vec<Closed>,
    /// Where the last segment ends, and what was behind that.
    end: u64,
    cut: Option<Cut>,
    /// The last frame behind the first of its segment, and where it begins.
    last_frame: Option<(u64, Vec<u8>)>,
}

/// Where in which file reading is.
struct Position<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Replay<'a> {
    fn new(disk: &'a dyn Disk, dir: &'a Path, keys: &'a Keys) -> Self {
        let (chain, memory) = (Chain::START, Memory::default());
        Self { disk, dir, keys, chain, memory, segments: Vec::new(), end: 0, cut: None, last_frame: None }
    }

    fn run(mut self, numbers: &[u64]) -> Result<Replayed, LogError> {
        let (first, last) = (numbers.first().copied().unwrap_or(0), numbers.last().copied().unwrap_or(0));
        for number in first..=last {
            let path = segment::path(self.dir, number);
            if numbers.binary_search(&number).is_err() {
                return Err(LogError::MissingSegment { file: path, index: self.memory.last_index() });
            }
            let bytes = self.disk.read(&path)?;
            self.segments.push(Closed { path: path.clone(), last: None });
            self.segment(Position { path: &path, bytes: &bytes, at: PREAMBLE }, number, number == last)?;
        }
        if let Some((first, last)) = self.memory.missing() {
            let file = self.segments.first().map(|segment| segment.path.clone()).unwrap_or_default();
            return Err(LogError::MissingEntries { file, first, last });
        }
        let Self { chain, memory, segments, end, cut, last_frame, .. } = self;
        Ok(Replayed { number: last, chain, memory, segments, end, cut, last_frame })
    }

    fn segment(&mut self, mut here: Position<'_>, number: u64, is_last: bool) -> Result<(), LogError> {
        let start = Position { at: 0, ..here };
        match segment::version(here.bytes) {
            Some(VERSION) => {}
            Some(version) => {
                return Err(LogError::UnknownVersion { file: here.path.to_owned(), version, known: VERSION });
            }
            None => return Err(self.damaged(&start, "it does not begin like a segment of the raft log")),
        }
        self.first_frame(&mut here, number)?;
        let (mut last, mut at) = (None, here.at);
        while self.next_frame(&mut here, is_last)? {
            last = Some(at..here.at);
            at = here.at;
        }
        self.last_frame = last.and_then(|frame| Some((frame.start as u64, here.bytes.get(frame)?.to_vec())));
        self.end = here.at as u64;
        Ok(())
    }

    fn first_frame(&mut self, here: &mut Position<'_>, number: u64) -> Result<(), LogError> {
        let is_first = self.segments.len() == 1;
        let frame = match frame::read(self.keys, here.rest()) {
            Ok(frame) => frame,
            Err(Fault::Unauthentic) if is_first => {
                return Err(LogError::WrongKey { file: here.path.to_owned(), offset: here.at as u64 });
            }
            Err(_) => return Err(self.damaged(here, "its first frame is not whole")),
        };
        let records = record::decode(frame.body).unwrap_or_default();
        let [Record::Segment { number: written, summary }] = records.as_slice() else {
            return Err(self.damaged(here, "its first frame does not describe a segment"));
        };
        if *written != number {
            return Err(self.damaged(here, "it was written as another segment and renamed"));
        }
        if is_first {
            self.chain = frame.after;
            self.memory = Memory::at_segment(*summary);
        } else if *summary != self.memory.summary() {
            return Err(self.damaged(here, "it does not fit the segments before"));
        }
        self.link(here, &frame)
    }

    /// Reads one frame; `false` at the end of the segment.
    fn next_frame(&mut self, here: &mut Position<'_>, is_last: bool) -> Result<bool, LogError> {
        let frame = match frame::read(self.keys, here.rest()) {
            Ok(frame) => frame,
            Err(Fault::End) => return Ok(false),
            Err(Fault::Unauthentic) => return Err(self.damaged(here, "a frame was not written by this log")),
            Err(Fault::Incomplete(fault)) => return self.incomplete(here, is_last, fault).map(|()| false),
        };
        if is_last && planted::is(Planted::SignedTailCut) && here.rest().iter().skip(frame.len).all(|byte| *byte == 0) {
            self.cut = Some(Cut { file: here.path.to_owned(), offset: here.at as u64, bytes: frame.len as u64 });
            return Ok(false);
        }
        let Some(records) = record::decode(frame.body) else {
            return Err(self.damaged(here, "a frame has records this build does not know"));
        };
        for record in records {
            self.memory.check(&record).map_err(|fault| self.damaged(here, fault))?;
            if let Some((newest, older)) = self.segments.split_last_mut() {
                segment::account(older.iter_mut().map(|segment| &mut segment.last), &mut newest.last, &record);
            }
            self.memory.apply(record);
        }
        self.link(here, &frame)?;
        Ok(true)
    }

    /// Goes behind a frame if it follows the one before.
    fn link(&mut self, here: &mut Position<'_>, frame: &frame::Frame<'_>) -> Result<(), LogError> {
        if frame.after != self.chain {
            return Err(self.damaged(here, "frames were removed, repeated or put in another order"));
        }
        self.chain = frame.chain();
        here.at += frame.len;
        Ok(())
    }

    /// An incomplete frame is what a crash leaves, if nothing was written behind it.
    fn incomplete(&mut self, here: &Position<'_>, is_last: bool, fault: &'static str) -> Result<(), LogError> {
        if !is_last || frame::find(self.keys, here.rest(), self.chain).is_some() {
            return Err(self.damaged(here, fault));
        }
        let kept = here.rest().iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        self.cut = Some(Cut { file: here.path.to_owned(), offset: here.at as u64, bytes: kept as u64 });
        Ok(())
    }

    fn damaged(&self, here: &Position<'_>, fault: &'static str) -> LogError {
        let index = self.memory.last_index();
        LogError::Damaged { file: here.path.to_owned(), offset: here.at as u64, index, fault }
    }
}

impl<'a> Position<'a> {
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

/// A log as it was read.
struct Replayed {
    number: u64,
    chain: Chain,
    memory: Memory,
    segments: Vec<Closed>,
    end: u64,
    cut: Option<Cut>,
    last_frame: Option<(u64, Vec<u8>)>,
}

impl Replayed {
    /// Opens the last segment for writing. What was read may be in the cache of the system only, if the process was
    /// killed before its sync; whoever sees it from now on may rely on it, so it is synced first. If that sync was tried
    /// and failed, the system takes what is in its cache for written, and another sync writes nothing; so the last frame,
    /// which is the only one that this may have happened to, is written again before that.
    fn resume(
        mut self,
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        keys: Keys,
        options: &LogOptions,
    ) -> Result<(Memory, Writer, Option<Cut>), LogError> {
        let last = self.segments.pop();
        let path = segment::path(&dir, self.number);
        let mut file = disk.open(&path)?;
        if let Some(cut) = self.cut.as_ref().filter(|_| !planted::is(Planted::CutNotErased)) {
            erase(&mut *file, cut)?;
        }
        if let Some((offset, bytes)) = &self.last_frame {
            file.write_at(*offset, bytes)?;
        }
        file.sync_data("reopened segment of the raft log")?;
        disk.sync_dir(&dir, "reopened directory of the raft log")?;
        let size = file.len()?;
        let last = last.and_then(|segment| segment.last);
        let active = Active { file, path, number: self.number, offset: self.end, size, last };
        let writer = Writer {
            disk,
            dir,
            keys,
            segment_bytes: options.segment_bytes,
            chain: self.chain,
            closed: VecDeque::from(self.segments),
            active,
            poisoned: None,
        };
        Ok((self.memory, writer, self.cut))
    }
}

fn erase(file: &mut dyn disk::DiskFile, cut: &Cut) -> Result<(), LogError> {
    tracing::warn!(
        file = %cut.file.display(), offset = cut.offset, bytes = cut.bytes,
        "cut an incomplete frame at the end of the raft log, as a crash leaves it"
    );
    let zeros = vec![0; usize::try_from(cut.bytes).unwrap_or_default()];
    Ok(file.write_at(cut.offset, &zeros)?)
}
