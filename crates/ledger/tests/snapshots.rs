//! Snapshots: written and read again, changed in every byte, and one that CCF wrote.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a panic is the failure report")]

mod common;
#[path = "common/own.rs"]
mod own;

use common::{EXPIRED, certificate, decoded, entries, secrets, service};
use crypto::{AesKey, Digest, sha256};
use kv::{State, TxId, UNIT_KEY, WriteSet};
use ledger::{
    LedgerError,
    entry::{HEADER_LEN, decode},
    merkle::Tree,
    receipt::{Components, Receipt},
    secrets::{HistoricalSecret, LedgerSecrets, PreviousSecret},
    signature::NodeSignature,
    snapshot::{Contents, Restored, Snapshot, SnapshotName, evidence, receipt_bytes, restore},
    tables,
};
use own::{Service, single, write};
use proptest::prelude::*;

/// A service with its state.
struct World {
    service: Service,
    state: State,
    views: Vec<TxId>,
}

/// A snapshot file.
#[derive(Clone)]
struct Taken {
    name: SnapshotName,
    bytes: Vec<u8>,
    /// Where the receipt begins.
    entry_len: usize,
    digest: Digest,
}

impl World {
    fn new() -> Self {
        let mut world = Self { service: Service::new(), state: State::default(), views: vec![TxId::new(2, 1)] };
        let genesis = world.service.genesis();
        world.commit(&genesis);
        world
    }

    fn commit(&mut self, writes: &WriteSet) -> TxId {
        let tx_id = self.service.commit(writes, 0);
        self.state.apply(tx_id, writes);
        tx_id
    }

    fn sign(&mut self) {
        let writes = self.service.signature();
        self.service.signed = self.commit(&writes).seqno;
    }

    fn skip_views(&mut self, count: u64) {
        self.service.view += count;
        self.views.push(self.service.next());
    }

    fn leaf(&self) -> Digest {
        *self.service.tree.leaf(self.state.tx_id().seqno).unwrap()
    }

    fn entry(&self) -> (Vec<u8>, Digest) {
        let contents = Contents { state: &self.state, leaf: self.leaf(), view_history: &self.views };
        let sealed = contents.seal(&self.service.secrets).unwrap();
        let mut bytes = Vec::new();
        let digest = sealed.write(&mut bytes).unwrap();
        assert_eq!((sealed.size(), digest), (bytes.len() as u64, sha256(&bytes)));
        (bytes, digest)
    }

    /// A snapshot of the state, which ends with a signature; the service goes on with evidence and signature.
    fn take(&mut self) -> Taken {
        let (mut bytes, digest) = self.entry();
        let (entry_len, seqno) = (bytes.len(), self.state.tx_id().seqno);
        let at = self.service.commit_claiming(&evidence(&digest, seqno), 0, digest);
        let signature = self.service.signature();
        let signed = NodeSignature::from_json(signature.get(tables::SIGNATURES, &UNIT_KEY).unwrap().unwrap()).unwrap();
        let components = Components {
            write_set_digest: sha256(self.service.entries.last().unwrap()),
            commit_evidence: self.service.secrets.for_seqno(at.seqno).unwrap().commit_evidence(at),
            claims_digest: Some(digest),
        };
        let receipt = Receipt::of_transaction(at.seqno, &components, &self.service.tree, &signed, Vec::new()).unwrap();
        bytes.extend(receipt_bytes(&receipt).unwrap());
        Taken { name: SnapshotName { seqno, evidence: at.seqno, committed: true }, bytes, entry_len, digest }
    }

    fn restore(&self, name: SnapshotName, bytes: &[u8]) -> Result<Restored, LedgerError> {
        restore(name, bytes, &self.service.secrets, &[], &self.service.certificate)
    }
}

fn small() -> World {
    let mut world = World::new();
    world.sign();
    world.skip_views(3);
    world.commit(&write("private", "key", "a secret"));
    world.commit(&write("public:app", "", "value"));
    let mut removal = write("also private", "k", "");
    removal.remove("public:app", "");
    world.commit(&removal);
    world.sign();
    world
}

const MAPS: [&str; 5] = ["public:a", "public:ccf.z", "b", "public", "zz"];

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<(usize, Vec<u8>, Option<Vec<u8>>)>),
    Sign,
    Views(u64),
    Rekey(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = |most| prop::collection::vec(0..4u8, 0..most);
    let change = (0..MAPS.len(), bytes(3), prop::option::weighted(0.8, bytes(40)));
    prop_oneof![
        6 => prop::collection::vec(change, 1..6).prop_map(Step::Write),
        2 => Just(Step::Sign),
        1 => (1..4u64).prop_map(Step::Views),
        1 => any::<u8>().prop_map(Step::Rekey),
    ]
}

fn play(world: &mut World, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Write(changes) => {
                let mut writes = WriteSet::default();
                for (map, key, value) in changes {
                    writes.set(MAPS[*map], key.clone().into(), value.clone().map(Into::into));
                }
                world.commit(&writes);
            }
            Step::Sign => world.sign(),
            Step::Views(count) => world.skip_views(*count),
            Step::Rekey(byte) => {
                let _ =
                    world.service.secrets.push(world.service.next().seqno, AesKey::from_bytes([*byte; 32]).unwrap());
            }
        }
    }
    world.sign();
}

/// The first transactions of views that have any.
fn compact(views: &[TxId]) -> Vec<TxId> {
    let mut compact = views.to_vec();
    compact.dedup_by(|next, first| {
        let same = next.seqno == first.seqno;
        *first = if same { *next } else { *first };
        same
    });
    compact
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_is_written_is_read(steps in prop::collection::vec(step(), 0..30)) {
        let mut world = World::new();
        play(&mut world, &steps);
        let (state, leaf, tree) = (world.state.clone(), world.leaf(), world.service.tree.clone());
        let taken = world.take();
        let restored = world.restore(taken.name, &taken.bytes).unwrap();
        prop_assert_eq!(&restored.state, &state);
        prop_assert_eq!(&restored.view_history, &compact(&world.views));
        prop_assert_eq!((restored.leaf, restored.digest), (leaf, taken.digest));
        prop_assert_eq!(restored.evidence, TxId::new(world.service.view, taken.name.evidence));
        prop_assert_eq!((restored.tree.size(), restored.tree.root()), (tree.size(), tree.root()));
        prop_assert_eq!(Snapshot::read(taken.name, taken.bytes.as_slice()).unwrap().name(), taken.name);
        // Once more, from what was read: the same bytes, and no private value among them in the clear.
        let again = World { state: restored.state, views: restored.view_history, ..world };
        prop_assert_eq!(again.entry().0, &taken.bytes[..taken.entry_len]);
    }
}

#[test]
fn values_larger_than_a_piece() {
    let mut world = World::new();
    for (map, len) in [("public:a", 65_536), ("public:b", 300_001), ("p", 200_003), ("q", 65_535)] {
        world.commit(&write(map, &"k".repeat(len / 2), &"v".repeat(len)));
    }
    world.sign();
    let taken = world.take();
    assert_eq!(world.restore(taken.name, &taken.bytes).unwrap().state, world.state);
    // A reader that gives a few bytes at a time.
    let drip = Drip(&taken.bytes, 1);
    let read = restore(taken.name, drip, &world.service.secrets, &[], &world.service.certificate).unwrap();
    assert_eq!(read.state, world.state);
}

struct Drip<'a>(&'a [u8], usize);

impl std::io::Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1 = self.1 % 4099 + 1;
        let most = self.1.min(buffer.len());
        self.0.read(&mut buffer[..most])
    }
}

#[test]
fn private_values_are_encrypted() {
    let world = small();
    let (bytes, _) = world.entry();
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(has(b"public:app") && !has(b"a secret") && !has(b"private"));
}

/// Every bit of the receipt, and one of each byte of the entry (all with `EVERY_BYTE=1`).
#[test]
fn every_byte_counts() {
    let mut world = small();
    let taken = world.take();
    world.restore(taken.name, &taken.bytes).unwrap();
    let all = std::env::var_os("EVERY_BYTE").is_some();
    for offset in 0..taken.bytes.len() {
        for bit in (0..8).filter(|bit| all || offset >= taken.entry_len || *bit == offset % 8) {
            let mut changed = taken.bytes.clone();
            changed[offset] ^= 1 << bit;
            let restored = world.restore(taken.name, &changed);
            assert!(
                restored.is_err(),
                "offset {offset} of {} (receipt at {}), bit {bit}",
                changed.len(),
                taken.entry_len
            );
        }
    }
    for length in 0..taken.bytes.len() {
        assert!(world.restore(taken.name, &taken.bytes[..length]).is_err(), "cut off at {length}");
    }
    assert!(world.restore(taken.name, &[&taken.bytes[..], b"\n"].concat()).is_err());
}

#[test]
fn another_name_secret_or_service() {
    let mut world = small();
    let taken = world.take();
    let SnapshotName { seqno, evidence, .. } = taken.name;
    let name = |seqno, evidence, committed| SnapshotName { seqno, evidence, committed };
    for name in [name(seqno - 1, evidence, true), name(seqno, evidence + 1, true), name(seqno, evidence, false)] {
        assert!(world.restore(name, &taken.bytes).is_err(), "{name}");
    }
    let error = world.restore(name(seqno, evidence, false), &taken.bytes[..taken.entry_len]).unwrap_err();
    assert!(error.to_string().contains("no receipt"), "{error}");

    let others = LedgerSecrets::from_keys([(1, AesKey::from_bytes([9; 32]).unwrap())]).unwrap();
    let error = restore(taken.name, taken.bytes.as_slice(), &others, &[], &world.service.certificate).unwrap_err();
    assert!(matches!(error, LedgerError::UnknownSecret { version: 1 }), "{error}");
    let later = LedgerSecrets::from_keys([(seqno + 1, AesKey::from_bytes([7; 32]).unwrap())]).unwrap();
    let error = restore(taken.name, taken.bytes.as_slice(), &later, &[], &world.service.certificate).unwrap_err();
    assert!(matches!(error, LedgerError::NoSecret { .. }), "{error}");
    let error = restore(taken.name, taken.bytes.as_slice(), &world.service.secrets, &[], &Service::new().certificate);
    assert!(error.unwrap_err().to_string().contains("was not issued by the service"));
}

/// A secret whose place only the snapshot tells.
#[test]
fn a_rekey_is_followed() {
    let mut world = small();
    let (known, next) = (world.service.secrets.clone(), AesKey::from_bytes([8; 32]).unwrap());
    let current = known.latest().unwrap();
    let previous = PreviousSecret::seal((current.version(), current.key()), &next, [1; 12], None).unwrap();
    let record = HistoricalSecret { next_version: None, previous_ledger_secret: Some(previous) };
    let json = String::from_utf8(record.to_json().unwrap()).unwrap();
    let at = world.commit(&single(tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET, json));
    world.service.secrets.push(at.seqno + 1, next.clone()).unwrap();
    world.commit(&write("private", "other", "secret"));
    world.sign();
    let taken = world.take();
    let restore = |secrets, candidates: &[AesKey]| {
        restore(taken.name, taken.bytes.as_slice(), secrets, candidates, &world.service.certificate)
    };
    let other = AesKey::from_bytes([6; 32]).unwrap();
    for (secrets, candidates) in [(&world.service.secrets, &[][..]), (&known, &[other.clone(), next.clone()])] {
        let restored = restore(secrets, candidates).unwrap();
        assert_eq!(restored.state, world.state);
        let latest = restored.secrets.latest().unwrap();
        assert_eq!((latest.version(), latest.key()), (at.seqno + 1, &next));
    }
    for candidates in [&[][..], &[other]] {
        let error = restore(&known, candidates).unwrap_err();
        assert!(matches!(error, LedgerError::UnknownSecret { version } if version == at.seqno + 1), "{error}");
    }
    // Another key in that place, and a file that was changed: the file is at fault.
    let mut changed = taken.bytes.clone();
    changed[taken.entry_len - 1] ^= 1;
    let error = crate::restore(taken.name, changed.as_slice(), &known, &[], &world.service.certificate).unwrap_err();
    assert!(error.to_string().starts_with("digest of the snapshot"), "{error}");
}

/// What is not at a signature could not be read again, so it is not written.
#[test]
fn contents_that_no_start_could_use_are_not_written() {
    let mut world = small();
    let seal = |world: &World, state: &State, views: &[TxId]| {
        let contents = Contents { state, leaf: world.leaf(), view_history: views };
        contents.seal(&world.service.secrets).map(|_| ()).unwrap_err().to_string()
    };
    let state = world.state.clone();
    let error = seal(&world, &state, &[TxId::new(2, 1)]);
    assert!(error.contains("last view in the view history"), "{error}");
    let error = seal(&world, &state, &[TxId::new(2, 1), TxId::new(5, 4)]);
    assert!(error.contains("transaction in the state is 5.3, expected 2.3"), "{error}");
    world.commit(&single("public:more", "x"));
    let error = seal(&world, &world.state, &world.views);
    assert!(error.contains("is not a signature"), "{error}");
}

/// The state that the transactions of a ledger lead to.
fn replay(name: &str, upto: u64) -> (State, LedgerSecrets, Tree) {
    let bytes = entries(name);
    let entries = decoded(&bytes);
    let secrets = secrets(name, &entries);
    let (mut state, mut tree) = (State::default(), Tree::new());
    for bytes in bytes.iter().take(upto as usize) {
        let entry = decode(bytes).unwrap();
        state.apply(entry.tx_id, &entry.open(&secrets).unwrap());
        tree.append(entry.leaf());
    }
    (state, secrets, tree)
}

/// Public and private maps of CCF's own snapshot are those that its ledger leads to, and ours of that state differs in
/// nothing but the order of entries.
#[test]
fn a_snapshot_of_ccf_is_the_state_of_its_ledger() {
    let name: SnapshotName = "snapshot_61_62.committed".parse().unwrap();
    let bytes = std::fs::read(service(EXPIRED).join("snapshots").join(name.to_string())).unwrap();
    let (state, secrets, tree) = replay(EXPIRED, name.seqno);
    let restored = restore(name, bytes.as_slice(), &secrets, &[], &certificate(EXPIRED)).unwrap();
    assert_eq!(restored.state, state);
    assert_eq!((restored.tree.size(), restored.tree.root()), (62, tree.root()));
    assert_eq!(restored.view_history, [TxId::new(2, 1), TxId::new(4, 29)]);
    assert_eq!(restored.evidence, TxId::new(4, 62));

    let contents = Contents { state: &state, leaf: restored.leaf, view_history: &restored.view_history };
    let mut ours = Vec::new();
    contents.seal(&secrets).unwrap().write(&mut ours).unwrap();
    let size = u64::from_le_bytes([bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7], 0, 0]) as usize;
    assert_eq!(ours.len(), HEADER_LEN + size);
    let facts = HEADER_LEN + 16..HEADER_LEN + 200;
    assert_eq!(ours[facts.clone()], bytes[facts]);
    let public = u64::from_le_bytes(bytes[36..44].try_into().unwrap()) as usize;
    let sorted = |bytes: &[u8]| {
        let mut bytes = bytes[44..44 + public].to_vec();
        bytes.sort_unstable();
        bytes
    };
    assert_eq!(sorted(&ours), sorted(&bytes), "the public domain has the same bytes in another order");
}
