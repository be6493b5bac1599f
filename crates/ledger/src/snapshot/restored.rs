use std::{
    collections::VecDeque,
    fmt,
    io::{self, Read},
};

use crypto::{AesKey, Certificate, Digest, GcmOpened, GcmStream, Zeroizing};
use kv::{State, TxId, UNIT_KEY};

use super::{SnapshotName, fields::Fields, malformed, scan::Scan};
use crate::{
    LedgerError,
    merkle::Tree,
    receipt,
    secrets::{HistoricalSecret, LedgerSecrets, Secret},
    signature::NodeSignature,
    tables,
};

/// What a snapshot holds, all of it checked.
pub struct Restored {
    /// The state.
    pub state: State,
    /// The leaf of its last transaction, which is a signature.
    pub leaf: Digest,
    /// The Merkle tree up to and with that leaf; it has leaves from the signature before on.
    pub tree: Tree,
    /// The first transaction of each view that has any, oldest first.
    pub view_history: Vec<TxId>,
    /// The ledger secrets that were given, and the one that a rekey introduced.
    pub secrets: LedgerSecrets,
    /// SHA-256 of the snapshot's entry, which the evidence claims.
    pub digest: Digest,
    /// The evidence.
    pub evidence: TxId,
}

impl fmt::Debug for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, digest) = (self.state.tx_id(), hex::encode(self.digest));
        f.debug_struct("Restored").field("state", &state).field("digest", &digest).finish_non_exhaustive()
    }
}

/// Reads a snapshot, and returns nothing before everything about it was checked: its structure, that the receipt is about
/// this entry and leads to the service, the GCM tag, and that the tree in the state is the one that was signed.
///
/// `secrets` are ledger secrets whose places are known; `candidates` are keys that may have got a place by a rekey, which
/// the snapshot then says ([`LedgerSecrets::follow`]).
///
/// The private domain stays encrypted until receipt and tag are good, so that nobody learns anything of it by changing it
/// and watching what happens. Memory holds, besides the state, the private domain.
///
/// # Errors
/// What differs; an I/O error. [`LedgerError::UnknownSecret`] and [`LedgerError::NoSecret`] say that the snapshot is what the
/// service wrote, and that the secrets are not those of the ledger.
pub fn restore(
    name: SnapshotName,
    reader: impl Read,
    secrets: &LedgerSecrets,
    candidates: &[AesKey],
    service: &Certificate,
) -> Result<Restored, LedgerError> {
    let keys: Vec<_> = secrets.for_seqno(name.seqno).map(Secret::key).into_iter().chain(candidates).collect();
    let mut scan = Scan::read(name, reader, Some(&keys))?;
    let evidence = check_receipt(&scan, service)?;
    let secrets = follow(scan.maps.so_far(), secrets, candidates)?;
    let secret = secrets.require(name.seqno)?;
    let plain = decrypt(scan.streams, &keys, secret, &scan.tag, scan.private)?;
    let len = plain.len();
    scan.maps.read(&mut Fields::new(name, plain, len), false)?;
    let (state, views) = scan.maps.finish();
    let tree = frontier(&state, scan.leaf)?;
    let Scan { digest, leaf, .. } = scan;
    Ok(Restored { state, leaf, tree, view_history: views.into_firsts(), secrets, digest, evidence })
}

fn check_receipt(scan: &Scan, service: &Certificate) -> Result<TxId, LedgerError> {
    let receipt = scan.receipt.as_ref();
    let receipt = receipt.ok_or_else(|| malformed("it has no receipt, and nothing else vouches for it"))?;
    let verified = receipt::verify(receipt, service).map_err(malformed)?;
    verified.tx_id.ok_or_else(|| malformed("its receipt is that of a signature"))
}

/// The secrets, with the one that the last record in the (public) state introduces.
fn follow(state: &State, secrets: &LedgerSecrets, candidates: &[AesKey]) -> Result<LedgerSecrets, LedgerError> {
    let mut secrets = secrets.clone();
    if let Some(stored) = state.get(tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET, &UNIT_KEY) {
        let record = HistoricalSecret::from_json(&stored.value)?;
        secrets.follow(stored.written.seqno, &record, candidates)?;
    }
    Ok(secrets)
}

/// Checks the tag over both domains, and only then decrypts.
fn decrypt(
    streams: Vec<GcmStream>,
    keys: &[&AesKey],
    secret: &Secret,
    tag: &[u8; 16],
    private: Vec<Vec<u8>>,
) -> Result<Plain, LedgerError> {
    // The digest is the one that the service claims, so it is not the file that differs.
    let unknown = || LedgerError::UnknownSecret { version: secret.version() };
    let stream = streams.into_iter().zip(keys).find(|(_, key)| **key == secret.key());
    let (mut gcm, _) = stream.ok_or_else(unknown)?;
    private.iter().try_for_each(|piece| gcm.authenticate(piece))?;
    Ok(Plain::new(gcm.open(tag).map_err(|_| unknown())?, private))
}

/// A private domain that is genuine, decrypted as it is read; what was read is given back.
struct Plain {
    opened: GcmOpened,
    pieces: VecDeque<Zeroizing<Vec<u8>>>,
    /// Bytes of the first piece that were read; it is decrypted if it is not 0.
    read: usize,
}

impl Plain {
    fn new(opened: GcmOpened, pieces: Vec<Vec<u8>>) -> Self {
        Self { opened, pieces: pieces.into_iter().map(Zeroizing::new).collect(), read: 0 }
    }

    fn len(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.pieces.front_mut().filter(|_| !buffer.is_empty()) else { return Ok(0) };
        if self.read == 0 {
            self.opened.decrypt(piece).map_err(io::Error::other)?;
        }
        let len = piece.get(self.read..).unwrap_or_default().read(buffer)?;
        self.read += len;
        if self.read == piece.len() {
            self.pieces.pop_front();
            self.read = 0;
        }
        Ok(len)
    }
}

/// The Merkle tree up to and with `leaf`, that of the last transaction in the state: a signature, which wrote the tree that
/// it signed.
pub(super) fn frontier(state: &State, leaf: Digest) -> Result<Tree, LedgerError> {
    let last = state.tx_id();
    let written = |table: &'static str| match state.get(table, &UNIT_KEY) {
        Some(versioned) if versioned.written == last => Ok(&versioned.value),
        _ => Err(malformed(format_args!("its last transaction, {last}, is not a signature: it did not write {table}"))),
    };
    let signature = NodeSignature::from_json(written(tables::SIGNATURES)?)?;
    let mut tree = Tree::parse(written(tables::TREE)?)?;
    let (signed, root) = (signature.root()?, tree.root());
    if (signature.tx_id(), tree.size()) != (last, last.seqno) || signed != root {
        let got = format!("a signature at {} over {}", signature.tx_id(), signature.root);
        let expected = format!("one at {last} over {}, the root of {} leaves", hex::encode(root), tree.size());
        return Err(LedgerError::differs("signature in the snapshot", expected, got));
    }
    tree.append(leaf);
    Ok(tree)
}
