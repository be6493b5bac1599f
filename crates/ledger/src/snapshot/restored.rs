use std::{
    collections::VecDeque,
    fmt,
    io::{self, Read},
};

use crypto::{Certificate, Digest, GcmOpened, Zeroizing};
use kv::{State, TxId, UNIT_KEY};

use super::{
    SnapshotName,
    fields::Fields,
    malformed,
    scan::{Private, Scan},
};
use crate::{
    LedgerError,
    merkle::Tree,
    receipt::{self, Receipt},
    secrets::LedgerSecrets,
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
/// The private domain stays encrypted until receipt and tag are good, so that nobody learns anything of it by changing it
/// and watching what happens. Memory holds, besides the state, the private domain.
///
/// # Errors
/// What differs; no ledger secret for the seqno; an I/O error.
pub fn restore(
    name: SnapshotName,
    reader: impl Read,
    secrets: &LedgerSecrets,
    service: &Certificate,
) -> Result<Restored, LedgerError> {
    let Scan { digest, leaf, mut maps, private, receipt } = Scan::read(name, reader, Some(secrets))?;
    let receipt = receipt.ok_or_else(|| malformed("it has no receipt, and nothing else vouches for it"))?;
    let evidence = check_receipt(&receipt, service)?;
    let Private { gcm, tag, pieces } = private.ok_or(LedgerError::NoSecret { seqno: name.seqno })?;
    let plain = Plain::new(gcm.open(&tag)?, pieces);
    let len = plain.len();
    maps.read(&mut Fields::new(name, plain, len), false)?;
    let (state, views) = maps.finish();
    let tree = frontier(&state, leaf)?;
    Ok(Restored { state, leaf, tree, view_history: views.into_firsts(), digest, evidence })
}

fn check_receipt(receipt: &Receipt, service: &Certificate) -> Result<TxId, LedgerError> {
    let verified = receipt::verify(receipt, service).map_err(malformed)?;
    verified.tx_id.ok_or_else(|| malformed("its receipt is that of a signature"))
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
