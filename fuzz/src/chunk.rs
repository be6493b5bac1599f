//! Chunk files.

use std::io::Cursor;

use ledger::{
    chunk::{CHUNK_HEADER_LEN, ChunkName, ChunkReader, read_entry_at},
    show::{Filter, show_chunk},
    verify::{Options, verify_chunks},
};

/// The bytes as a chunk that is still written, as one that is complete, and as a ledger of its own.
///
/// # Panics
/// If entries do not follow each other, or reach beyond the file.
pub fn run(data: &[u8]) {
    for name in [ChunkName::open(15), ChunkName::committed(27, 28)] {
        let Ok(reader) = ChunkReader::open(name, Cursor::new(data)) else { continue };
        let whole = read(reader, data);
        if let Some(count) = whole.filter(|_| name.end.is_some()) {
            assert_eq!(Some(name.start + count - 1), name.end, "a complete chunk has what its name says");
        }
        let reader = ChunkReader::open(name, Cursor::new(data)).expect("it was opened before");
        let _ = show_chunk(reader, &Filter::default(), &mut |record| assert!(record.size <= data.len()));
    }
    let options = Options { incomplete_tail: true, ..Options::default() };
    let open = |name| ChunkReader::open(name, Cursor::new(data));
    if let Ok(report) = verify_chunks(&[ChunkName::open(1)], open, Vec::new(), options, &mut |_| {}) {
        assert_eq!((report.signatures, report.verified), (0, None), "nobody has signed this");
        assert!(report.incomplete_tail <= data.len() as u64);
    }
}

/// Reads to the end; how many entries there are, if that is where the file says.
fn read(mut reader: ChunkReader<Cursor<&[u8]>>, data: &[u8]) -> Option<u64> {
    let name = reader.name();
    let (mut at, mut count) = (CHUNK_HEADER_LEN, 0);
    while let Some(entry) = reader.next_entry().ok()? {
        assert_eq!((entry.offset, entry.seqno), (at, name.start + count));
        let end = at + entry.bytes.len() as u64;
        assert_eq!(entry.bytes, data[usize::try_from(at).expect("small")..usize::try_from(end).expect("small")]);
        assert_eq!(read_entry_at(name, &mut Cursor::new(data), at).expect("it was read before"), entry.bytes);
        (at, count) = (end, count + 1);
    }
    assert_eq!(reader.offset(), at);
    Some(count)
}
