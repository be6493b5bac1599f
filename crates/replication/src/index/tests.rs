use std::{path::Path, sync::OnceLock};

use crypto::{Curve, SigningKey};
use disk::{DiskFault, ForgetfulDisk};
use kv::{State, Tx, TxId};
use ledger::{chunk::ChunkName, entry::Domains, secrets::LedgerSecrets, tables};

use super::*;
use crate::{
    Committed, Order, Range, SnapshotStatus,
    batch::BatchContent,
    history::{History, Known, Missing},
    sealer::{Placed, Sealer, Signer},
    store::{EntryReader, LedgerStore},
};

const INDEX: &str = "/index";
const LEDGER: &str = "/ledger";

/// A ledger on a disk, every chunk of which is complete.
#[derive(Clone)]
struct World {
    disk: ForgetfulDisk,
    history: History,
    state: State,
    secrets: LedgerSecrets,
}

impl World {
    /// A ledger of so many chunks.
    fn new(chunks: usize) -> Self {
        let disk = ForgetfulDisk::new();
        disk.create_dir(Path::new(LEDGER)).unwrap();
        disk.sync_dir(Path::new("/"), "test").unwrap();
        let secrets = LedgerSecrets::from_keys([(1, crypto::AesKey::generate().unwrap())]).unwrap();
        let mut world = Self { disk, history: History::default(), state: State::default(), secrets };
        world.grow(chunks, b"a");
        world
    }

    /// The same ledger once more, to go on differently.
    fn fork(&self) -> Self {
        Self { disk: self.disk.copy(), ..self.clone() }
    }

    /// Writes so many chunks more, of three batches each.
    fn grow(&mut self, chunks: usize, value: &[u8]) {
        let mut store = LedgerStore::open(Arc::new(self.disk.clone()), LEDGER.into()).unwrap();
        store.write_recovered().unwrap();
        let tree = self.history.tree().clone();
        let mut sealer = Sealer::new(signer(), tree, self.history.last_signature(), u64::MAX, 0);
        for batch in 0..3 * chunks {
            self.batch(&mut sealer, &mut store, batch % 3 == 2, value);
        }
    }

    fn batch(&mut self, sealer: &mut Sealer, store: &mut LedgerStore, ends_chunk: bool, value: &[u8]) {
        let first = TxId::new(2, self.state.tx_id().seqno + 1);
        let mut placed = Vec::new();
        for seqno in first.seqno..first.seqno + 3 {
            let mut tx = Tx::new(self.state.clone());
            tx.put(tables::PROPOSALS_INFO, format!("key {}", seqno % 2), value.to_vec());
            tx.put("private", "key", value.to_vec());
            let tx_id = TxId::new(2, seqno);
            let writes = tx.into_parts().1;
            self.state.apply(tx_id, &writes);
            placed.push(Placed { tx_id, domains: Domains::from_writes(&writes), claims_digest: [0; 32] });
        }
        let sealed = sealer.seal(first, placed, ends_chunk, &mut self.state, &self.secrets).unwrap();
        let content = BatchContent::read(&sealed.batch).unwrap();
        let mut offset = store.append(first.seqno, &content.entries).unwrap();
        for (seqno, (length, leaf)) in (first.seqno..).zip(&sealed.entries) {
            self.history.entry(2, offset, *leaf);
            if seqno < first.seqno + 3 {
                self.history.wrote(tables::PROPOSALS_INFO, format!("key {}", seqno % 2).as_bytes(), seqno);
            }
            offset += *length as u64;
        }
        self.history.signed();
        if ends_chunk {
            store.complete(self.history.last_seqno()).unwrap();
            self.history.starts_chunk();
        }
    }

    fn chunks(&self) -> Vec<ChunkName> {
        LedgerStore::open(Arc::new(self.disk.clone()), LEDGER.into()).unwrap().complete_chunks().collect()
    }

    fn place(&self) -> Place {
        let (disk, directory) = (Arc::new(self.disk.clone()), INDEX.into());
        Place { disk, directory, mac_key: [3; 32], background: Background::Inline }
    }

    /// What a node knows that starts with this history.
    fn shared(&self, history: History) -> Arc<Shared> {
        let committed = Committed { state: self.state.clone(), root: history.tree().root() };
        Arc::new(Shared::new(committed, history, self.secrets.clone(), SnapshotStatus::default()))
    }

    fn indexer(&self, past: Vec<ChunkName>) -> Indexer {
        let store = LedgerStore::open(Arc::new(self.disk.clone()), LEDGER.into()).unwrap();
        Indexer::new(&self.place(), EntryReader::clone(store.reader()), past).unwrap()
    }

    /// A start without a snapshot: everything is known, and index files are written.
    fn write_index(&self) {
        let shared = self.shared(self.history.clone());
        self.indexer(Vec::new()).work(&shared, &|| true);
        assert_eq!(self.index().len(), self.chunks().len());
    }

    /// A start behind a snapshot at the end.
    fn start(&self) -> Arc<Shared> {
        let shared = self.shared(History::behind(self.history.view_history(), self.history.tree().clone()));
        self.indexer(self.chunks()).work(&shared, &|| true);
        shared
    }

    /// Everything is known after a start, and correctly.
    #[track_caller]
    fn starts(&self) {
        let shared = self.start();
        let found = shared.history();
        let last = self.history.last_seqno();
        assert_eq!(found.known(), Known { transactions: last, missing: 0, unreadable: false });
        for seqno in 0..=last + 1 {
            assert_eq!(found.place(seqno), self.history.place(seqno), "{seqno}");
            assert_eq!(found.signature_for(seqno), self.history.signature_for(seqno), "{seqno}");
        }
        for key in ["key 0", "key 1", "none"] {
            let all = Range { from: 1, to: last, at_most: 1000, order: Order::OldestFirst };
            let writes = |history: &History| history.writes_to(tables::PROPOSALS_INFO, key.as_bytes(), &all).unwrap();
            assert_eq!(writes(&found), writes(&self.history));
        }
    }

    /// Why nothing is known after a start. Every question is refused with it.
    fn refusal(&self) -> String {
        let shared = self.start();
        let history = shared.history();
        let Err(Missing::Unreadable(why)) = history.place(1) else { panic!("seqno 1 was answered") };
        for seqno in 1..=self.history.last_seqno() {
            assert!(history.place(seqno).is_err() && history.signature_for(seqno).is_err(), "{seqno}");
        }
        why.to_string()
    }

    fn index(&self) -> Vec<PathBuf> {
        self.disk.list(Path::new(INDEX)).unwrap().iter().map(|name| Path::new(INDEX).join(name)).collect()
    }

    fn chunk_files(&self) -> Vec<PathBuf> {
        self.chunks().iter().map(|name| Path::new(LEDGER).join(name.to_string())).collect()
    }

    fn read(&self, path: &Path) -> Vec<u8> {
        self.disk.read(path).unwrap()
    }

    /// What the host does.
    fn put(&self, path: &Path, bytes: &[u8]) {
        if self.disk.exists(path).unwrap() {
            self.disk.remove(path).unwrap();
        }
        self.disk.create_new(path).unwrap().append(bytes).unwrap();
    }
}

fn signer() -> Signer {
    static KEYS: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let generate = || SigningKey::generate(Curve::P256).unwrap().to_pkcs8_der().unwrap().to_vec();
    let [service, node] = KEYS.get_or_init(|| [generate(), generate()]);
    Signer {
        service_key: SigningKey::from_pkcs8_der(service).unwrap(),
        node_key: SigningKey::from_pkcs8_der(node).unwrap(),
        node_certificate: "certificate".to_owned().into(),
        issuer: "issuer".into(),
        subject: "subject".into(),
        now: || 1_700_000_000,
    }
}

#[test]
fn the_past_is_read_from_index_files_alone() {
    let world = World::new(4);
    world.write_index();
    world.chunk_files().iter().for_each(|file| world.put(file, b""));
    world.starts();
}

#[test]
fn index_files_that_are_missing_are_made_from_the_chunks() {
    let world = World::new(4);
    world.starts();
    let files = world.index();
    assert_eq!(files.len(), 4);
    for file in &files {
        world.disk.remove(file).unwrap();
        world.starts();
        assert_eq!(world.index(), files, "it was made again");
    }
    // What was made is as good as what was written when the chunk was complete.
    world.chunk_files().iter().for_each(|file| world.put(file, b""));
    world.starts();
}

#[test]
fn index_files_that_were_changed_cut_or_swapped_are_made_again() {
    let world = World::new(3);
    world.write_index();
    let files = world.index();
    let genuine: Vec<_> = files.iter().map(|file| world.read(file)).collect();
    for (at, file) in files.iter().enumerate() {
        let bytes = &genuine[at];
        for position in (0..bytes.len()).step_by(97).chain(0..32) {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            world.put(file, &changed);
            world.starts();
            assert!(world.read(file) != changed, "{position}");
        }
        for length in [0, 1, 28, bytes.len() / 2, bytes.len() - 1] {
            world.put(file, &bytes[..length]);
            world.starts();
        }
        let other = &genuine[(at + 1) % files.len()];
        world.put(file, other);
        world.starts();
    }
}

/// Both are genuine, for the same key and the same seqnos; only the root tells which of them belongs here.
#[test]
fn index_files_of_a_fork_are_made_again() {
    let mut world = World::new(2);
    let mut fork = world.fork();
    world.grow(2, b"b");
    fork.grow(2, b"c");
    world.write_index();
    fork.write_index();
    let names = world.index();
    assert_eq!(names, fork.index());
    let differing: Vec<_> = world
        .chunks()
        .iter()
        .zip(fork.chunk_files())
        .filter(|(name, file)| world.read(&Path::new(LEDGER).join(name.to_string())) != fork.read(file))
        .map(|(name, _)| Path::new(INDEX).join(format!("{}-{}", name.start, name.end.unwrap())))
        .collect();
    assert_eq!(differing.len(), 2);
    for file in &differing {
        world.put(file, &fork.read(file));
        world.starts();
        assert!(world.read(file) != fork.read(file), "it was replaced");
        // And from now on the files alone are enough.
        let without = world.fork();
        without.chunk_files().iter().for_each(|chunk| without.put(chunk, b""));
        without.starts();
    }
    // All of them, as if the state directory were put back from the fork.
    differing.iter().for_each(|file| world.put(file, &fork.read(file)));
    world.starts();
}

/// Index files of yesterday, for chunks that are longer today or were not there yet.
#[test]
fn older_index_files_do_no_harm() {
    let mut world = World::new(2);
    world.write_index();
    let older: Vec<_> = world.index().into_iter().map(|file| (file.clone(), world.read(&file))).collect();
    world.grow(2, b"b");
    world.write_index();
    world.index().iter().for_each(|file| world.disk.remove(file).unwrap());
    older.iter().for_each(|(file, bytes)| world.put(file, bytes));
    world.put(&Path::new(INDEX).join("1-5"), &older[0].1);
    world.put(&Path::new(INDEX).join("13-24.tmp"), b"left by a crash");
    world.starts();
}

#[test]
fn a_changed_chunk_is_refused_by_file_and_seqno() {
    let world = World::new(3);
    let (chunks, file) = (world.chunks(), &world.chunk_files()[1]);
    let named = |why: &str, chunk: &ChunkName| {
        let seqno = (chunk.start..=chunk.end.unwrap()).any(|seqno| why.contains(&format!("seqno {seqno}:")));
        seqno && why.contains(&chunk.to_string())
    };
    let bytes = world.read(file);
    let (mut here, mut next) = (0, 0);
    for position in (0..bytes.len()).step_by(41) {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        world.put(file, &changed);
        let why = world.refusal();
        // The signature that ends a chunk is covered by the first one of the next.
        assert!(named(&why, &chunks[1]) || named(&why, &chunks[2]), "{position}: {why}");
        here += usize::from(named(&why, &chunks[1]));
        next += usize::from(named(&why, &chunks[2]));
    }
    assert!(here > 5 * next, "{here} and {next}");
}

#[test]
fn a_chunk_of_a_fork_is_refused() {
    let mut world = World::new(2);
    let mut fork = world.fork();
    world.grow(2, b"b");
    fork.grow(2, b"c");
    let (files, theirs) = (world.chunk_files(), fork.chunk_files());
    // In the middle, the next chunk does not continue it; at the end, the snapshot does not.
    for (swapped, named) in [(2, 3), (3, 3)] {
        let bytes = world.read(&files[swapped]);
        world.put(&files[swapped], &fork.read(&theirs[swapped]));
        let why = world.refusal();
        assert!(why.contains(&world.chunks()[named].to_string()), "{why}");
        world.put(&files[swapped], &bytes);
    }
    // All of the fork, with its index files: consistent in itself.
    fork.write_index();
    world.write_index();
    let with_index = files.iter().zip(&theirs).map(|(to, from)| (to.clone(), fork.read(from)));
    let index = fork.index().into_iter().map(|file| (file.clone(), fork.read(&file)));
    with_index.chain(index).for_each(|(file, bytes)| world.put(&file, &bytes));
    assert!(world.refusal().contains("root at the snapshot"));
}

#[test]
fn a_missing_chunk_is_refused_if_there_is_no_index_file_for_it() {
    let world = World::new(3);
    world.write_index();
    let (chunks, file) = (world.chunks(), &world.chunk_files()[0]);
    world.disk.remove(file).unwrap();
    let start = || {
        let shared = world.shared(History::behind(world.history.view_history(), world.history.tree().clone()));
        world.indexer(chunks.clone()).work(&shared, &|| true);
        shared
    };
    assert_eq!(start().history().known().missing, 0);
    world.disk.remove(&world.index()[0]).unwrap();
    let Err(Missing::Unreadable(why)) = start().history().place(1) else { panic!("answered") };
    assert!(why.contains(&chunks[0].to_string()), "{why}");
}

/// They are not synced, so a power loss can leave anything of them.
#[test]
fn torn_index_files_are_made_again() {
    let mut damaged = 0;
    for seed in 0..60 {
        let mut world = World::new(3);
        let files = 3 * seed % 10;
        world.disk.fail_after(files);
        let shared = world.shared(world.history.clone());
        world.indexer(Vec::new()).work(&shared, &|| true);
        world.disk = world.disk.crash(seed);
        damaged += usize::from(!world.disk.exists(Path::new(INDEX)).unwrap() || world.index().len() < 3);
        world.starts();
    }
    assert!(damaged > 20, "only {damaged}");
}

#[test]
fn a_disk_that_fails_while_files_are_written_stops_nothing() {
    for operation in 0..9 {
        for fault in [DiskFault::InputOutput, DiskFault::ShortWrite, DiskFault::NoSpace] {
            let world = World::new(3);
            world.disk.fail_operation(operation, fault);
            world.starts();
            assert!(!world.disk.failures().is_empty(), "{operation} {fault:?}");
            world.disk.free_space();
            world.starts();
            assert_eq!(world.index().len(), 3, "{operation} {fault:?}");
        }
    }
}

#[test]
fn a_thread_does_the_same_and_ends() {
    let world = World::new(5);
    let shared = world.shared(History::behind(world.history.view_history(), world.history.tree().clone()));
    let index = Index::start(world.indexer(world.chunks()), Background::Thread, &shared).unwrap();
    index.wake(&shared);
    while shared.history().gap().is_some() {
        std::thread::yield_now();
    }
    index.end();
    index.wake(&shared);
    assert_eq!(shared.history().known().missing, 0);
    assert_eq!(world.index().len(), 5);
}

#[test]
fn nothing_of_the_ledger_is_in_the_files() {
    let world = World::new(1);
    world.write_index();
    let bytes = world.read(&world.index()[0]);
    let leaf = world.history.place(1).unwrap().unwrap().leaf;
    assert!(!bytes.windows(5).any(|window| window == b"key 0") && !bytes.windows(32).any(|window| window == leaf));
    assert_eq!(bytes[0], 1, "the version");
}
